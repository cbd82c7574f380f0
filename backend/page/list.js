// A long list: sorted, searched, with the columns that people choose. The address remembers all of that.

import { make, numberIn, wordsOf } from './cells.js';

/**
 * @typedef {import('./cells.js').Cell} Cell
 * @typedef {import('./table.js').Section} Section
 * @typedef {{ q: string, sort: string, isDown: boolean, columns: string[] }} View `columns` is empty where none are chosen
 * @typedef {{ key: string, isDetail: boolean, details: number, isOpen: boolean, run: string }} Line
 * @typedef {Section & { lines: Line[], view: View, same: string, found: number, all: number }} Arranged
 */

/** Rows that are drawn at first: more than a screen has room for. */
const SHOWN_AT_FIRST = Math.max(80, Math.ceil(screen.height / 16));
const SHOWN_MORE = 200;

/** The rows whose details are shown, and the runs that are chosen to be compared; as long as the page is open. */
export const opened = new Set();
/** @type {Set<string>} */
export const picked = new Set();
let most = SHOWN_AT_FIRST;

export const showMore = () => { most += SHOWN_MORE; };
export const showFirst = () => { most = SHOWN_AT_FIRST; };

/** @param {string} hash @returns {View} */
export function viewIn(hash) {
  const at = hash.indexOf('?');
  const params = new URLSearchParams(at < 0 ? '' : hash.slice(at + 1));
  const sort = params.get('sort') ?? '';
  return { q: params.get('q') ?? '', sort: sort.replace(/^-/, ''), isDown: sort.startsWith('-'), columns: params.getAll('column') };
}

/** @param {string} tab @param {View} view */
export function addressOf(tab, { q, sort, isDown, columns }) {
  const params = new URLSearchParams();
  if (q) params.set('q', q);
  if (sort) params.set('sort', `${isDown ? '-' : ''}${sort}`);
  for (const column of columns) params.append('column', column);
  const text = params.toString();
  return `#${encodeURIComponent(tab)}${text && `?${text}`}`;
}

/** The next order of a column: numbers from high to low first, words from A to Z; then the other way; then none.
 * @param {View} view @param {string} title @param {boolean} isNumber @returns {View} */
export function turned(view, title, isNumber) {
  if (view.sort !== title) return { ...view, sort: title, isDown: isNumber };
  return view.isDown === isNumber ? { ...view, isDown: !isNumber } : { ...view, sort: '', isDown: false };
}

/** @type {WeakMap<Cell[], string>} */
const texts = new WeakMap();

/** @param {Cell[]} row @param {Section} section */
function textOf(row, section) {
  let text = texts.get(row);
  if (text === undefined) {
    text = row.map((cell, place) => wordsOf(cell, section.columns[place])).join('\n').toLowerCase();
    texts.set(row, text);
  }
  return text;
}

/**
 * The section as it is shown: the rows that are found, in order, with their details below them where they are open.
 *
 * @param {Section} section @param {View} view @returns {Arranged}
 */
export function arranged(section, view) {
  const groups = groupsOf(section);
  const terms = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  const found = groups.filter(({ rows }) => terms.every((term) => rows.some((row) => textOf(row, section).includes(term))));
  const by = section.columns.findIndex(({ title }) => title === view.sort);
  if (by >= 0) found.sort((one, other) => order(one.rows[0][by], other.rows[0][by], view.isDown));
  const { places, same } = columnsShown(section, view, found.flatMap(({ rows }) => rows));
  /** @type {Cell[][]} */
  const rows = [];
  /** @type {Line[]} */
  const lines = [];
  for (const group of found.slice(0, most)) {
    const key = `${section.title}/${wordsOf(group.rows[0][0], section.columns[0])}/${runOf(group.rows[1]?.[0] ?? group.rows[0][0])}`;
    const isOpen = opened.has(key);
    group.rows.slice(0, isOpen ? undefined : 1).forEach((row, place) => {
      rows.push(places.map((at) => row[at]));
      lines.push({ key, isDetail: place > 0, details: place ? 0 : group.rows.length - 1, isOpen, run: runOf(row[0]) });
    });
  }
  const columns = places.map((at) => section.columns[at]);
  return { ...section, columns, rows, lines, view, same, found: found.length, all: groups.length };
}

/** Each row with its details. @param {Section} section */
function groupsOf({ rows, levels }) {
  /** @type {{ rows: Cell[][] }[]} */
  const groups = [];
  rows.forEach((row, place) => {
    if (levels?.[place] && groups.length) groups[groups.length - 1].rows.push(row);
    else groups.push({ rows: [row] });
  });
  return groups;
}

/** @param {Cell} cell @returns {string} the run that it leads to; empty where it leads to none */
const runOf = (cell) => (cell instanceof Object && /^Run [\w-]+$/.test(cell.tab ?? '') ? cell.tab.slice('Run '.length) : '');

const byWords = new Intl.Collator('en', { numeric: true });

/** @param {Cell} one @param {Cell} other @param {boolean} isDown */
function order(one, other, isDown) {
  const [a, b] = [sortable(one), sortable(other)];
  if (a === null || b === null) return Number(a === null) - Number(b === null); // what is not known stands last
  const less = typeof a === 'number' && typeof b === 'number' ? a - b : byWords.compare(String(a), String(b));
  return isDown ? -less : less;
}

/** @param {Cell} cell */
function sortable(cell) {
  const number = numberIn(cell);
  if (number !== null) return number;
  return (cell instanceof Object ? cell.text ?? cell.label : cell) || null;
}

/**
 * Which columns are shown: those that people chose, or all but the choices of recipes that are the same in all rows.
 *
 * @param {Section} section @param {View} view @param {Cell[][]} rows
 */
function columnsShown({ columns }, view, rows) {
  const chosen = columns.flatMap(({ title }, place) => (place === 0 || view.columns.includes(title) ? place : []));
  if (view.columns.length) return { places: chosen, same: '' };
  const told = [];
  const places = [];
  for (const [place, column] of columns.entries()) {
    const known = column.is_choice ? differing(rows, place) : null;
    if (!known || known.length > 1) places.push(place);
    else for (const cell of known) told.push(`${column.title.toLowerCase()} ${wordsOf(cell, column)}`);
  }
  return { places, same: told.length ? `All rows shown: ${told.join(' · ')}.` : '' };
}

/** The first cell of a column that is known, and the first that differs from it: of thousands no more are looked at.
 * @param {Cell[][]} rows @param {number} place */
function differing(rows, place) {
  const first = rows.find((row) => sortable(row[place]) !== null)?.[place];
  if (first === undefined) return [];
  const other = rows.find((row) => ![null, sortable(first)].includes(sortable(row[place])))?.[place];
  return other === undefined ? [first] : [first, other];
}

/** The box above the lists of a tab. @param {Section[]} sections of the table @param {Arranged[]} lists @param {View} view */
export function drawControls(sections, lists, view) {
  const box = make('div', '', 'controls');
  const search = make('input');
  search.type = 'search';
  search.id = 'search';
  search.placeholder = 'Search';
  search.setAttribute('aria-label', 'Search the rows');
  search.setAttribute('value', view.q);
  const [found, all] = [lists.reduce((sum, list) => sum + list.found, 0), lists.reduce((sum, list) => sum + list.all, 0)];
  const count = make('span', found === all ? `${all.toLocaleString('en')} row${all === 1 ? '' : 's'}` : `${found.toLocaleString('en')} of ${all.toLocaleString('en')} rows`, 'soft');
  count.setAttribute('role', 'status');
  box.append(search, drawColumns(sections, lists, view), count, drawPicked());
  return box;
}

/** @param {Section[]} sections @param {Arranged[]} lists @param {View} view */
function drawColumns(sections, lists, view) {
  const box = make('details');
  box.id = 'columns';
  box.open = Boolean(/** @type {any} */ (document.getElementById('columns'))?.open);
  box.append(make('summary', view.columns.length ? 'Columns, chosen' : 'Columns'));
  const choices = make('div');
  const titles = [...new Set(sections.flatMap(({ columns }) => columns.slice(1).map(({ title }) => title)))].filter(Boolean);
  const shown = new Set(lists.flatMap(({ columns }) => columns.map(({ title }) => title)));
  for (const title of titles) {
    const label = make('label');
    const tick = make('input');
    tick.type = 'checkbox';
    tick.dataset.column = title;
    if (shown.has(title)) tick.setAttribute('checked', '');
    label.append(tick, ` ${title}`);
    choices.append(label);
  }
  const reset = make('button', 'As at first');
  reset.type = 'button';
  reset.dataset.column = '';
  choices.append(reset);
  box.append(choices);
  return box;
}

function drawPicked() {
  const place = make('span', '', 'picked');
  if (picked.size) {
    const link = make('a', picked.size === 1 ? 'Learning curve of 1 run' : `Compare ${picked.size} runs`);
    link.href = `#compare/${[...picked].map(encodeURIComponent).join(',')}`;
    const none = make('button', 'None', 'link');
    none.type = 'button';
    none.id = 'pick-none';
    none.setAttribute('aria-label', 'Choose no run');
    place.append(link, ' ', none);
  }
  return place;
}

/** What stands before the first cell of a row: its opener, and the box that chooses its run. @param {Line} line @param {string} words */
export function drawLineStart({ key, details, isOpen, isDetail, run }, words) {
  const parts = [];
  if (details) {
    const button = make('button', isOpen ? '▾' : '▸', 'opener');
    button.type = 'button';
    button.dataset.open = key;
    button.setAttribute('aria-expanded', String(isOpen));
    button.setAttribute('aria-label', `Details of ${words}: ${details}`);
    parts.push(button);
  }
  if (run) {
    const tick = make('input', '', isDetail ? 'pick inner' : 'pick');
    tick.type = 'checkbox';
    tick.dataset.pick = run;
    tick.setAttribute('aria-label', `Choose ${run}`);
    if (picked.has(run)) tick.setAttribute('checked', '');
    parts.push(tick);
  }
  return parts;
}

// A long list is drawn in part, so the browser's own search would miss most of it; typed there, the keys are the browser's.
addEventListener('keydown', (event) => {
  const search = /** @type {HTMLInputElement | null} */ (document.getElementById('search'));
  if (event.key !== 'f' || !(event.ctrlKey || event.metaKey) || !search || document.activeElement === search) return;
  event.preventDefault();
  search.focus();
  search.select();
});
