// The table of trials: sorted by a column, filtered by a word, the selected trial marked.

const find = document.getElementById("find");
let sorted = { column: null, direction: "none" };

function rowsOf(table) {
  return [...table.tBodies[0].rows];
}

function valueOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
}

// Cells without a value come last in both directions.
function compare(a, b, sign) {
  if (a === "-" || b === "-") {
    return (a === "-") - (b === "-");
  }
  const both = typeof a === "number" && typeof b === "number";
  return sign * (both ? a - b : String(a).localeCompare(String(b)));
}

function arrange() {
  const table = document.getElementById("trials");
  const rows = rowsOf(table);
  rows.forEach((row, i) => (row.dataset.place ??= i));
  const sign = sorted.direction === "descending" ? -1 : 1;
  const order = (a, b) => {
    const first = sorted.direction === "none" ? 0 : compare(valueOf(a, sorted.column), valueOf(b, sorted.column), sign);
    return first || a.dataset.place - b.dataset.place;
  };
  const focused = document.activeElement;
  table.tBodies[0].append(...rows.sort(order));
  focused.focus({ preventScroll: true }); // a row that moves would lose it
  [...table.tHead.rows[0].cells].forEach((cell, i) => {
    cell.setAttribute("aria-sort", i === sorted.column ? sorted.direction : "none");
  });
  const word = find.value.trim().toLowerCase();
  rows.forEach((row) => (row.hidden = !row.textContent.toLowerCase().includes(word)));
  markRow();
}

function sortBy(column) {
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  sorted = { column, direction: sorted.column === column ? next[sorted.direction] : "ascending" };
  arrange();
  document.getElementById("said").textContent =
    sorted.direction === "none" ? "In the order of the front" : `Sorted, ${sorted.direction}`;
}

function markRow() {
  for (const row of rowsOf(document.getElementById("trials"))) {
    if (Number(row.dataset.row) === selected) {
      row.setAttribute("aria-current", "true");
    } else {
      row.removeAttribute("aria-current");
    }
  }
}

function shownRows() {
  const table = document.getElementById("trials");
  return rowsOf(table).filter((row) => !row.hidden);
}

function saveTable() {
  const text = (row) => [...row.cells].map((cell) => cell.dataset.value ?? cell.textContent);
  const header = document.getElementById("trials").tHead.rows[0];
  save(`${page.name}-table.csv`, "text/csv", csv([text(header), ...shownRows().map(text)]));
}
