// The workbook: one tab at a time, or one server. It is updated while it is visible.

import { jobAddress, make, serverAddress } from './cells.js';
import { ago } from './formats.js';
import { drawJob } from './job.js';
import { drawServer, since } from './server.js';
import { drawTable, morphChildren } from './table.js';

const REFRESH_MS = 2000;
const HISTORY_MS = 10_000;
const TIMEOUT_MS = 10_000;

const SERVER = serverAddress('');
const JOB = jobAddress('');

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);

/** @type {{ name: string, updated_at: string }[]} */
let tabs = [];
let shown = { name: '', updatedAt: '' };
/** The server that is shown, with its history. @type {any} */
let looked = { name: '', range: '', at: 0, server: null, history: null };
/** @type {import('./server.js').Range} */
let range = 'hour';
let answeredAt = Date.now();
let asksAgain = 0;
const player = new Audio();

/** @param {string} path */
async function get(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => null);
  if (!response) throw new Error('The backend does not answer. Start it with "sheetrack up"; this page then continues.');
  const content = await response.json().catch(() => null);
  if (response.ok && content) return content;
  const { message = `The backend answers with status ${response.status}.`, hint = 'Reload this page.' } = content?.error ?? {};
  throw new Error(`${message} ${hint}`.trim());
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

/** The job that the address names, if any. */
const wantedJob = () => (location.hash.startsWith(JOB) && decoded(location.hash.slice(JOB.length))) || null;

/** The tab that the address names; the first one where it names none, or a server or a job. */
const wanted = () => (!namesServer() && !location.hash.startsWith(JOB) && decoded(location.hash.slice(1))) || tabs[0]?.name || '';

async function refresh() {
  clearTimeout(asksAgain);
  try {
    const workbook = await get('/api/tables');
    tabs = workbook.tables;
    document.title = at('title').textContent = workbook.title;
    drawTabs();
    const [server, job] = [wantedServer(), wantedJob()];
    if (job !== null) await lookAtJob(job);
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
    const { table, updated_at: updatedAt } = await get(`/api/tables/${encodeURIComponent(name)}`);
    if (name !== wanted() || wantedServer() !== null || wantedJob() !== null) return;
    if (shown.name === name) {
      morphChildren(at('sheet'), drawTable(table));
    } else {
      at('sheet').replaceChildren(...drawTable(table));
      at('sheet').scrollTo(0, 0);
    }
    shown = { name, updatedAt };
  }
  at('sheet').setAttribute('aria-busy', 'false');
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

/** Shows a job with its log, which stays at its end where it was there. @param {string} id */
async function lookAtJob(id) {
  const address = location.hash;
  const path = `/api/jobs/${encodeURIComponent(id)}`;
  const [job, log] = await Promise.all([get(path), get(`${path}/log`)]);
  if (address !== location.hash) return;
  const before = shown.name === address && at('log');
  const isAtEnd = !before || before.scrollHeight - before.scrollTop - before.clientHeight < 8;
  if (!before) at('sheet').replaceChildren();
  morphChildren(at('sheet'), drawJob(job, log));
  if (isAtEnd) at('log').scrollTop = at('log').scrollHeight;
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
  morphChildren(at('tabs'), tabs.map(({ name }, index) => {
    const tab = make('button', name);
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

addEventListener('resize', () => wantedServer() === looked.name && drawLooked());
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
  if (!target.dataset.sound) return;
  player.src = target.dataset.sound;
  player.play().catch(() => notice('This clip cannot be played: its data may lie on another server.'));
});
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
at('tabs').addEventListener('click', (/** @type {any} */ { target }) => target.dataset.name && open(target.dataset.name));
setInterval(tick, 1000);
refresh();
