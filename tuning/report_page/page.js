"use strict";

const charts = JSON.parse(document.getElementById("charts").textContent);
const config = {
  responsive: true,
  displaylogo: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
};

// Where a colour is asked for, the name of a CSS variable stands for its value in this colour scheme.
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
    Plotly.react(chart.name, themed(chart.data, "", style), themed(chart.layout, "", style), config);
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
