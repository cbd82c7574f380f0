// The page of one run: how far it is and why it waits, its learning curve, its log, what came out, what people note.

import { copyButton, link, make } from './cells.js';
import { drawCurves } from './curves.js';
import { roughly } from './formats.js';
import { drawPredictions } from './predict.js';
import { drawTable } from './table.js';

/** @typedef {any} Page as in /api/runs/{run}/page */

const ACTIVE = ['queued', 'starting', 'running', 'cancelling', 'lost'];
/** @type {Record<string, string>} */
const TONES = { running: 'busy', cancelling: 'busy', done: 'good', failed: 'bad', timed_out: 'bad', lost: 'overloaded' };
const WIDE = 700; // pixels; two charts side by side

/** @param {string} state */
export const isActive = (state) => ACTIVE.includes(state);

/**
 * @param {Page} page @param {number} width of the sheet in pixels @param {string} asked the action that waits for a second click
 * @returns {HTMLElement[]}
 */
export function drawRun(page, width, asked) {
  if (page.is_deleted) return [drawDeleted(page.run)];
  const curves = page.history.length ? [drawHistory(page, width)] : [];
  const sections = (page.table?.sections ?? []).filter((/** @type {any} */ { title }) => !(curves.length && title === 'Learning curve'));
  const tables = sections.length ? drawTable({ name: `Run ${page.run}`, sections }) : [];
  for (const section of tables) section.classList.remove('alone');
  const log = drawLog(page);
  return [drawHead(page, asked), ...curves, ...drawPredictions(page), ...(page.table ? [...tables, drawFiles(page), log] : [log, drawFiles(page)])];
}

/** @param {string} run */
function drawDeleted(run) {
  const section = make('section', '', 'head');
  const actions = make('p', '', 'actions');
  actions.append(button('Take it back', 'restore'));
  section.append(make('h2', `Run ${run}`), make('p', 'This run is in the bin.'), actions);
  return section;
}

/** @param {Page} page @param {string} asked */
function drawHead(page, asked) {
  const { run, title, state, mark, job, progress } = page;
  const section = make('section', '', 'head');
  const name = mark.name || page.recipe?.name;
  const says = make('p');
  const place = job?.place_in_queue ? `${job.place_in_queue} in the queue` : '';
  says.append(make('span', state.replace('_', ' '), `tone ${TONES[state] ?? 'soft'}`), ' ', make('span', [place, job?.reason].filter(Boolean).join(' · '), 'soft'));
  section.append(make('h2', `${mark.is_starred ? '★ ' : ''}${run} · ${title}`));
  if (name) section.append(make('p', name));
  section.append(says);
  const facts = job ? factsOf(job) : [];
  if (facts.length) section.append(make('p', facts.join(' · '), 'soft'));
  if (isActive(state) && state !== 'queued') section.append(...drawProgress(progress));
  if (mark.note) section.append(make('p', mark.note, 'noted'));
  section.append(drawActions(page, asked), drawNotes(page));
  return section;
}

/** @param {any} job @returns {string[]} */
function factsOf({ where, assigned, requested_by: by, command, put_first: first, override }) {
  return [
    where,
    ...(assigned ?? []).map((/** @type {any} */ { index, name, uuid }) => `GPU ${index}${name ? ` (${name})` : ''} ${uuid}`),
    by,
    first && `put first by ${first.by} at ${new Date(first.at).toLocaleString()}`,
    override && `reservations overridden by ${override.by} at ${new Date(override.at).toLocaleString()}`,
    command && `in ${command.folder}`,
    command?.environment && `environment ${command.environment}`,
  ].filter(Boolean);
}

/** @param {any} progress */
function drawProgress({ phase, epoch, epochs, fraction, loss, validation_accuracy: accuracy, seconds_left: left }) {
  const bar = make('progress');
  bar.setAttribute('aria-label', 'Progress');
  bar.max = 1;
  if (fraction !== null) bar.setAttribute('value', String(fraction));
  const words = [
    epoch ? (epochs ? `epoch ${epoch} of ${epochs}` : `epoch ${epoch}`) : phase,
    left !== null && `${roughly(left)} left`,
    loss !== null && `loss ${loss.toFixed(4)}`,
    accuracy !== null && `validation ${(100 * accuracy).toFixed(2)} %`,
  ];
  return [bar, make('p', words.filter(Boolean).join(' · '))];
}

/** @param {Page} page @param {string} asked */
function drawActions({ run, state, mark, recipe, job, command, table, files }, asked) {
  const box = make('p', '', 'actions');
  const isOver = !isActive(state);
  if (job && !isOver && state !== 'cancelling') box.append(button(asked === 'cancel' ? 'Yes, cancel it' : 'Cancel', 'cancel', 'bad'));
  if (recipe || job?.command) box.append(button('Again', 'again'));
  if (command) box.append(copyButton(command, 'Copy command'));
  const isTrained = files.some((/** @type {any} */ { name }) => name === 'checkpoint.pt');
  if (recipe && state === 'done' && isTrained) box.append(button('Explain', 'explain'), copyButton(`sheetrack explain all ${run}`, 'Copy explain command'));
  box.append(button(mark.is_starred ? 'Take the star away' : 'Star', 'star'));
  if (table) box.append(button(mark.is_archived ? 'Out of the archive' : 'Archive', 'archive'));
  if (isOver) box.append(button('Delete', 'delete', 'bad'));
  return box;
}

/** @param {Page} page */
function drawNotes({ run, mark }) {
  const box = make('details', '', 'notes');
  box.id = 'notes';
  box.open = Boolean(/** @type {any} */ (document.getElementById('notes'))?.open);
  const form = make('form');
  form.dataset.notes = run;
  const name = make('input');
  name.name = 'name';
  name.maxLength = 100;
  name.setAttribute('value', mark.name);
  const note = make('textarea', mark.note);
  note.name = 'note';
  note.maxLength = 2000;
  note.rows = 3;
  const [named, noted] = [make('label', 'Name'), make('label', 'Note')];
  named.append(name);
  noted.append(note);
  const save = make('button', 'Save');
  save.type = 'submit';
  form.append(named, noted, save);
  box.append(make('summary', 'Name and note'), form);
  return box;
}

/** @param {string} words @param {string} act @param {string} [className] */
function button(words, act, className = '') {
  const element = make('button', words, className);
  element.type = 'button';
  element.dataset.act = act;
  return element;
}

/** @param {Page} page @param {number} width */
function drawHistory({ history }, width) {
  const section = make('section');
  const charts = make('div', '', 'charts');
  const each = width >= WIDE ? Math.floor((width - 48) / 2) : width - 24;
  charts.append(
    drawCurves('Accuracy', [curve('training', history, 'train_accuracy', 1), curve('validation', history, 'validation_accuracy', 0)], each, true),
    drawCurves('Loss', [curve('training', history, 'loss', 1), curve('validation', history, 'validation_loss', 0)], each, false),
  );
  section.append(make('h2', 'Learning curve'), charts);
  return section;
}

/** @param {string} name @param {any[]} history @param {string} field @param {number} colour @param {boolean} [isDashed] @returns {import('./curves.js').Curve} */
export function curve(name, history, field, colour, isDashed = false) {
  return { name, colour, isDashed, points: history.flatMap((line) => (line[field] === null ? [] : [[line.epoch, line[field]]])) };
}

/** @param {Page} page */
function drawLog({ run, job, log, log_note: note }) {
  const section = make('section');
  section.append(make('h2', 'Log'));
  const line = make('p', note || (log.length ? `The last ${log.length} lines.` : ''), 'soft note');
  if (job && job.state !== 'queued') {
    const whole = link('Whole log', `/api/jobs/${encodeURIComponent(run)}/log.txt`);
    whole.download = `${run}.log`;
    line.append(' ', whole);
  }
  const words = make('pre', log.join('\n') || (job ? 'Nothing yet.' : 'It was started by hand: what it writes stands in its terminal.'), 'log');
  words.id = 'log';
  words.tabIndex = 0; // what scrolls must be reachable without a mouse
  words.setAttribute('role', 'region');
  words.setAttribute('aria-label', `Log of ${run}`);
  section.append(line, words);
  return section;
}

/** @param {Page} page */
function drawFiles({ run, files }) {
  const section = make('section');
  if (!files.length) return section;
  const list = make('p', '', 'files');
  for (const { name, size_bytes: size } of files) {
    const file = link(name, `/api/runs/${encodeURIComponent(run)}/files/${encodeURIComponent(name)}`);
    file.download = `${run}-${name}`;
    list.append(file, make('span', ` ${sizeOf(size)}  `, 'soft'));
  }
  section.append(make('h2', 'Files'), list);
  return section;
}

/** @param {number} bytes */
const sizeOf = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);


