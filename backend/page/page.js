// The workbook: one tab at a time, or one server. It is updated while it is visible.

import { act, onAsk, asked } from './actions.js';
import { get } from './backend.js';
import { make, serverAddress } from './cells.js';
import { drawComparison } from './compare.js';
import { ago } from './formats.js';
import { addressOf, opened, picked, showFirst, showMore, turned, viewIn } from './list.js';
import './person.js';
import { comparedRuns, comparesRuns, wantedRun, wantedServer, wantedTab } from './place.js';
import { canPredict, onPrediction, predictFiles, predictWord } from './predict.js';
import { drawRun } from './run.js';
import { drawServer, since } from './server.js';
import { drawTable, morphChildren } from './table.js';
import { drawTabs, open } from './tabs.js';

const REFRESH_MS = 2000;
const HISTORY_MS = 10_000;

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);

/** @type {import('./tabs.js').Tab[]} */
let tabs = [];
let shown = { name: '', updatedAt: '' };
/** The table that is shown. @type {any} */
let table = null;
/** The answer with a tab that was asked for ahead. @type {{ name: string, answer: Promise<any> | null }} */
let ahead = { name: '', answer: null };
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

async function refresh() {
  clearTimeout(asksAgain);
  try {
    if (!tabs.length) askAhead();
    const workbook = await get('/api/tables');
    tabs = workbook.tables;
    document.title = at('title').textContent = workbook.title;
    drawTabs(tabs, wantedTab(tabs));
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
  if (!sidebar.src) sidebar.src = '/sidebar'; // what the address names comes first
  clearTimeout(asksAgain);
  asksAgain = setTimeout(() => document.visibilityState === 'visible' && refresh(), REFRESH_MS);
}

/** Asks for the tab that the address names while the list of tabs is on its way. */
function askAhead() {
  const name = wantedTab(tabs);
  if (!name || wantedRun() !== null || comparesRuns()) return;
  ahead = { name, answer: get(tableAddress(name)).catch(() => null) };
}

/** @param {string} name */
const tableAddress = (name) => `/api/tables/${encodeURIComponent(name)}`;

async function drawSheet() {
  const name = wantedTab(tabs);
  const tab = tabs.find((known) => known.name === name);
  if (!tab) {
    shown = { name, updatedAt: '' };
    const words = tabs.length ? `There is no tab called ${name}.` : 'Nothing here yet. The first tab appears as soon as the servers have been read.';
    morphChildren(at('sheet'), [make('p', words, 'empty')]);
  } else if (shown.name !== name || shown.updatedAt !== tab.updated_at) {
    const early = ahead.name === name ? await ahead.answer : null;
    ahead = { name: '', answer: null };
    const { table: fresh, updated_at: updatedAt } = early ?? await get(tableAddress(name));
    if (name !== wantedTab(tabs) || wantedServer() !== null || wantedRun() !== null || comparesRuns()) return;
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
    const content = await get(`/api/comparisons?${new URLSearchParams(comparedRuns().map((run) => ['run', run]))}`);
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
  drawTabs(tabs, wantedTab(tabs));
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

setInterval(tick, 1000);
refresh();
