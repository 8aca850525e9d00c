// Drafts of a form: every keystroke stays on this device at once, and on the server when there is a line.
// The form works without this file. Keys name the account and the form: others of this device see nothing.

const WAIT = 1200, AGAIN = 15000;
const START = "zhibu-draft ";

const form = document.querySelector("form[data-draft]");
if (form) keep(form);

function keep(form) {
  const { draft: address, account, csrf, typed: refused, there: exists } = form.dataset;
  const key = `${START}${account} ${address}`;
  const line = form.querySelector("[data-kept]"), offer = document.querySelector("[data-offer]");
  const shown = snapshot(form), here = read(key), away = new AbortController();
  let seen = 0, timer = 0, busy = false, changed = false, held = false;

  addEventListener("pagehide", () => { if (changed) send(true); });
  document.addEventListener("visibilitychange", () => { if (document.hidden && changed) send(true); });
  addEventListener("online", () => { if (changed) send(); });
  form.addEventListener("input", typing);
  form.addEventListener("change", typing);
  form.addEventListener("submit", () => {
    clearTimeout(timer);
    away.abort();
    changed = false;
    try { sessionStorage.setItem("zhibu-sent", key); } catch { /* a private window */ }
  });
  begin();

  async function begin() {
    const there = exists === undefined ? null : await load();
    // What was typed and refused a moment ago stands in the form already: nothing is newer.
    if (refused !== undefined) { typing(); return; }
    const found = [here && { ...here, where: "本机" }, there && { ...there, where: "系统里" }].filter((each) => each && !same(each.typed, shown));
    found.sort((one, other) => other.at - one.at);
    const [newest, other] = found;
    if (!newest) return;
    if (changed) { held = true; propose(newest); return; }
    fill(form, newest.typed);
    say(`已恢复 ${clock(newest.at)} 写到的内容`, true);
    if (newest.where === "本机") { changed = true; later(); }
    propose(other && !same(other.typed, newest.typed) ? other : { typed: shown, at: 0 });
  }

  function typing() {
    changed = true;
    write(key, { typed: snapshot(form), at: Date.now() });
    later();
  }

  function later(wait = WAIT) { clearTimeout(timer); timer = setTimeout(send, wait); }

  async function load() {
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (!answer.ok) { await answer.text(); return null; }
      seen = version(answer);
      const body = await answer.json();
      return { typed: body.typed, at: Date.parse(body.saved_at) };
    } catch { return null; }
  }

  async function send(hidden) {
    if (held) return;
    if (busy) { later(); return; }
    const typed = snapshot(form), at = Date.now();
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf, "If-Match": `"${seen}"` };
    busy = true;
    changed = false;
    try {
      const answer = await fetch(address, { method: "PUT", headers, body: JSON.stringify({ typed }), keepalive: hidden === true, signal: away.signal });
      await answer.text();
      if (answer.ok) {
        seen = version(answer);
        if (!changed) drop(key);
        say(`✓ ${clock(at)} 已保存`, true);
      } else {
        changed = true;
        await unsaved(answer.status);
      }
    } catch (fault) {
      if (fault.name === "AbortError") return;
      changed = true;
      say("连接中断，内容已保存在本机，恢复后自动存到系统");
    }
    busy = false;
    if (changed && !held) later(AGAIN);
  }

  async function unsaved(status) {
    if (status === 401) { say("登录已过期，内容已保存在本机，提交时再登录即可"); return; }
    if (status !== 412) { say("内容已保存在本机，暂时没有存到系统"); return; }
    const before = seen, there = await load();
    if (!there) { seen = 0; return; }
    if (same(there.typed, snapshot(form)) || before === seen) return;
    held = true;
    say("内容已保存在本机");
    propose({ ...there, where: "另一处" });
  }

  // Shows that there is another text; neither is lost before somebody has chosen.
  function propose(other) {
    if (!offer) return;
    const words = other.at ? `${other.where}还有 ${clock(other.at)} 写的另一份内容。` : "现在显示的是还没有提交的草稿。";
    const take = button(other.at ? "换成那一份" : "不用草稿", () => {
      const mine = { typed: snapshot(form), at: Date.now(), where: "刚才" };
      fill(form, other.typed);
      held = false;
      typing();
      propose(mine);
    });
    const stay = button("用现在这一份", () => { held = false; offer.hidden = true; typing(); });
    offer.replaceChildren(words, take, ...(held ? [stay] : []));
    offer.hidden = false;
  }

  function say(words, safe = false) {
    if (!line) return;
    line.textContent = words;
    line.classList.toggle("safe", safe);
  }
}

function version(answer) { return Number((answer.headers.get("ETag") || "").replaceAll('"', "")) || 0; }

function button(words, does) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.textContent = words;
  made.addEventListener("click", does);
  return made;
}

function isText(each) {
  if (!each.name || ["BUTTON", "FIELDSET"].includes(each.tagName) || ["file", "password"].includes(each.type)) return false;
  // Hidden fields are ours, not typed; only the version that was seen belongs to the text.
  return each.name === "_version" || (each.type !== "hidden" && !each.name.startsWith("_"));
}

// The texts by name; several ticks of one name stand on lines.
function snapshot(form) {
  const typed = {};
  for (const each of form.elements) {
    if (!isText(each)) continue;
    if (each.type === "checkbox") typed[each.name] = [typed[each.name], each.checked ? each.value : ""].filter(Boolean).join("\n");
    else if (each.type !== "radio") typed[each.name] = each.value;
    else if (each.checked) typed[each.name] = each.value;
  }
  return typed;
}

function fill(form, typed) {
  for (const name of Object.keys(typed)) if (!form.elements.namedItem(name)) anotherRow(form, name);
  for (const each of form.elements) {
    if (!(each.name in typed) || !isText(each)) continue;
    if (each.type === "checkbox") each.checked = typed[each.name].split("\n").includes(each.value);
    else if (each.type === "radio") each.checked = typed[each.name] === each.value;
    else each.value = typed[each.name];
  }
}

// A draft may have more rows than the form: the last one is copied under the next number.
function anotherRow(form, name) {
  const [, list, number] = name.match(/^(.+)\.(\d+)\.[^.]+$/) || [];
  const rows = list && form.querySelector(`[data-rows="${CSS.escape(list)}"]`);
  if (!rows || !rows.lastElementChild || Number(number) > 200) return;
  while (rows.children.length <= Number(number)) {
    const last = rows.children.length - 1, copy = rows.lastElementChild.cloneNode(true);
    for (const each of copy.querySelectorAll("[name], [id], [for]")) {
      for (const [at, joint] of [["name", "."], ["id", "-"], ["for", "-"]]) {
        const was = each.getAttribute(at);
        if (was) each.setAttribute(at, was.replace(`${joint}${last}${joint}`, `${joint}${last + 1}${joint}`));
      }
      if (each.name && isText(each) && !["checkbox", "radio"].includes(each.type)) each.value = "";
    }
    rows.append(copy);
  }
}

function same(one, other) {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  names.delete("_version");
  return [...names].every((name) => (one[name] || "").trim() === (other[name] || "").trim());
}

function clock(at) {
  const then = new Date(at), two = (number) => String(number).padStart(2, "0");
  const day = then.toDateString() === new Date().toDateString() ? "" : `${then.getMonth() + 1}月${then.getDate()}日 `;
  return `${day}${two(then.getHours())}:${two(then.getMinutes())}`;
}

function read(key) { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } }
function write(key, value) { try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* no room, or a private window */ } }
function drop(key) { try { localStorage.removeItem(key); } catch { /* a private window */ } }
