// What a form kept on this device goes: when it is done, when its account signs out, after seven days.

const START = "zhibu-draft ", SEVEN_DAYS = 7 * 24 * 3600 * 1000;

try {
  const sent = sessionStorage.getItem("zhibu-sent");
  if (sent && new URLSearchParams(location.search).has("done")) localStorage.removeItem(sent);
  if (sent && !document.querySelector("form[data-draft]")) sessionStorage.removeItem("zhibu-sent");
  sweep((kept) => !(Date.now() - kept.at < SEVEN_DAYS));
  document.querySelector('form[action="/sign-out"]')?.addEventListener("submit", () => sweep(() => true));
} catch { /* a private window keeps nothing */ }

function sweep(goes) {
  for (const key of Object.keys(localStorage)) {
    if (!key.startsWith(START)) continue;
    let kept = {};
    try { kept = JSON.parse(localStorage.getItem(key)) || {}; } catch { /* not ours to read: it goes */ }
    if (goes(kept)) localStorage.removeItem(key);
  }
}
