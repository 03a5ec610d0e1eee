"use strict";

// The charts of the page: drawn when they come into view, with the selected trial marked in each.

const NEED_WEBGL = ["parcoords", "scattergl"];
const page = JSON.parse(document.getElementById("page-data").textContent);
// A finger on a chart scrolls the page; a mouse zooms in.
const dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom";
const webgl = document.createElement("canvas").getContext("webgl") !== null;
const figures = new Map([...document.querySelectorAll("[data-chart]")].map((figure) => [figure.dataset.chart, figure]));
const outdated = new Set();
const visible = new Set();
let selected = null;

// The name of a CSS variable in place of a colour stands for its value in this colour scheme.
function themed(value, key = "", style = getComputedStyle(document.documentElement)) {
  if (typeof value === "string") {
    return /color/.test(key) && value.startsWith("--") ? style.getPropertyValue(value).trim() : value;
  }
  if (Array.isArray(value)) {
    return value.map((item) => themed(item, key, style));
  }
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, themed(item, name, style)]));
  }
  return value;
}

function pad(trial) {
  return String(trial).padStart(3, "0");
}

function curve(trial, objective) {
  const { epochs, values } = page.curves[trial];
  return {
    type: "scatter",
    mode: "lines+markers",
    name: pad(trial),
    x: epochs[objective],
    y: values[objective],
    customdata: epochs[objective].map(() => trial),
    hovertemplate: `trial ${pad(trial)}, epoch %{x}: %{y:.3f}<extra></extra>`,
    line: { color: "--mark", width: 4 },
    marker: { size: 7 },
  };
}

// Each of these marks the selected trial in a trace of one type, and returns the trace.
const mark = {
  parcoords(trace) {
    // The marked line has the highest value of a scale that is a little longer; the others turn pale.
    const place = trace.customdata.indexOf(selected);
    const { cmin, cmax, color } = trace.line;
    const top = cmin + (cmax - cmin) / 0.96;
    const scale = [[0, "--faint"], [0.96, "--faint"], [0.98, "--mark"], [1, "--mark"]];
    const colors = color.map((value, i) => (i === place ? top : value));
    return place < 0 ? trace : { ...trace, line: { ...trace.line, color: colors, colorscale: scale, cmax: top } };
  },
  heatmap(trace, layout) {
    const place = trace.customdata[0].indexOf(selected);
    if (place >= 0) {
      const [x0, x1] = [place - 0.5, place + 0.5];
      const shape = { type: "rect", xref: "x", yref: "paper", x0, x1, y0: 0, y1: 1, line: { color: "--mark", width: 2 } };
      layout.shapes = [shape];
    }
    return trace;
  },
  bar(trace) {
    const chosen = trace.customdata.map((trial) => trial === selected);
    const line = { color: chosen.map((yes) => (yes ? "--mark" : "--paper")), width: chosen.map((yes) => (yes ? 4 : 1)) };
    return { ...trace, marker: { ...trace.marker, line } };
  },
};

function ring(traces) {
  const points = traces.flatMap((trace) =>
    trace.customdata.flatMap((trial, i) => (trial === selected ? [[trace.x[i], trace.y[i]]] : [])),
  );
  return {
    type: "scatter",
    mode: "markers",
    x: points.map(([x]) => x),
    y: points.map(([, y]) => y),
    marker: { symbol: "circle-open", size: 24, color: "--mark", line: { width: 3 } },
    hoverinfo: "skip",
    showlegend: false,
  };
}

function withSelection(name, chart) {
  const layout = { ...chart.layout, dragmode, uirevision: "kept" };
  if (selected === null) {
    return { data: chart.data, layout };
  }
  const linked = chart.data.filter((trace) => trace.customdata);
  const data = chart.data.map((trace) => (trace.customdata && mark[trace.type] ? mark[trace.type](trace, layout) : trace));
  const points = linked.filter((trace) => trace.type.startsWith("scatter"));
  if (name.startsWith("curve-") && page.curves[selected]) {
    const others = data.filter((trace) => trace.customdata[0] !== selected).map((trace) => ({ ...trace, opacity: 0.35 }));
    return { data: [...others, curve(selected, Number(name.slice("curve-".length)))], layout };
  }
  return { data: points.length ? [...data, ring(points)] : data, layout };
}

function draw(name) {
  outdated.delete(name);
  const [chart, plot] = [page.charts[name], figures.get(name).querySelector(".plot")];
  if (!webgl && chart.data.some((trace) => NEED_WEBGL.includes(trace.type))) {
    plot.textContent = "This chart needs WebGL, which this browser has switched off.";
    return;
  }
  const { data, layout } = themed(withSelection(name, chart));
  const first = !plot.classList.contains("js-plotly-plot");
  Plotly.react(plot, data, layout, { responsive: true, displayModeBar: false });
  if (first) {
    plot.on("plotly_click", (event) => {
      const trial = event.points[0].customdata;
      if (typeof trial === "number") {
        select(trial);
      }
    });
  }
}

// The trials of a chart from left to right.
function inOrder(name) {
  const at = new Map();
  for (const trace of page.charts[name].data.filter((trace) => trace.customdata)) {
    const nested = Array.isArray(trace.customdata[0]);
    const places = nested || trace.type === "parcoords" ? null : (trace.base ?? trace.x);
    (nested ? trace.customdata[0] : trace.customdata).forEach((trial, i) => {
      if (!at.has(trial)) {
        at.set(trial, places ? places[i] : i);
      }
    });
  }
  const trials = [...at.keys()];
  return trials.sort((a, b) => (at.get(a) < at.get(b) ? -1 : at.get(a) > at.get(b) ? 1 : 0));
}

function drawVisible() {
  for (const name of outdated) {
    if (visible.has(name)) {
      draw(name);
    }
  }
}

// Show what a chart is called and leave it to be drawn when it is seen.
function prepare() {
  for (const [name, figure] of figures) {
    const chart = page.charts[name];
    figure.hidden = !chart;
    if (chart) {
      figure.querySelector("figcaption").textContent = chart.title;
      const plot = figure.querySelector(".plot");
      plot.setAttribute("aria-label", chart.alt);
      plot.style.height = `${chart.height}px`;
      plot.style.minWidth = `${chart.min_width}px`;
      outdated.add(name);
    }
  }
  for (const part of document.querySelectorAll("[data-needs]")) {
    part.hidden = !page.charts[part.dataset.needs];
  }
  drawVisible();
}

function redraw() {
  Object.keys(page.charts).forEach((name) => outdated.add(name));
  drawVisible();
}

const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      visible[isIntersecting ? "add" : "delete"](target.dataset.chart);
    }
    drawVisible();
  },
  { rootMargin: "300px" },
);

function save(name, kind, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function csv(rows) {
  const cell = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  return rows.map((row) => row.map((value) => cell(String(value ?? ""))).join(",")).join("\n") + "\n";
}

// The numbers behind a chart, a row for each point.
function numbers(chart) {
  if (chart.rows) {
    return chart.rows;
  }
  const rows = chart.data.flatMap((one) =>
    (one.x ?? []).map((x, i) => [one.name ?? "", one.customdata?.[i], one.base?.[i], x, one.y[i], one.error_x?.arrayminus[i], one.error_x?.array[i], one.error_y?.arrayminus?.[i], one.error_y?.array?.[i]]),
  );
  return [["series", "trial", "begin", "x", "y", "x_below", "x_above", "y_below", "y_above"], ...rows];
}

function saveChart(button) {
  const figure = button.closest("[data-chart]");
  const [name, plot] = [figure.dataset.chart, figure.querySelector(".plot")];
  const filename = `${page.name}-${name}`;
  if (button.dataset.save === "csv") {
    save(`${filename}.csv`, "text/csv", csv(numbers(page.charts[name])));
    return;
  }
  draw(name);
  const layout = { ...plot.layout, paper_bgcolor: themed("--paper", "color"), width: plot.clientWidth, height: plot.clientHeight };
  Plotly.downloadImage({ data: plot.data, layout }, { format: "png", scale: 2, filename, width: layout.width, height: layout.height });
}
