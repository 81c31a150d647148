// Sorts the table of trials, and shows one trial in all charts.
"use strict";
(() => {
  const table = document.getElementById("trials");
  if (!table) return;
  const body = table.tBodies[0];
  const headings = Array.from(table.tHead.rows[0].cells);
  const value = (row, column) => {
    const text = row.cells[column].textContent;
    return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
  };
  // Numbers before texts, what is empty always last.
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : Number(a > b);
  };
  headings.forEach((heading, column) => heading.addEventListener("click", () => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = Array.from(body.rows, (row) => [value(row, column), row]);
    keyed.sort(([a], [b]) => {
      if ((a === "") !== (b === "")) return a === "" ? 1 : -1;
      return down ? compare(b, a) : compare(a, b);
    });
    body.append(...keyed.map(([, row]) => row));
  }));

  const tip = document.getElementById("tip");
  let shown = null;
  const show = (number) => {
    if (number === shown) return;
    document.querySelectorAll(".hot").forEach((each) => each.classList.remove("hot"));
    shown = number;
    tip.hidden = number === null;
    if (number === null) return;
    document.querySelectorAll(`[data-t="${number}"]`).forEach((each) => each.classList.add("hot"));
    const row = body.querySelector(`[data-t="${number}"]`);
    tip.textContent = headings
      .map((heading, column) => [heading.textContent, row.cells[column].textContent])
      .filter(([, text]) => text !== "")
      .map(([name, text]) => `${name}: ${text}`)
      .join("\n");
  };
  document.addEventListener("mousemove", (event) => {
    const mark = event.target.closest("svg [data-t]");
    show(mark ? mark.dataset.t : null);
    if (!mark) return;
    const right = event.clientX + 14 + tip.offsetWidth > innerWidth;
    const left = right ? event.clientX - 14 - tip.offsetWidth : event.clientX + 14;
    const below = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 4);
    tip.style.left = `${Math.max(left, 4)}px`;
    tip.style.top = `${Math.max(below, 4)}px`;
  });
})();
