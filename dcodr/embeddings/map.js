"use strict";

const content = JSON.parse(document.getElementById("content").textContent);
const chooser = document.getElementById("label");
const card = document.getElementById("card");
const picture = document.getElementById("picture");
const sheet = document.getElementById("sheet");
const webgl = document.createElement("canvas").getContext("webgl") !== null;
const tileOf = new Map(content.shown.map((row, place) => [row, place]));
// Okabe and Ito's eight colours first, which colour-blind readers can distinguish; then symbols change.
const COLORS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#6E6E6E"];
const SYMBOLS = ["circle", "diamond", "square"];

function points(rows, name, marker) {
  return {
    type: webgl ? "scattergl" : "scatter",
    mode: "markers",
    name,
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
  if (label && label.classes) {
    return label.classes.map((name, id) => {
      const symbol = SYMBOLS[Math.floor(id / COLORS.length) % SYMBOLS.length];
      return points(all.filter((row) => label.ids[row] === id), name, { color: COLORS[id % COLORS.length], symbol });
    });
  }
  if (label && label.values) {
    return [points(all, chooser.value, { color: label.values, colorscale: "Viridis", showscale: true })];
  }
  return [points(all, "images", { color: COLORS[0] })];
}

function draw() {
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  const axis = { showticklabels: false, zeroline: false, gridcolor: "rgba(128,128,128,0.2)" };
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink },
    margin: { l: 8, r: 8, t: 36, b: 8 },
    hovermode: "closest",
    dragmode: matchMedia("(pointer: coarse)").matches ? "pan" : "zoom",
    xaxis: axis,
    yaxis: { ...axis, scaleanchor: "x" },
    legend: { itemsizing: "constant" },
    showlegend: true,
  };
  Plotly.react("map", traces(), layout, { responsive: true, displaylogo: false });
}

function textOf(label, row) {
  return label.classes ? label.classes[label.ids[row]] : String((label.values || label.texts)[row]);
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

draw();
document.getElementById("map").on("plotly_hover", (event) => show(event.points[0].customdata));
document.getElementById("map").on("plotly_click", (event) => show(event.points[0].customdata));
if (chooser) {
  chooser.addEventListener("change", draw);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
