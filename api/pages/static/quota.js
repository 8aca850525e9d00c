// The quota meter follows the levels that are ticked before they are saved.
const bar = document.querySelector("[data-quota]");
const form = document.querySelector(".rating")?.closest("form");
if (bar && form) {
  const saved = Number(bar.dataset.quota), allowed = Number(bar.dataset.allowed);
  const update = () => {
    const excellent = saved + form.querySelectorAll('input[type=radio][value="excellent"]:checked').length;
    bar.querySelector("[data-excellent]").textContent = excellent;
    bar.querySelector("meter").value = excellent;
    bar.querySelector("[data-over]").textContent = excellent > allowed ? `▲ 超出 ${excellent - allowed} 名` : "";
  };
  form.addEventListener("change", update);
  update();
}
