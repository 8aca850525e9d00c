// 全选 for a list to tick, with the number that is ticked.
for (const list of document.querySelectorAll("[data-ticks]")) {
  const boxes = [...list.querySelectorAll("input[type=checkbox]")];
  if (boxes.length < 4) continue;
  const line = Object.assign(document.createElement("p"), { className: "ticked" });
  const said = Object.assign(document.createElement("span"), { className: "second" });
  said.setAttribute("role", "status");
  const button = (words, tick) => {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: words });
    made.addEventListener("click", () => {
      for (const box of boxes) if (!box.disabled) box.checked = tick;
      list.dispatchEvent(new Event("change", { bubbles: true }));
    });
    return made;
  };
  const again = list.closest("form")?.querySelector("[data-ticked]");
  const count = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    said.textContent = `已选 ${ticked} / ${boxes.length}`;
    if (again) again.textContent = `到会 ${ticked} 人，未打勾 ${boxes.length - ticked} 人`;
  };
  line.append(button("全选", true), button("全不选", false), said);
  list.before(line);
  list.addEventListener("change", count);
  count();
}
