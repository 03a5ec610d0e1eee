"use strict";

const NEED_WEBGL = ["parcoords", "scattergl"];
const charts = JSON.parse(document.getElementById("charts").textContent);
const config = { responsive: true, displayModeBar: false };
// A finger on a chart scrolls the page; a mouse zooms in.
const dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom";
const webgl = document.createElement("canvas").getContext("webgl") !== null;

// The name of a CSS variable in place of a colour stands for its value in this colour scheme.
function themed(value, key, style) {
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

function draw() {
  const style = getComputedStyle(document.documentElement);
  for (const chart of charts) {
    if (!webgl && chart.data.some((trace) => NEED_WEBGL.includes(trace.type))) {
      document.getElementById(chart.name).textContent = "This chart needs WebGL, which this browser has switched off.";
      continue;
    }
    const layout = { ...themed(chart.layout, "", style), dragmode };
    Plotly.react(chart.name, themed(chart.data, "", style), layout, config);
  }
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(source.textContent);
    document.getElementById("said").textContent = "Copied.";
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected: copy with the keyboard";
  }
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
for (const button of document.querySelectorAll("button[data-copies]")) {
  button.addEventListener("click", () => copy(button));
}
