// The wall while it is open: asks every three seconds, and changes only the rows that changed.
// Without it the page is the same, and is loaded anew by hand (office/rows.py makes the same rows).

const EVERY = 3000, MINUTE = 60000, DAY = 86400000, SCHOOL = 8 * 3600000; // Asia/Shanghai has one offset.
const wall = document.getElementById('wall');
const table = wall.querySelector('table.wall');
const say = document.querySelector('[data-say]');
const clock = document.querySelector('[data-clock]');
const api = `/api/v1/cycles/${wall.dataset.year}`;
const words = JSON.parse(wall.dataset.words);
const stages = Object.keys(words);
const ended = wall.dataset.ended.split(' ');
let cursor = wall.dataset.cursor, tag = '', last = new Date(), numbersSaid = 0, timer = 0, asking = false;

// ── days and moments ─────────────────────────────────────────────────────────────────────────

const local = (moment) => new Date(moment.getTime() + SCHOOL).toISOString();
const two = (number) => String(number).padStart(2, '0');
const dayOf = (moment) => local(moment).slice(0, 10);
const daysTo = (day, from) => Math.round((Date.parse(day) - Date.parse(from)) / DAY);

function day(written) {
  const [year, month, date] = written.split('-').map(Number);
  const short = `${month}月${date}日`;
  return year === Number(dayOf(last).slice(0, 4)) ? short : `${year}年${short}`;
}

function recent(moment) {
  const ago = daysTo(dayOf(last), dayOf(moment)), at = local(moment).slice(11, 16);
  return ago === 0 ? `今天 ${at}` : ago === 1 ? `昨天 ${at}` : day(dayOf(moment));
}

function left(days) {
  if (days === 0) return ['soon', '今天到期'];
  return days < 0 ? ['late', `逾期 ${-days} 天`] : ['', `还有 ${days} 天`];
}

// ── rows ─────────────────────────────────────────────────────────────────────────────────────

const all = table ? [...table.querySelectorAll('tr[data-branch]')] : [];
const byCode = new Map(all.map((row) => [row.dataset.branch, row]));
const missingOf = (row) => (row.nextElementSibling?.classList.contains('missing') ? row.nextElementSibling : null);
const text = (element, value) => { if (element && element.textContent !== value) element.textContent = value; };

function make(name, className, value) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = value;
  return made;
}

function chip(branch) {
  const stage = words[branch.stage];
  if (branch.ended) return ['idle', '— 不再参加'];
  if (ended.includes(branch.stage)) return ['done-chip', `✓ ${stage}`];
  if (branch.overdue) return ['late', `▲ ${stage}`];
  return branch.round > 1 ? ['back', `↩ ${stage}`] : ['', `● ${stage}`];
}

function fill(row, branch) {
  const working = !branch.ended && !ended.includes(branch.stage);
  const due = working ? branch.due_on : null, days = due ? daysTo(due, dayOf(last)) : null;
  const [, secretary, stage, until, missing, moved] = row.cells;
  const [className, said] = chip(branch), link = row.cells[0].querySelector('a');
  const flags = { overdue: days !== null && days < 0, due_soon: days !== null && days >= 0 && days <= 7, returned: working && branch.round > 1 };
  Object.assign(row.dataset, { stage: branch.stage, version: branch.version, due: due || '', moved: branch.entered_at });
  row.dataset.flags = Object.keys(flags).filter((name) => flags[name]).join(' ');
  text(link, branch.branch.name);
  text(secretary, branch.secretary ? branch.secretary.name : '未任命');
  stage.firstElementChild.className = `chip ${className}`;
  text(stage.firstElementChild, said);
  until.replaceChildren(due ? `${day(due)} ` : '—', ...(due ? [make('span', `left ${left(days)[0]}`, left(days)[1])] : []));
  if (!working) {
    missingOf(row)?.remove();
    missing.replaceChildren('—');
  } else {
    const opener = missing.querySelector('a') || missing.replaceChildren(make('a', '', '看缺项')) || missing.querySelector('a');
    opener.dataset.missing = '';
    opener.href = `${link.pathname}/stages/${branch.stage}`;
  }
  text(moved, recent(new Date(branch.entered_at)));
  return said;
}

function tell(changed) {
  for (const [row] of changed) row.classList.remove('changed');
  void table.offsetWidth; // the ground fades from the start when a row changes again
  for (const [row] of changed) row.classList.add('changed');
  if (changed.length > 3) say.textContent = `${changed.length} 个支部有变动`;
  else if (changed.length) say.textContent = changed.map(([row, said]) => `${row.cells[0].querySelector('a').textContent}：${said}`).join('；');
}

// ── filters and order ────────────────────────────────────────────────────────────────────────

const FLAGS = ['overdue', 'due_soon', 'returned'];
const wanted = new URLSearchParams(location.search);
const opened = new Set();

function fits(row) {
  const q = (wanted.get('q') || '').trim().toLowerCase(), flags = row.dataset.flags.split(' ');
  return FLAGS.every((name) => wanted.get(name) !== 'true' || flags.includes(name))
    && (!wanted.get('stage') || wanted.get('stage') === row.dataset.stage)
    && (!wanted.get('unit') || wanted.get('unit') === row.dataset.unit)
    && (!q || [row.cells[0].querySelector('a').textContent, row.dataset.branch, row.dataset.unit, row.cells[1].textContent].some((each) => each.toLowerCase().includes(q)));
}

function filter() {
  const narrow = [...FLAGS, 'stage', 'unit', 'q'].some((name) => wanted.get(name)), flat = Boolean(wanted.get('sort'));
  let shown = 0;
  for (const row of all) {
    row.hidden = !fits(row);
    shown += !row.hidden;
    const missing = missingOf(row);
    if (missing) missing.hidden = row.hidden;
  }
  for (const body of table.querySelectorAll('[data-unit-of]')) {
    const name = body.dataset.unitOf;
    body.rows[0].hidden = flat || !body.querySelector('tr[data-branch]:not([hidden])');
    if (wall.dataset.folds) body.classList.toggle('folded', !narrow && !opened.has(name));
  }
  wall.querySelector('[data-none]').hidden = shown > 0;
  for (const each of wall.querySelectorAll('[data-filter]')) mark(each, each.dataset.filter ? wanted.get(each.dataset.filter) === 'true' : !narrow);
  for (const each of wall.querySelectorAll('[data-stage-of]')) mark(each, wanted.get('stage') === each.dataset.stageOf);
}

const mark = (element, on) => (on ? element.setAttribute('aria-current', 'true') : element.removeAttribute('aria-current'));

const KEYS = {
  name: (row) => row.cells[0].querySelector('a').textContent,
  secretary: (row) => row.cells[1].textContent,
  stage: (row) => stages.indexOf(row.dataset.stage),
  due: (row) => row.dataset.due || '9999',
  moved: (row) => Date.parse(row.dataset.moved),
};

function sort() {
  const wish = wanted.get('sort') || '', name = wish.replace('-', ''), sign = wish.startsWith('-') ? -1 : 1;
  const key = KEYS[name] || ((row) => row.dataset.branch);
  const keyed = all.map((row) => [key(row), row, missingOf(row)]);
  keyed.sort((a, b) => sign * (typeof a[0] === 'number' ? a[0] - b[0] : a[0].localeCompare(b[0], 'zh-CN')));
  const bodies = new Map([...table.querySelectorAll('[data-unit-of]')].map((body) => [body.dataset.unitOf, body]));
  const flat = table.querySelector('[data-flat]');
  for (const [, row, missing] of keyed) (name ? flat : bodies.get(row.dataset.unit) || flat).append(row, ...(missing ? [missing] : []));
  table.classList.toggle('flat', Boolean(name));
  for (const each of table.querySelectorAll('[data-sort]')) {
    each.parentElement.setAttribute('aria-sort', each.dataset.sort !== name ? 'none' : sign > 0 ? 'ascending' : 'descending');
  }
}

function wish(change) {
  change(wanted);
  for (const [name, value] of [...wanted]) if (!value) wanted.delete(name);
  const query = wanted.toString();
  history.replaceState(null, '', location.pathname + (query ? `?${query}` : ''));
  if (table) filter();
}

const alone = (name, value) => wish((to) => { for (const each of [...FLAGS, 'stage', 'unit', 'q']) to.delete(each); if (name) to.set(name, value); });

wall.addEventListener('click', (event) => {
  const link = event.target.closest('a');
  if (!table || !link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const to = link.dataset, figure = link.dataset.figure;
  if ('filter' in to) alone(to.filter, 'true');
  else if (figure === 'overdue' || figure === 'due_soon') alone(figure, 'true');
  else if ('stageOf' in to) alone('stage', wanted.get('stage') === to.stageOf ? '' : to.stageOf);
  else if ('sort' in to) { wish((query) => query.set('sort', query.get('sort') === to.sort ? `-${to.sort}` : to.sort)); sort(); filter(); }
  else if ('missing' in to) open(link);
  else if ('unitLink' in to && wall.dataset.folds) {
    const name = link.closest('tbody').dataset.unitOf;
    if (!opened.delete(name)) opened.add(name);
    filter();
    link.setAttribute('aria-expanded', String(opened.has(name)));
  } else return;
  event.preventDefault();
  link.focus({ preventScroll: true });
});

const box = wall.querySelector('input[type=search]');
if (box && table) {
  // Nothing is filtered while a word is being composed.
  const take = (event) => { if (!event.isComposing) { const value = box.value.trim(); wish((to) => to.set('q', value)); } };
  box.addEventListener('input', take);
  box.addEventListener('compositionend', () => take({ isComposing: false }));
  box.form.addEventListener('submit', (event) => event.preventDefault());
}

// ── what is missing: asked when it is opened ─────────────────────────────────────────────────

async function open(link) {
  const row = link.closest('tr'), there = missingOf(row);
  link.setAttribute('aria-expanded', String(!there));
  if (there) { there.remove(); return; }
  const line = make('tr', 'missing', ''), cell = line.insertCell();
  cell.colSpan = row.cells.length;
  cell.textContent = '正在查看…';
  row.after(line);
  try {
    const answer = await fetch(`${api}/branches/${encodeURIComponent(row.dataset.branch)}/next`, { headers: { Accept: 'application/json' } });
    if (!answer.ok) throw new Error(String(answer.status));
    const ahead = (await answer.json()).items.find((item) => item.trigger === 'advance' || item.trigger === 'file');
    const unmet = ahead ? ahead.unmet : [], list = make('ul', '', '');
    list.append(...unmet.map((each) => make('li', '', each.message)));
    cell.replaceChildren(make('p', 'second', `${local(new Date(answer.headers.get('Date') || Date.now())).slice(11, 19)} 查看${unmet.length ? `，还差 ${unmet.length} 项` : '：要求都满足了，等支部进入下一环节'}`), ...(unmet.length ? [list] : []));
    const whole = make('a', '', '看本环节全部要求');
    whole.href = link.href;
    cell.append(whole);
  } catch (_failed) {
    const whole = make('a', '', '没有取到，打开支部的要求页');
    whole.href = link.href;
    cell.replaceChildren(whole);
  }
}

// ── the poll ─────────────────────────────────────────────────────────────────────────────────

function figures(seen) {
  const filed = ended.reduce((sum, stage) => sum + seen.by_stage[stage], 0);
  const numbers = { filed, branches: seen.branches, accepted: seen.by_stage.accepted, overdue: seen.overdue, due_soon: seen.due_soon, returned: seen.returned };
  for (const stage of stages) numbers[`stage-${stage}`] = seen.by_stage[stage];
  for (const [name, number] of Object.entries(numbers)) for (const each of wall.querySelectorAll(`[data-n="${name}"]`)) text(each, String(number));
  wall.querySelector('[data-figure=overdue]').classList.toggle('is-late', seen.overdue > 0);
  for (const each of wall.querySelectorAll('[data-meter]')) { each.max = seen.branches || 1; each.value = seen.by_stage[each.dataset.meter]; }
  return `已报送 ${filed}/${seen.branches}，逾期 ${seen.overdue}`;
}

function units() {
  const counts = new Map();
  for (const { dataset } of all) {
    const [filed, late] = counts.get(dataset.unit) || [0, 0];
    counts.set(dataset.unit, [filed + ended.includes(dataset.stage), late + dataset.flags.includes('overdue')]);
  }
  for (const body of table.querySelectorAll('[data-unit-of]')) {
    const [filed, late] = counts.get(body.dataset.unitOf) || [0, 0];
    text(body.querySelector('[data-unit-n=filed]'), String(filed));
    text(body.querySelector('[data-unit-n=overdue]'), late ? `，${late} 个逾期` : '');
  }
}

async function ask(address, headers = {}) {
  // Named here, lest the browser asks for a fresh count by itself.
  const answer = await fetch(address, { headers: { 'Cache-Control': 'max-age=0', Accept: 'application/json', ...headers }, signal: AbortSignal.timeout?.(10000) });
  if (answer.status === 401) { location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`); }
  if (!answer.ok && answer.status !== 304) throw new Error(String(answer.status));
  last = new Date(answer.headers.get('Date') || Date.now());
  return answer;
}

async function changes() {
  const changed = [];
  for (let more = true; more;) {
    const page = await (await ask(`${api}/branches?limit=200&changed_since=${encodeURIComponent(cursor)}`)).json();
    for (const branch of page.items) {
      const row = byCode.get(branch.branch.code);
      if (!row) { location.reload(); return; }
      const before = row.textContent, said = fill(row, branch);
      if (row.textContent !== before) changed.push([row, said]);
    }
    more = page.items.length === 200 && page.next !== cursor;
    cursor = page.next;
  }
  if (changed.length) { units(); filter(); tell(changed); }
}

async function poll() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const answer = await ask(`${api}/progress`, tag ? { 'If-None-Match': tag } : {});
    if (answer.status !== 304) {
      const seen = await answer.json(), numbers = figures(seen);
      if (table) await changes();
      tag = answer.headers.get('ETag') || '';
      if (Date.now() - numbersSaid > MINUTE && numbersSaid) say.textContent = `${say.textContent} ${numbers}`.trim();
      if (!numbersSaid || Date.now() - numbersSaid > MINUTE) numbersSaid = Date.now();
    }
    clock.classList.remove('lost');
    text(clock, `截至 ${local(last).slice(11, 19)}`);
  } catch (_lost) {
    clock.classList.add('lost');
    text(clock, `连接中断，正在重连（最后更新 ${local(last).slice(11, 16)}）`);
  } finally {
    asking = false;
  }
}

async function eachMinute() {
  if (document.hidden) return;
  try {
    const waiting = await (await fetch('/api/v1/me/todos?limit=200', { headers: { Accept: 'application/json' } })).json();
    text(wall.querySelector('[data-n=inbox]'), `${waiting.items.length}${waiting.next ? '+' : ''}`);
    const page = new DOMParser().parseFromString(await (await fetch(`${location.pathname}?view=wall`)).text(), 'text/html');
    for (const part of wall.querySelectorAll('[data-part]')) {
      const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
      if (fresh && !part.contains(document.activeElement) && !part.querySelector('details[open]') && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
    }
  } catch (_lost) {
    return; // the poll says so, and the next minute asks again
  }
}

function start() {
  clearInterval(timer);
  if (!document.hidden) { poll(); timer = setInterval(poll, EVERY); }
}

document.addEventListener('visibilitychange', start);
window.addEventListener('online', poll);
setInterval(eachMinute, MINUTE);
start();
