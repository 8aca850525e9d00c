// Arrow keys move between the links or inputs of a table with data-grid; Tab passes it in one step.
const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const target = (cell) => cell?.querySelector("a, input:not([type=hidden]), textarea, select");

for (const table of document.querySelectorAll("table[data-grid]")) {
  const links = [...table.querySelectorAll("tbody td a")];
  const rove = (link) => links.forEach((each) => { each.tabIndex = each === link ? 0 : -1; });
  rove(links.find((each) => each.closest(".missing, .any")) ?? links[0]);
  table.addEventListener("focusin", (event) => { if (links.includes(event.target)) rove(event.target); });
  table.addEventListener("keydown", (event) => {
    const step = moves[event.key] ?? (event.key === "Enter" && event.target.matches("input") ? [1, 0] : null);
    const cell = event.target.closest("td, th");
    if (!step || !cell || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    let row = rows.indexOf(cell.parentElement), column = cell.cellIndex, found;
    do {
      row += step[0];
      column += step[1];
      found = target(rows[row]?.cells[column]);
    } while (!found && rows[row]?.cells[column]);
    if (!found && event.key !== "Enter") return;
    event.preventDefault();
    found?.focus();
    found?.select?.();
    found?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}
