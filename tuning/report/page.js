// The selected trial in all views, its panel, and news of the search.

const panel = document.getElementById("panel");
const inside = document.getElementById("panel-content");
const contact = document.getElementById("contact");
const FOCUSABLE = "button, summary, [tabindex]";
const POLL = { running: 2000, interrupted: 5000, ended: 15000 };
let opener = null;
let behind = 0;
let lastContact = Date.now();
const shownBlocks = new Map();

function select(trial, focus = false) {
  if (panel.hidden) {
    opener = document.activeElement;
  }
  const other = trial !== selected;
  selected = trial;
  markRow();
  const opened = panel.hidden;
  panel.hidden = false;
  document.body.classList.add("open");
  document.getElementById("panel-title").textContent = `Trial ${pad(trial)}`;
  if (other) {
    inside.replaceChildren();
    delete inside.dataset.html;
    panel.scrollTop = 0;
    showDetails();
  }
  redraw();
  if (opened) {
    dispatchEvent(new Event("resize"));
  }
  if (focus) {
    panel.focus({ preventScroll: true });
  }
  document.getElementById("said").textContent = `Trial ${pad(trial)} is selected.`;
}

function close() {
  const here = panel.contains(document.activeElement);
  // News may have replaced the button that opened the panel.
  const back = opener?.isConnected ? opener : document.querySelector(`#trials [data-trial="${selected}"]`);
  selected = null;
  panel.hidden = true;
  document.body.classList.remove("open");
  markRow();
  redraw();
  dispatchEvent(new Event("resize"));
  if (here) {
    back?.focus();
  }
}

async function detailsOf(trial) {
  if (!page.live) {
    return page.details[trial] ?? "<p class='note'>This page holds no details of this trial; the live page does.</p>";
  }
  const answer = await fetch(`trials/${pad(trial)}.json`);
  return answer.ok ? (await answer.json()).html : "<p class='note'>The server has no details of this trial.</p>";
}

async function showDetails() {
  const trial = selected;
  let html;
  try {
    html = await detailsOf(trial);
  } catch {
    html = "<p class='note'>No contact with the page's server.</p>";
  }
  if (trial !== selected || inside.dataset.html === `${trial} ${html}`) {
    return;
  }
  inside.dataset.html = `${trial} ${html}`;
  const scrolled = panel.scrollTop;
  replace(inside, html);
  panel.scrollTop = scrolled;
  for (const picture of inside.querySelectorAll("img[data-from]")) {
    picture.src = document.getElementById(picture.dataset.from).src;
  }
  drawPanel();
}

function drawPanel() {
  const place = inside.querySelector("[data-curves]");
  if (selected === null || !place || !page.curves[selected]) {
    return;
  }
  const margin = { l: 8, r: 8, t: 4, b: 8 };
  page.objectives.forEach((objective, i) => {
    const plot = place.children[i] ?? place.appendChild(Object.assign(document.createElement("div"), { className: "small" }));
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", `${objective} of trial ${pad(selected)} over its epochs`);
    const { xaxis, yaxis, ...rest } = page.frame;
    const axes = { xaxis, yaxis: { ...yaxis, title: { text: objective.replaceAll("<", "&lt;"), font: { size: 12 } } } };
    const layout = { ...rest, ...axes, height: 180, margin, dragmode };
    Plotly.react(plot, themed([curve(selected, i)]), themed(layout), { responsive: true, displayModeBar: false });
  });
}

// Go to the trial before or after the selected one.
function step(trials, by) {
  if (trials.length) {
    const at = trials.indexOf(selected);
    select(trials[at < 0 ? (by > 0 ? 0 : trials.length - 1) : Math.min(Math.max(at + by, 0), trials.length - 1)]);
  }
}

// Scroll a chart that is wider than its place to a part of it, from 0 to 1.
function scrollToPart(name, part) {
  const scroll = figures.get(name).querySelector(".scroll");
  scroll?.scrollTo({ left: part * scroll.scrollWidth - scroll.clientWidth / 2 });
}

function listed() {
  return shownRows().map((row) => Number(row.dataset.row));
}

async function copy(button) {
  const source = button.closest(".text").querySelector("pre");
  try {
    await navigator.clipboard.writeText(source.textContent);
    document.getElementById("said").textContent = "Copied.";
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected: copy with the keyboard";
  }
}

// Replace a part of the page; what the reader has opened, scrolled and focused stays.
function replace(part, html) {
  const open = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
  const scrolled = [...part.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const { trial, sort } = focused?.dataset ?? {};
  const place = [...part.querySelectorAll(FOCUSABLE)].indexOf(focused);
  part.innerHTML = html;
  open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  part.querySelectorAll(".scroll").forEach((one, i) => scrolled[i] && one.scrollTo(...scrolled[i]));
  const again = trial !== undefined ? `[data-trial="${trial}"]` : sort !== undefined ? `[data-sort="${sort}"]` : null;
  const next = again ? part.querySelector(again) : part.querySelectorAll(FOCUSABLE)[place];
  next?.focus({ preventScroll: true });
}

function update(news) {
  const { blocks, ...rest } = news;
  Object.assign(page, rest);
  for (const part of document.querySelectorAll("[data-block]")) {
    const html = blocks[part.dataset.block];
    if (shownBlocks.get(part) !== html) {
      shownBlocks.set(part, html);
      replace(part, html);
    }
  }
  arrange();
  prepare();
  if (selected !== null) {
    showDetails();
    drawPanel();
  }
}

function duration(seconds) {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds / 60) % 60), Math.floor(seconds % 60)];
  return h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`;
}

function tick() {
  const now = (Date.now() + behind) / 1000;
  for (const one of document.querySelectorAll("[data-since]")) {
    one.textContent = `, for ${duration(Math.max(0, now - Number(one.dataset.since)))}`;
  }
  const since = (Date.now() - lastContact) / 1000;
  const lost = contact.classList.contains("lost");
  contact.textContent = lost
    ? `No contact with this page's server for ${duration(since)}. Trying again; start it with: ${page.serve}`
    : "Live";
}

// Readers who cannot see the page hear when the contact is lost or back, not every second of it.
function announce(lost) {
  if (lost !== contact.classList.contains("lost")) {
    contact.classList.toggle("lost", lost);
    document.getElementById("said").textContent = lost ? "No contact with this page's server." : "In contact again.";
  }
}

async function poll() {
  try {
    const answer = await fetch("data.json", { headers: { "If-None-Match": page.version }, cache: "no-store" });
    if (answer.status === 200) {
      update(await answer.json());
    } else if (answer.status !== 304) {
      throw new Error(`status ${answer.status}`);
    }
    behind = Date.parse(answer.headers.get("Date")) - Date.now();
    lastContact = Date.now();
    announce(false);
  } catch (error) {
    announce(true);
    console.debug(error);
  }
  tick();
  setTimeout(poll, POLL[document.querySelector("[data-state]").dataset.state]);
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button?.dataset.trial) {
    select(Number(button.dataset.trial), true);
  } else if (button?.dataset.sort) {
    sortBy(Number(button.dataset.sort));
  } else if (button?.dataset.save) {
    saveChart(button);
  } else if (button && "copy" in button.dataset) {
    copy(button);
  } else if (target.closest("tr[data-row]") && !String(getSelection())) {
    select(Number(target.closest("tr[data-row]").dataset.row));
  }
});
document.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const plot = event.target.closest?.("[data-chart] .plot");
  if (event.key === "Escape" && !panel.hidden) {
    close();
  } else if (by && plot) {
    const name = plot.closest("[data-chart]").dataset.chart;
    const trials = inOrder(name);
    if (trials.length) {
      event.preventDefault();
      step(trials, by);
      scrollToPart(name, trials.indexOf(selected) / trials.length);
    }
  }
});
document.getElementById("close").addEventListener("click", close);
document.getElementById("previous").addEventListener("click", () => step(listed(), -1));
document.getElementById("next").addEventListener("click", () => step(listed(), 1));
document.getElementById("save-table").addEventListener("click", saveTable);
find.addEventListener("input", arrange);
document.getElementById("slice").addEventListener("change", ({ target }) => {
  for (const part of document.querySelectorAll("[data-slices]")) {
    part.hidden = part.dataset.slices !== target.value;
    // What was drawn for the printer, out of sight, has another size.
    part.querySelectorAll(".js-plotly-plot").forEach((plot) => part.hidden || Plotly.Plots.resize(plot));
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  redraw();
  drawPanel();
});
addEventListener("beforeprint", () => Object.keys(page.charts).forEach(draw));

arrange();
prepare();
figures.forEach((figure) => watcher.observe(figure));
if (page.live) {
  setInterval(tick, 1000);
  poll();
}
