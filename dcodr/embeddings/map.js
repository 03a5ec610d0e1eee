"use strict";

const content = JSON.parse(document.getElementById("content").textContent);
const map = document.getElementById("map");
const chooser = document.getElementById("label");
const card = document.getElementById("card");
const picture = document.getElementById("picture");
const sheet = document.getElementById("sheet");
const webgl = document.createElement("canvas").getContext("webgl") !== null;
const tileOf = new Map(content.shown.map((row, place) => [row, place]));
// Okabe and Ito's colours, which colour-blind readers can distinguish; then symbols change. Gray is for others.
const COLORS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442"];
const SYMBOLS = ["circle", "diamond", "square", "cross"];
const GRAY = "#8E8E8E";
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
// Plotly renders tags in names and titles, also links.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const many = (count, noun, plural = `${noun}s`) => `${count.toLocaleString("en")} ${count === 1 ? noun : plural}`;
let current = null;

function points(rows, name, marker) {
  return {
    type: webgl ? "scattergl" : "scatter",
    mode: "markers",
    name: plain(name),
    x: rows.map((row) => content.x[row]),
    y: rows.map((row) => content.y[row]),
    customdata: rows,
    hoverinfo: "none",
    marker: { size: content.x.length > 5000 ? 4 : 7, opacity: 0.8, ...marker },
  };
}

function traces() {
  const all = content.x.map((_, row) => row);
  const label = chooser && content.labels[chooser.value];
  if (!label) {
    return [points(all, "images", { color: COLORS[0] })];
  }
  if (label.values) {
    const colorbar = { title: { text: plain(chooser.value) }, y: 0, yanchor: "bottom", len: 0.5 };
    return [points(all, chooser.value, { color: label.values, colorscale: "Viridis", showscale: true, colorbar })];
  }
  const colored = new Map(label.colored.map((id, place) => [id, place]));
  const rows = label.colored.map(() => []);
  const others = [];
  for (const row of all) {
    (rows[colored.get(label.ids[row])] ?? others).push(row);
  }
  const named = label.colored.map((id, place) => {
    const symbol = SYMBOLS[Math.floor(place / COLORS.length) % SYMBOLS.length];
    return points(rows[place], label.classes[id], { color: COLORS[place % COLORS.length], symbol });
  });
  if (!others.length) {
    return named;
  }
  // Drawn first, so that they hide no colour; listed last.
  const name = many(label.classes.length - label.colored.length, "other");
  return [{ ...points(others, name, { color: GRAY, opacity: 0.4 }), legendrank: 2000 }, ...named];
}

function explain() {
  const label = chooser && content.labels[chooser.value];
  if (!label) {
    return;
  }
  let told = label.values ? "continuous: a scale" : many(label.classes.length, "class", "classes");
  if (label.classes && label.colored.length < label.classes.length) {
    const most = `the ${label.colored.length} most frequent have colours, the others are gray`;
    told += label.colored.length ? `: ${most}` : " of one image each, without colours";
  }
  document.getElementById("legend").textContent = `(${told})`;
}

function ink() {
  return getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
}

function draw() {
  const axis = { showticklabels: false, zeroline: false, gridcolor: "rgba(128,128,128,0.2)" };
  const drawn = traces();
  const narrow = innerWidth < 600;
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink() },
    // Beside the points there is room for the card, and for the legend below it.
    margin: { l: 8, r: narrow ? 8 : 180, t: 36, b: 8 },
    hovermode: "closest",
    dragmode: matchMedia("(pointer: coarse)").matches ? "pan" : "zoom",
    xaxis: axis,
    yaxis: { ...axis, scaleanchor: "x" },
    legend: { itemsizing: "constant", ...(narrow ? { orientation: "h" } : { y: 0, yanchor: "bottom", maxheight: 0.55 }) },
    showlegend: drawn.length > 1,
    shapes: rings(),
  };
  Plotly.react(map, drawn, layout, { responsive: true, displaylogo: false });
  explain();
}

// The mark of the point that keys have reached.
function rings() {
  if (current === null) {
    return [];
  }
  const around = { xsizemode: "pixel", ysizemode: "pixel", x0: -9, x1: 9, y0: -9, y1: 9 };
  const at = { xanchor: content.x[current], yanchor: content.y[current] };
  return [{ type: "circle", ...at, ...around, line: { color: ink(), width: 2 } }];
}

function textOf(label, row) {
  return label.classes ? label.classes[label.ids[row]] : String(label.values[row]);
}

function show(row) {
  const place = tileOf.get(row);
  picture.style.display = place === undefined ? "none" : "block";
  if (place !== undefined) {
    const scale = 144 / content.tile;
    const [x, y] = [place % content.perRow, Math.floor(place / content.perRow)];
    picture.style.backgroundImage = `url(${sheet.src})`;
    picture.style.backgroundSize = `${sheet.naturalWidth * scale}px auto`;
    picture.style.backgroundPosition = `${-144 * x}px ${-144 * y}px`;
  }
  const facts = [content.names[row], ...Object.entries(content.labels).map(([name, label]) => `${name}: ${textOf(label, row)}`)];
  document.getElementById("facts").replaceChildren(
    ...facts.map((fact) => Object.assign(document.createElement("div"), { textContent: fact })),
  );
  card.hidden = false;
}

// The nearest of the points that lie more in a direction than to its sides.
function nextTo(row, [right, up]) {
  let [best, least] = [row, Infinity];
  content.x.forEach((x, other) => {
    const [dx, dy] = [x - content.x[row], content.y[other] - content.y[row]];
    const [ahead, aside] = [dx * right + dy * up, Math.abs(dx * up) + Math.abs(dy * right)];
    if (ahead > 0 && aside <= ahead && Math.hypot(dx, dy) < least) {
      [best, least] = [other, Math.hypot(dx, dy)];
    }
  });
  return best;
}

function go(row) {
  current = row;
  show(row);
  Plotly.relayout(map, { shapes: rings() });
}

draw();
map.on("plotly_hover", (event) => show(event.points[0].customdata));
map.on("plotly_click", (event) => go(event.points[0].customdata));
map.addEventListener("keydown", (event) => {
  if (STEPS[event.key] && event.target === map) {
    event.preventDefault();
    go(current === null ? 0 : nextTo(current, STEPS[event.key]));
  } else if (event.key === "Escape") {
    current = null;
    card.hidden = true;
    Plotly.relayout(map, { shapes: rings() });
  }
});
if (chooser) {
  chooser.addEventListener("change", draw);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
