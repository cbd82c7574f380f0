// One cell of a Table as an HTML element. Text from outside is only set as textContent.

import { ago, say } from './formats.js';

/**
 * @typedef {boolean | number | string | null | Record<string, any>} Cell
 * @typedef {{ title: string, format: string, width: number, heat: boolean, is_choice?: boolean }} Column
 */

const SVG = 'http://www.w3.org/2000/svg';
const SPARK_HEIGHT = 18;
const BAR_WIDTH = 46;
const BAR_HEIGHT = 9;
const LONG = 32; // characters; longer text may break into lines

/**
 * @param {'td' | 'th'} tag
 * @param {Cell} cell
 * @param {Column} column
 */
export function drawCell(tag, cell, column) {
  const element = make(tag);
  const namesServer = tag === 'th' && column.title === 'Server' && typeof cell === 'string';
  element.append(...(namesServer ? [link(cell, serverAddress(cell))] : content(cell, column)));
  const isDrawn = cell instanceof Object && (cell.kind === 'bars' || cell.kind === 'spark' || cell.is_command);
  if (!isDrawn && element.textContent.length > LONG) element.className = 'long';
  return element;
}

/** Where a server's own page is: no tab's address has a slash. @param {string} name */
export const serverAddress = (name) => `#server/${encodeURIComponent(name)}`;

/** @param {string} words @param {string} address */
export function link(words, address) {
  const element = make('a', words);
  element.href = address;
  return element;
}

/** @param {Cell} cell @returns {number | null} */
export function numberIn(cell) {
  const value = cell instanceof Object ? cell.value : cell;
  return typeof value === 'number' ? value : null;
}

/** @param {Cell} cell @param {Column} column @returns {(Node | string)[]} */
function content(cell, column) {
  if (cell === null || typeof cell !== 'object') {
    return column.format === 'time' && typeof cell === 'string' ? [time(cell)] : [say(cell, column.format)];
  }
  switch (cell.kind) {
    case 'text': return text(cell);
    case 'number': return number(cell);
    case 'bars': return cell.fractions.length ? [bars(cell, column)] : [];
    case 'spark': return cell.values.length ? [spark(cell, column)] : [];
    default: return ['(this page is older than the backend: reload it)'];
  }
}

/** @param {Record<string, any>} cell */
function number(cell) {
  const said = toned(say(cell.value, cell.format), cell);
  if (cell.tab) said.replaceChildren(link(said.textContent, `#${encodeURIComponent(cell.tab)}`));
  const spread = spreadOf(cell);
  return spread ? [said, ' ', make('span', spread, 'soft')] : [said];
}

/** Such as `± 0.41 (3)`; see `spread_in_words` in backend/sheets/formats.py. @param {Record<string, any>} cell */
function spreadOf({ value, format, spread, count }) {
  if (spread == null || value === null) return '';
  const isShare = ['accuracy', 'percent', 'points'].includes(format);
  return `± ${isShare ? (100 * spread).toFixed(2) : spread.toPrecision(4)} (${count})`;
}

/** What a cell says, as text. @param {Cell} cell @param {Column} column @returns {string} */
export function wordsOf(cell, column) {
  if (cell === null || typeof cell !== 'object') return say(cell, column.format);
  if (cell.kind === 'number') return say(cell.value, cell.format);
  return cell.kind === 'text' ? `${cell.text} ${cell.note}`.trim() : cell.label;
}

/** A button that copies a command line. @param {string} command @param {string} words */
export function copyButton(command, words) {
  const button = make('button', words, 'copy');
  button.type = 'button';
  button.title = command;
  button.dataset.copy = command;
  return button;
}

/** @param {Record<string, any>} cell */
function text(cell) {
  const said = toned(cell.text, cell);
  if (cell.is_command) {
    said.classList.add('command');
    said.title = cell.text;
    const copy = copyButton(cell.text, 'Copy');
    copy.setAttribute('aria-label', `Copy ${cell.text}`);
    return [copy, ' ', said];
  }
  if (cell.sound) return [player(cell.sound), ' ', said];
  if (cell.tab !== null) said.replaceChildren(link(cell.text, `#${encodeURIComponent(cell.tab)}`));
  return cell.note ? [said, ' ', make('span', cell.note, 'soft')] : [said];
}

/** @param {{ run: string, clip: string }} sound */
function player({ run, clip }) {
  const button = make('button', '▶', 'play');
  button.type = 'button';
  button.setAttribute('aria-label', `Play ${clip}`);
  button.dataset.sound = `/api/runs/${encodeURIComponent(run)}/clips/${clip.split('/').map(encodeURIComponent).join('/')}`;
  return button;
}

/** @param {string} words @param {Record<string, any>} cell */
function toned(words, { tone, bold }) {
  return make(bold ? 'b' : 'span', words, tone ? `tone ${tone}` : '');
}

/** @param {string} iso */
function time(iso) {
  const element = make('time', ago(iso));
  element.dateTime = iso;
  element.title = new Date(iso).toLocaleString();
  return element;
}

/** @param {Column} column @returns {number} pixels for what is drawn in one of its cells */
const drawingWidth = ({ width }) => Math.round(width * 6.5);

/** @param {Record<string, any>} cell @param {Column} column */
function bars({ fractions, behind = [], label }, column) {
  const [count, gap] = [fractions.length, fractions.length > 8 ? 1 : 3];
  const width = Math.min(BAR_WIDTH, round((drawingWidth(column) - gap * (count - 1)) / count));
  const step = width + gap;
  const svg = picture(round(count * step - gap), BAR_HEIGHT, label);
  fractions.forEach((/** @type {number | null} */ fraction, /** @type {number} */ place) => {
    const at = { x: round(place * step), y: 0, height: BAR_HEIGHT };
    if (fraction === null) {
      svg.append(shape('rect', { ...at, x: at.x + 0.5, y: 0.5, width: width - 1, height: BAR_HEIGHT - 1, class: 'unknown' }));
    } else {
      svg.append(shape('rect', { ...at, width, class: 'track' }));
      const light = behind[place];
      if (light != null) svg.append(shape('rect', { ...at, width: within(light) * width, class: 'behind' }));
      const inner = light == null ? at : { ...at, y: 2, height: BAR_HEIGHT - 4 };
      svg.append(shape('rect', { ...inner, width: within(fraction) * width, class: 'fill' }));
    }
  });
  return svg;
}

/** @param {number} share */
const within = (share) => Math.min(1, Math.max(0, share));

/** @param {Record<string, any>} cell @param {Column} column */
function spark({ values, style, low, high, label }, column) {
  const known = values.filter((/** @type {number | null} */ value) => value !== null);
  const bottom = low ?? Math.min(...known);
  const span = (high ?? Math.max(...known)) - bottom || 1;
  const wide = drawingWidth(column);
  const svg = picture(wide, SPARK_HEIGHT, label);
  const step = wide / (style === 'line' ? Math.max(1, values.length - 1) : values.length);
  const y = (/** @type {number} */ value) => round(SPARK_HEIGHT - 2 - Math.min(1, Math.max(0, (value - bottom) / span)) * (SPARK_HEIGHT - 4));
  if (style === 'column') {
    const zero = bottom < 0 ? y(0) : SPARK_HEIGHT;
    values.forEach((/** @type {number | null} */ value, /** @type {number} */ place) => {
      if (value === null) return;
      const end = y(value);
      svg.append(shape('rect', { x: round(place * step), y: Math.min(end, zero), width: round(Math.max(1, step - 1)), height: round(Math.max(1, Math.abs(end - zero))), class: 'fill' }));
    });
    return svg;
  }
  for (const stretch of stretches(values)) {
    const points = stretch.map(([place, value]) => `${round(place * step)},${y(value)}`);
    // A point alone would not be seen.
    svg.append(shape('polyline', { points: [...points, ...(points.length === 1 ? points : [])].join(' '), class: 'curve' }));
  }
  return svg;
}

/**
 * Splits at unknown values.
 *
 * @param {(number | null)[]} values
 * @returns {[number, number][][]} stretches of (place, value)
 */
function stretches(values) {
  /** @type {[number, number][][]} */
  const found = [[]];
  values.forEach((value, place) => {
    if (value === null) found.push([]);
    else found[found.length - 1].push([place, value]);
  });
  return found.filter((stretch) => stretch.length);
}

export const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;

/** @param {number} width @param {number} height @param {string} label */
export function picture(width, height, label) {
  const svg = shape('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label });
  const title = shape('title', {});
  title.textContent = label;
  svg.append(title);
  return svg;
}

/** @param {string} name @param {Record<string, string | number>} attributes */
export function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
  return element;
}

/** @param {string} tag @param {string} [words] @param {string} [className] @returns {any} */
export function make(tag, words = '', className = '') {
  const element = document.createElement(tag);
  if (words) element.textContent = words;
  if (className) element.className = className;
  return element;
}
