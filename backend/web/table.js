// A Table as HTML: its sections one below the other, each with its rows and pictures.

import { drawCell, make, numberIn } from './cells.js';
import { isNumeric } from './formats.js';

/**
 * @typedef {import('./cells.js').Cell} Cell
 * @typedef {object} Section
 * @property {string} title
 * @property {string} note
 * @property {import('./cells.js').Column[]} columns
 * @property {Cell[][]} rows
 * @property {boolean} row_headers
 * @property {'none' | 'count' | 'good'} heat
 * @property {string} empty
 * @property {{ run: string, figure: string, alt: string }[]} pictures
 * @typedef {{ name: string, sections: Section[] }} Table
 */

/** @param {Table} table @returns {HTMLElement[]} one element a section */
export function drawTable({ name, sections }) {
  return sections.map((section) => {
    const element = make('section', '', sections.length === 1 ? 'alone' : '');
    if (section.title) element.append(make('h2', section.title));
    if (section.note) element.append(make('p', section.note, 'soft note'));
    if (section.columns.length) element.append(drawGrid(section, section.title || name));
    if (section.pictures.length) element.append(drawPictures(section));
    return element;
  });
}

/** @param {Section} section @param {string} caption */
function drawGrid(section, caption) {
  const box = make('div', '', 'grid');
  // What scrolls must be reachable without a mouse.
  box.tabIndex = 0;
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', caption);
  const table = make('table');
  const head = make('tr');
  for (const { title, format, heat } of section.columns) {
    const cell = make(title ? 'th' : 'td', title, isNumeric(format) ? 'n' : '');
    if (title) cell.scope = 'col';
    cell.classList.toggle('narrow', heat);
    head.append(cell);
  }
  const body = make('tbody');
  body.append(...(section.rows.length ? drawRows(section) : [drawEmpty(section)]));
  table.append(make('caption', caption), make('thead'), body);
  table.tHead.append(head);
  box.append(table);
  return box;
}

/** @param {Section} section */
function drawRows(section) {
  const heatOf = heatScale(section);
  return section.rows.map((cells) => {
    const row = make('tr');
    cells.forEach((cell, place) => {
      const column = section.columns[place];
      const names = section.row_headers && place === 0;
      const element = drawCell(names ? 'th' : 'td', cell, column, column.heat ? heatOf(cell) : null);
      if (names) element.scope = 'row';
      row.append(element);
    });
    return row;
  });
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
 * @returns {(cell: Cell) => number | null} where a cell's number lies between white (0) and blue (1)
 */
function heatScale({ columns, rows, heat }) {
  if (heat === 'none') return () => null;
  const numbers = rows.flatMap((cells) => cells.filter((_, place) => columns[place].heat).map(numberIn)).filter((value) => value !== null);
  const low = heat === 'count' ? 0 : Math.min(...numbers);
  const high = Math.max(...numbers);
  return (cell) => {
    const value = numberIn(cell);
    return value === null ? null : high > low ? (value - low) / (high - low) : 0;
  };
}

/** @param {Section} section */
function drawPictures({ pictures }) {
  const box = make('div', '', 'pictures');
  for (const { run, figure, alt } of pictures) {
    const link = make('a');
    link.href = `/api/runs/${encodeURIComponent(run)}/figures/${encodeURIComponent(figure)}.png`;
    link.target = '_blank';
    link.rel = 'noopener';
    const image = make('img');
    image.src = link.href;
    image.alt = alt;
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
