// Live sums of a tally: each line against the valid ballots, valid and void against those returned.
const count = (input) => (/^\d+$/.test(input?.value.trim() ?? "") ? Number(input.value) : null);
const against = (sum, whole) => (whole === null ? "" : sum < whole ? `，少 ${whole - sum} 票` : sum > whole ? `，多 ${sum - whole} 票` : " ✓");

for (const table of document.querySelectorAll("table[data-sums]")) {
  const form = table.closest("form");
  const named = (name) => form.elements.namedItem(name);
  const note = Object.assign(document.createElement("p"), { className: "help" });
  note.setAttribute("role", "status");
  form.querySelector("[data-numbers]")?.append(note);
  const update = () => {
    const [issued, returned, valid, empty] = ["issued", "returned", "valid", "void"].map((name) => count(named(name)));
    const wrong = [];
    if (issued !== null && returned !== null && returned > issued) wrong.push(`收回比发出多 ${returned - issued} 张`);
    if (returned !== null && valid !== null && empty !== null && valid + empty !== returned) wrong.push(`有效加无效是 ${valid + empty} 张，收回 ${returned} 张`);
    note.textContent = wrong.join("；");
    for (const row of table.tBodies[0].rows) {
      const votes = [...row.querySelectorAll("input")].map(count).filter((vote) => vote !== null);
      const sum = votes.reduce((one, other) => one + other, 0);
      const output = row.querySelector("output");
      output.textContent = votes.length ? `${sum}${against(sum, valid)}` : "";
      output.classList.toggle("late", votes.length > 0 && valid !== null && sum !== valid);
    }
  };
  form.addEventListener("input", update);
  update();
}
