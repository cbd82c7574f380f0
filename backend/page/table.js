// A Table as HTML: its sections below each other, each with its rows and pictures.

import { drawCell, make, numberIn, wordsOf } from './cells.js';
import { isNumeric } from './formats.js';
import { arranged, drawControls, drawLineStart } from './list.js';

/**
 * @typedef {import('./cells.js').Cell} Cell
 * @typedef {import('./cells.js').Column} Column
 * @typedef {object} Section
 * @property {string} title
 * @property {string} note
 * @property {Column[]} columns
 * @property {Cell[][]} rows
 * @property {number[]} [levels]
 * @property {boolean} [is_list]
 * @property {boolean} row_headers
 * @property {'none' | 'count' | 'good' | 'difference'} heat
 * @property {string} empty
 * @property {Picture[]} pictures
 * @typedef {{ run: string, figure: string, comparison: [string, string] | null, alt: string }} Picture
 * @typedef {{ name: string, sections: Section[] }} Table
 */

/**
 * @param {Table} table
 * @param {import('./list.js').View} [view] how its lists are shown; none: as they are
 * @returns {HTMLElement[]} one element a section, below the controls of lists
 */
export function drawTable({ name, sections }, view) {
  const shown = sections.map((section) => (view && section.is_list ? arranged(section, view) : section));
  const lists = /** @type {import('./list.js').Arranged[]} */ (shown.filter((section) => 'lines' in section));
  const parts = drawSections(name, shown);
  return view && lists.length ? [drawControls(sections.filter((section) => section.is_list), lists, view), ...parts] : parts;
}

/** @param {string} name @param {(Section | import('./list.js').Arranged)[]} sections @returns {HTMLElement[]} */
function drawSections(name, sections) {
  return sections.map((section) => {
    const element = make('section', '', sections.length === 1 ? 'alone' : '');
    if (section.title) element.append(make('h2', section.title));
    const note = [section.note, 'same' in section ? section.same : ''].filter(Boolean).join(' ');
    if (note) element.append(make('p', note, 'soft note'));
    if (section.columns.length) element.append(drawGrid(section, section.title || name));
    if (section.pictures.length) element.append(drawPictures(section));
    return element;
  });
}

/** @param {Section | import('./list.js').Arranged} section @param {string} caption */
export function drawGrid(section, caption) {
  const box = make('div', '', 'grid');
  // What scrolls must be reachable without a mouse.
  box.tabIndex = 0;
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', caption);
  const table = make('table');
  const head = make('tr');
  const classes = section.columns.map((column, place) => classOf(column, section.rows.map((row) => row[place])));
  section.columns.forEach(({ title }, place) => {
    const cell = make(title ? 'th' : 'td', '', classes[place]);
    if (title) cell.scope = 'col';
    if (title && 'view' in section) sortBy(cell, title, classes[place] === 'n', section.view);
    else cell.textContent = title;
    head.append(cell);
  });
  const body = make('tbody');
  body.append(...(section.rows.length ? drawRows(section, classes) : [drawEmpty(section)]));
  table.append(make('caption', caption), make('thead'), body);
  table.tHead.append(head);
  if ('lines' in section) countRows(table, section);
  box.append(table);
  return box;
}

/** Tells a screen reader how many rows there are, where not all are drawn.
 * @param {any} table @param {import('./list.js').Arranged} section */
function countRows(table, { found, lines }) {
  const details = lines.filter(({ isDetail }) => isDetail).length;
  if (lines.length - details === found) return;
  table.setAttribute('aria-rowcount', found + details + 1);
  [...table.rows].forEach((row, place) => row.setAttribute('aria-rowindex', place + 1));
}

/** @param {any} cell @param {string} title @param {boolean} isNumber @param {import('./list.js').View} view */
function sortBy(cell, title, isNumber, { sort, isDown }) {
  const button = make('button', title, 'sort');
  button.type = 'button';
  button.dataset.sort = title;
  button.dataset.number = String(isNumber);
  if (sort === title) cell.setAttribute('aria-sort', isDown ? 'descending' : 'ascending');
  cell.append(button);
}

/**
 * Heat maps are centred, numbers under each other stand right.
 *
 * @param {Column} column
 * @param {Cell[]} cells all of the column
 */
function classOf({ format, heat }, cells) {
  if (heat) return 'heat';
  const isAllNumbers = cells.some((cell) => numberIn(cell) !== null)
    && cells.every((cell) => cell === null || numberIn(cell) !== null);
  return isNumeric(format) || isAllNumbers ? 'n' : '';
}

/**
 * @param {Section | import('./list.js').Arranged} section
 * @param {string[]} classes one a column
 */
function drawRows(section, classes) {
  const heatOf = heatScale(section);
  return section.rows.map((cells, number) => {
    const line = 'lines' in section ? section.lines[number] : null;
    const row = make('tr', '', line?.isDetail ? 'detail' : '');
    cells.forEach((cell, place) => {
      const column = section.columns[place];
      const names = section.row_headers && place === 0;
      const element = drawCell(names ? 'th' : 'td', cell, column);
      if (classes[place]) element.classList.add(classes[place]);
      if (names) element.scope = 'row';
      if (names && line) element.prepend(...drawLineStart(line, wordsOf(cell, column)));
      if (column.heat) paint(element, heatOf(cell));
      row.append(element);
    });
    return row;
  });
}

/**
 * @param {HTMLElement} element
 * @param {number | null} heat -1 for orange over 0 for white to 1 for blue, null for none
 */
function paint(element, heat) {
  if (heat === null) return;
  const colour = heat < 0 ? 'var(--heat-less)' : 'var(--heat)';
  element.style.backgroundColor = `color-mix(in srgb, ${colour} ${Math.round(Math.abs(heat) * 100)}%, var(--paper))`;
}

/** @param {Section} section */
function drawEmpty(section) {
  const row = make('tr');
  const cell = make('td', section.empty || 'Nothing yet.', 'empty');
  cell.colSpan = section.columns.length;
  row.append(cell);
  return row;
}

/**
 * @param {Section} section
 * @returns {(cell: Cell) => number | null} where a cell's number lies between white (0) and blue (1), or orange (-1);
 *   counts and differences by their square root, so that a few mistakes can be seen beside hundreds that were right
 */
function heatScale({ columns, rows, heat }) {
  if (heat === 'none') return () => null;
  const numbers = rows.flatMap((cells) => cells.filter((_, place) => columns[place].heat).map(numberIn)).filter((value) => value !== null);
  const low = heat === 'good' ? Math.min(...numbers) : 0;
  const high = Math.max(...(heat === 'difference' ? numbers.map(Math.abs) : numbers));
  return (cell) => {
    const value = numberIn(cell);
    if (value === null) return null;
    const share = high > low ? (value - low) / (high - low) : 0;
    return heat === 'good' ? share : Math.sign(share) * Math.sqrt(Math.abs(share));
  };
}

/** @param {Picture} picture */
function addressOf({ run, figure, comparison }) {
  const [a, b] = (comparison ?? [run, figure]).map(encodeURIComponent);
  return comparison ? `/api/comparisons/${a}/${b}.png` : `/api/runs/${a}/figures/${b}.png`;
}

/** @param {Section} section */
function drawPictures({ pictures }) {
  const box = make('div', '', 'pictures');
  for (const picture of pictures) {
    const link = make('a');
    link.href = addressOf(picture);
    link.target = '_blank';
    link.rel = 'noopener';
    const image = make('img');
    image.src = link.href;
    image.alt = picture.alt;
    image.loading = 'lazy';
    link.append(image);
    box.append(link);
  }
  return box;
}

/**
 * Makes `old` the same as `fresh` and touches only what differs, so that focus, selection and scrolling stay.
 *
 * @param {any} old
 * @param {any} fresh
 */
export function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    // The page's security policy refuses styles that are set as attributes.
    if (name === 'style') old.style.cssText = value;
    else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  morphChildren(old, [...fresh.childNodes]);
}

/**
 * @param {any} parent
 * @param {Node[]} fresh
 */
export function morphChildren(parent, fresh) {
  const kept = [...parent.childNodes];
  fresh.forEach((child, place) => (kept[place] ? morph(kept[place], child) : parent.append(child)));
  for (const gone of kept.slice(fresh.length)) gone.remove();
}
