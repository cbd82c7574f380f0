// The workbook: one tab at a time, or one server. It is updated while it is visible.

import { act, onAsk, asked } from './actions.js';
import { make, serverAddress } from './cells.js';
import { drawComparison } from './compare.js';
import { ago } from './formats.js';
import { addressOf, opened, picked, showFirst, showMore, turned, viewIn } from './list.js';
import { canPredict, onPrediction, predictFiles, predictWord } from './predict.js';
import { drawRun } from './run.js';
import { drawServer, since } from './server.js';
import { drawTable, morphChildren } from './table.js';

const REFRESH_MS = 2000;
const HISTORY_MS = 10_000;
const TIMEOUT_MS = 10_000;

const SERVER = serverAddress('');
const JOB = '#job/'; // as links of earlier releases name the page of a run
const COMPARE = '#compare/';

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);

/** @type {{ name: string, label: string, updated_at: string }[]} */
let tabs = [];
let shown = { name: '', updatedAt: '' };
/** The table that is shown. @type {any} */
let table = null;
/** The run that is shown. @type {{ run: string, stamp: string, page: any }} */
let lookedRun = { run: '', stamp: '', page: null };
/** The runs that are compared. @type {{ address: string, content: any }} */
let compared = { address: '', content: null };
/** The server that is shown, with its history. @type {any} */
let looked = { name: '', range: '', at: 0, server: null, history: null };
/** @type {import('./server.js').Range} */
let range = 'hour';
let answeredAt = Date.now();
let asksAgain = 0;
const player = new Audio();
const sidebar = /** @type {HTMLIFrameElement & { contentWindow: Window }} */ (document.querySelector('iframe'));

/** @param {string} path */
async function get(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => null);
  if (!response) throw new Error('The backend does not answer. Start it with "sheetrack up"; this page then continues.');
  const content = await response.json().catch(() => null);
  if (response.ok && content) return content;
  const { message = `The backend answers with status ${response.status}.`, hint = 'Reload this page.' } = content?.error ?? {};
  throw Object.assign(new Error(`${message} ${hint}`.trim()), { code: content?.error?.code });
}

/** @param {string} part of an address, which people may have typed @returns {string} empty where it is malformed */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

const namesServer = () => location.hash.startsWith(SERVER);

/** The server that the address names, if any. */
const wantedServer = () => (namesServer() && decoded(location.hash.slice(SERVER.length))) || null;

/** The run that the address names, if any. */
function wantedRun() {
  if (location.hash.startsWith(JOB)) return decoded(location.hash.slice(JOB.length)) || null;
  return /^Run ([\w-]{1,64})$/.exec(decoded(location.hash.slice(1).split('?')[0]))?.[1] ?? null;
}

const comparesRuns = () => location.hash.startsWith(COMPARE);

/** The tab that the address names; the first one where it names none, or something else. */
function wanted() {
  if (namesServer()) return tabs[0]?.name || '';
  if (comparesRuns()) return 'Results';
  const run = wantedRun();
  return run === null ? decoded(location.hash.slice(1).split('?')[0]) || tabs[0]?.name || '' : `Run ${run}`;
}

async function refresh() {
  clearTimeout(asksAgain);
  try {
    const workbook = await get('/api/tables');
    tabs = workbook.tables;
    document.title = at('title').textContent = workbook.title;
    drawTabs();
    const [server, run] = [wantedServer(), wantedRun()];
    if (run !== null) await lookAtRun(run);
    else if (comparesRuns()) await lookAtComparison();
    else await (server === null ? drawSheet() : lookAtServer(server));
    answeredAt = Date.now();
    notice('');
  } catch (error) {
    notice(`Not updated since ${new Date(answeredAt).toLocaleTimeString()}. ${/** @type {Error} */ (error).message}`);
  }
  tick();
  clearTimeout(asksAgain);
  asksAgain = setTimeout(() => document.visibilityState === 'visible' && refresh(), REFRESH_MS);
}

async function drawSheet() {
  const name = wanted();
  const tab = tabs.find((known) => known.name === name);
  if (!tab) {
    shown = { name, updatedAt: '' };
    const words = tabs.length ? `There is no tab called ${name}.` : 'Nothing here yet. The first tab appears as soon as the servers have been read.';
    morphChildren(at('sheet'), [make('p', words, 'empty')]);
  } else if (shown.name !== name || shown.updatedAt !== tab.updated_at) {
    const { table: fresh, updated_at: updatedAt } = await get(`/api/tables/${encodeURIComponent(name)}`);
    if (name !== wanted() || wantedServer() !== null || wantedRun() !== null || comparesRuns()) return;
    const isOther = shown.name !== name;
    table = fresh;
    shown = { name, updatedAt };
    if (isOther) {
      showFirst();
      at('sheet').replaceChildren();
      at('sheet').scrollTo(0, 0);
    }
    redraw();
  }
  at('sheet').setAttribute('aria-busy', 'false');
}

/** Draws the table that is shown, as the address wants it. */
function redraw() {
  const view = viewIn(location.hash);
  morphChildren(at('sheet'), drawTable(table, view));
  const search = at('search');
  if (search && document.activeElement !== search) search.value = view.q;
  for (const tick of at('sheet').querySelectorAll('input[type="checkbox"]')) tick.checked = tick.hasAttribute('checked');
}

/** Changes how lists are shown, in the address too. @param {(view: import('./list.js').View) => import('./list.js').View} change */
function change(change) {
  history.replaceState(null, '', addressOf(shown.name, change(viewIn(location.hash))));
  showFirst();
  redraw();
}

/** @param {string} name */
async function lookAtServer(name) {
  const address = location.hash;
  if (looked.name !== name || looked.range !== range || Date.now() - looked.at >= HISTORY_MS) {
    const asked = range;
    const { servers, updated_at: updatedAt } = await get('/api/servers');
    const server = servers.find((/** @type {any} */ known) => known.name === name);
    const history = server && await get(`/api/servers/${encodeURIComponent(name)}/history?since=${since(asked)}`);
    if (address !== location.hash || asked !== range) return;
    looked = { name, range, at: Date.now(), server, history };
    if (shown.name !== address) at('sheet').replaceChildren();
    shown = { name: address, updatedAt };
  }
  drawLooked();
  at('sheet').setAttribute('aria-busy', 'false');
}

/** Shows a run, whose log stays at its end where it was there. @param {string} run */
async function lookAtRun(run) {
  const address = location.hash;
  const known = lookedRun.run === run ? lookedRun.stamp : '';
  const answer = await get(`/api/runs/${encodeURIComponent(run)}/page?known=${encodeURIComponent(known)}`).catch((error) => {
    if (error.code !== 'not_found') throw error;
    return null;
  });
  if (address !== location.hash) return;
  if (!answer) {
    shown = { name: address, updatedAt: '' };
    morphChildren(at('sheet'), [make('p', `There is no run called ${run}.`, 'empty')]);
    return;
  }
  const { stamp, page } = answer;
  if (page) lookedRun = { run, stamp, page };
  if (page || shown.name !== address) drawLookedRun(address);
  at('sheet').setAttribute('aria-busy', 'false');
}

/** @param {string} address */
function drawLookedRun(address) {
  const isOther = shown.name !== address;
  const before = !isOther && at('log');
  const isAtEnd = !before || before.scrollHeight - before.scrollTop - before.clientHeight < 8;
  if (isOther) at('sheet').replaceChildren();
  morphChildren(at('sheet'), drawRun(lookedRun.page, at('sheet').clientWidth, asked()));
  if (isOther) at('sheet').scrollTo(0, 0);
  if (isAtEnd && at('log')) at('log').scrollTop = at('log').scrollHeight;
  shown = { name: address, updatedAt: new Date().toISOString() };
}

async function lookAtComparison() {
  const address = location.hash;
  if (compared.address !== address) {
    const runs = address.slice(COMPARE.length).split(',').map(decoded);
    const content = await get(`/api/comparisons?${new URLSearchParams(runs.map((run) => ['run', run]))}`);
    if (address !== location.hash) return;
    compared = { address, content };
  }
  if (shown.name !== address) at('sheet').replaceChildren();
  morphChildren(at('sheet'), drawComparison(compared.content, at('sheet').clientWidth));
  shown = { name: address, updatedAt: new Date().toISOString() };
  at('sheet').setAttribute('aria-busy', 'false');
}

function drawLooked() {
  const { name, server, history } = looked;
  const drawn = server
    ? drawServer(server, history, looked.range, at('sheet').clientWidth, Boolean(at('numbers')?.open))
    : [make('p', `There is no server called ${name}.`, 'empty')];
  morphChildren(at('sheet'), drawn);
}

function drawTabs() {
  const now = wanted();
  const place = Math.max(0, tabs.findIndex(({ name }) => name === now));
  morphChildren(at('tabs'), tabs.map(({ name, label }, index) => {
    const tab = make('button', name);
    if (label) {
      tab.append(make('span', ` ${label}`, 'soft'));
      tab.title = `${name} ${label}`;
    }
    tab.type = 'button';
    tab.id = name === now ? 'tab-now' : `tab-${index}`;
    tab.setAttribute('role', 'tab');
    tab.setAttribute('aria-controls', 'sheet');
    tab.setAttribute('aria-selected', String(name === now));
    tab.tabIndex = index === place ? 0 : -1;
    tab.dataset.name = name;
    return tab;
  }));
}

/** @param {string} tab */
function open(tab) {
  location.hash = `#${encodeURIComponent(tab)}`;
}

/** @param {string} words */
function notice(words) {
  if (at('notice').textContent !== words) at('notice').textContent = words;
}

/** Updates the times that count up. */
function tick() {
  if (shown.updatedAt) at('updated').textContent = `updated ${ago(shown.updatedAt)}`;
  for (const time of document.querySelectorAll('time')) time.textContent = ago(time.dateTime);
}

/** @param {string} view */
function show(view) {
  document.body.dataset.view = view;
  for (const button of at('views').children) button.setAttribute('aria-pressed', String(button.dataset.view === view));
}

addEventListener('resize', () => {
  if (wantedServer() !== null && wantedServer() === looked.name) drawLooked();
  else if (wantedRun() !== null && lookedRun.run === wantedRun()) drawLookedRun(location.hash);
  else if (comparesRuns() && compared.content) lookAtComparison();
});
addEventListener('hashchange', () => {
  show('workbook');
  at('sheet').setAttribute('aria-busy', 'true');
  drawTabs();
  document.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  refresh();
});
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && refresh());
addEventListener('message', ({ origin, data }) => {
  if (origin !== location.origin) return;
  if (data.tab) open(data.tab);
  if (data.server) location.hash = serverAddress(data.server);
  if (data.focus) at('sheet').focus();
});
at('views').addEventListener('click', (/** @type {any} */ { target }) => target.dataset.view && show(target.dataset.view));
at('sheet').addEventListener('click', (/** @type {any} */ { target }) => {
  if (target.dataset.range) {
    range = target.dataset.range;
    refresh();
  }
  if (target.dataset.sort) change((view) => turned(view, target.dataset.sort, target.dataset.number === 'true'));
  if (target.dataset.open) {
    opened[opened.has(target.dataset.open) ? 'delete' : 'add'](target.dataset.open);
    redraw();
  }
  if (target.id === 'pick-none') {
    picked.clear();
    redraw();
  }
  if (target.dataset.column === '') change((view) => ({ ...view, columns: [] }));
  if (target.dataset.copy) copy(target);
  if ('record' in target.dataset) predictWord(lookedRun.page);
  if (target.dataset.act) act(target.dataset.act, lookedRun.page).then(after, (error) => notice(error.message));
  if (!target.dataset.sound) return;
  player.src = target.dataset.sound;
  player.play().catch(() => notice('This clip cannot be played: its data may lie on another server.'));
});
at('sheet').addEventListener('change', (/** @type {any} */ { target }) => {
  if (target.id === 'recordings') {
    predictFiles(lookedRun.page, [...target.files]);
    target.value = ''; // so that the same file can be chosen again
  }
  if (target.dataset.pick) {
    picked[target.checked ? 'add' : 'delete'](target.dataset.pick);
    redraw();
  }
  if (target.dataset.column) {
    const ticks = [...at('columns').querySelectorAll('input')];
    change((view) => ({ ...view, columns: ticks.filter(({ checked }) => checked).map(({ dataset }) => dataset.column) }));
  }
});
for (const kind of ['dragover', 'drop']) {
  at('sheet').addEventListener(kind, (/** @type {any} */ event) => {
    if (wantedRun() !== lookedRun.run || !canPredict(lookedRun.page)) return;
    event.preventDefault(); // else the browser opens the file
    if (kind === 'drop') predictFiles(lookedRun.page, [...event.dataTransfer.files]);
  });
}
at('sheet').addEventListener('input', (/** @type {any} */ { target }) => {
  if (target.id === 'search') change((view) => ({ ...view, q: target.value }));
});
at('sheet').addEventListener('submit', (/** @type {any} */ event) => {
  event.preventDefault();
  act('note', lookedRun.page, event.target).then(after, (error) => notice(error.message));
});
// Scrolling does not bubble; of a long list more rows are drawn when its end comes near.
at('sheet').addEventListener('scroll', (/** @type {Event} */ { target }) => {
  const { scrollTop, clientHeight, scrollHeight } = /** @type {any} */ (target);
  const rows = at('sheet').querySelectorAll('tbody tr').length;
  if (!table || shown.name !== table.name || scrollHeight - scrollTop - clientHeight > 600) return;
  if (table.sections.some((/** @type {any} */ { is_list: isList, rows: all }) => isList && all.length > rows)) {
    showMore();
    redraw();
  }
}, { capture: true, passive: true });
at('skip').addEventListener('click', (/** @type {Event} */ event) => {
  event.preventDefault();
  show('sidebar');
  sidebar.focus();
  sidebar.contentWindow.postMessage({ form: true }, location.origin);
});

/** Who asks, entered once in this browser. */
function showPerson() {
  const name = localStorage.getItem('sheetrack-person');
  at('person').textContent = name ? `You are ${name}` : 'Who are you?';
}

/** Turns the button into a field, and what is typed there back. */
function askPerson() {
  const field = make('input');
  field.id = 'person-name';
  field.maxLength = 40;
  field.value = localStorage.getItem('sheetrack-person') ?? '';
  field.setAttribute('aria-label', 'Your name');
  field.placeholder = 'Your name';
  const end = (/** @type {boolean} */ takes) => {
    if (takes) localStorage.setItem('sheetrack-person', field.value.trim());
    field.replaceWith(at('person') ?? button);
    showPerson();
  };
  const button = at('person');
  field.addEventListener('blur', () => field.isConnected && end(true));
  field.addEventListener('keydown', (/** @type {KeyboardEvent} */ { key }) => {
    if (key === 'Enter' || key === 'Escape') {
      if (key === 'Escape') field.value = localStorage.getItem('sheetrack-person') ?? '';
      field.blur();
    }
  });
  button.replaceWith(field);
  field.focus();
}
at('person').addEventListener('click', askPerson);
showPerson();

/** @param {any} button */
async function copy(button) {
  const words = button.textContent;
  await navigator.clipboard.writeText(button.dataset.copy).then(() => { button.textContent = 'Copied'; }, () => notice(`Copy it by hand: ${button.dataset.copy}`));
  setTimeout(() => { button.textContent = words; }, 1500);
}

/** After an action: the run as it is now, and what happened in words. @param {string | object} done */
function after(done) {
  if (done instanceof Object) {
    show('sidebar');
    sidebar.contentWindow.postMessage({ again: done }, location.origin);
    return;
  }
  lookedRun.stamp = '';
  refresh();
}
const redrawRun = () => wantedRun() !== null && wantedRun() === lookedRun.run && lookedRun.page && drawLookedRun(location.hash);
onAsk(redrawRun);
onPrediction(redrawRun);

at('tabs').addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
  const all = [...at('tabs').children];
  const here = all.indexOf(document.activeElement);
  const places = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1 };
  const next = /** @type {Record<string, number>} */ (places)[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const tab = all[(next + all.length) % all.length];
  tab.focus();
  location.replace(`#${encodeURIComponent(tab.dataset.name)}`); // arrows would fill the history
});
at('tabs').addEventListener('click', (/** @type {any} */ { target }) => {
  const tab = target.closest('[data-name]'); // the short title in it may have been hit
  if (tab) open(tab.dataset.name);
});
setInterval(tick, 1000);
refresh();
