// Sort a table by a column: click its heading, or press Enter on it.
document.querySelectorAll(".wide table").forEach(table => {
  const body = table.tBodies[0], headings = table.tHead ? [...table.tHead.rows[0].cells] : [];
  if (!body || body.rows.length < 3) return;
  const value = (row, column) => {
    const cell = row.cells[column], text = (cell ? cell.dataset.sort ?? cell.textContent : "").trim();
    const number = text.replace(/[\u2212\u2013]/g, "-").replace(/,/g, "").match(/^[+-]?\d*\.?\d+(e[+-]?\d+)?/i);
    return number ? Number(number[0]) : text;
  };
  const order = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
    : typeof a === typeof b ? a.localeCompare(b) : typeof a === "number" ? -1 : 1;
  headings.forEach((heading, column) => {
    if (!heading.textContent.trim()) return;
    heading.tabIndex = 0;
    heading.classList.add("sorts");
    const sort = () => {
      const up = heading.ariaSort !== "ascending";
      headings.forEach(other => other.removeAttribute("aria-sort"));
      heading.ariaSort = up ? "ascending" : "descending";
      const rows = [...body.rows].sort((a, b) => order(value(a, column), value(b, column)) * (up ? 1 : -1));
      body.append(...rows);
    };
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
  });
});
// Show the value of the nearest point of a plot.
const tip = document.getElementById("tip");
document.querySelectorAll("svg[data-points]").forEach(svg => {
  const points = JSON.parse(svg.dataset.points);
  const show = event => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const near = points.map(point => [Math.hypot(point[0] - at.x, point[1] - at.y), point[2]])
      .reduce((a, b) => b[0] < a[0] ? b : a, [24, ""]);
    tip.hidden = !near[1];
    tip.textContent = near[1];
    tip.style.left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.max(event.clientY - tip.offsetHeight - 12, 4) + "px";
  };
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", show);
  svg.addEventListener("pointerleave", () => { tip.hidden = true; });
});
