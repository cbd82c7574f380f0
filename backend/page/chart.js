// A curve of per cents over time: axes with units, gaps where values are unknown, shaded incidents.

import { make, picture, round, shape } from './cells.js';

/**
 * @typedef {{ at: number, value: number | null }} Point milliseconds, and per cent
 * @typedef {{ tone: string, from: number, to: number }} Incident
 * @typedef {{ name: string, from: number, to: number }} Span what the time axis covers
 */

const HEIGHT = 150;
const EDGE = { left: 42, right: 20, top: 8, bottom: 22 };
const LABEL_WIDTH = 44;
const GAP = 2.5; // times the usual distance of two points
const MINUTE = 60_000;
const STEP_MINUTES = [5, 10, 15, 30, 60, 120, 180, 360, 720, 1440];

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric' });

/** @param {number} at such as `14:05`, or `Mon 12 14:05` where that was not today */
export function moment(at) {
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  return isToday ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
}

/**
 * @param {string} title
 * @param {Point[]} points oldest first
 * @param {Span} span
 * @param {Incident[]} incidents
 * @param {number} width in pixels; never scaled, so that its text stays legible
 * @returns {HTMLElement}
 */
export function drawChart(title, points, span, incidents, width) {
  const [right, bottom] = [width - EDGE.right, HEIGHT - EDGE.bottom];
  const x = (/** @type {number} */ at) => round(EDGE.left + within((at - span.from) / (span.to - span.from)) * (right - EDGE.left));
  const y = (/** @type {number} */ percent) => round(bottom - within(percent / 100) * (bottom - EDGE.top));
  const gap = GAP * usualStep(points);
  const [now, range] = inWords(points, span, gap);
  const svg = picture(width, HEIGHT, `${title} over the last ${span.name}: ${range}, now ${now}`);
  for (const { tone, from, to } of incidents) {
    svg.append(shape('rect', { x: x(from), y: EDGE.top, width: Math.max(1, x(to) - x(from)), height: bottom - EDGE.top, class: `incident ${tone}` }));
  }
  for (const percent of [0, 50, 100]) {
    svg.append(line(EDGE.left, right, y(percent), y(percent)));
    svg.append(text(EDGE.left - 6, y(percent) + 4, percent === 100 ? '100 %' : String(percent), 'end'));
  }
  for (const at of ticks(span, (right - EDGE.left) / LABEL_WIDTH)) {
    svg.append(line(x(at), x(at), bottom, bottom + 4));
    svg.append(text(x(at), bottom + 17, new Date(at).getHours() + new Date(at).getMinutes() ? clock.format(at) : day.format(at), 'middle'));
  }
  for (const stretch of stretches(points, gap)) {
    const corners = stretch.map(([at, percent]) => `${x(at)},${y(percent)}`);
    // A point alone would not be seen.
    svg.append(shape('polyline', { points: [...corners, ...(corners.length === 1 ? corners : [])].join(' '), class: 'curve' }));
  }
  const figure = make('figure');
  const caption = make('figcaption');
  caption.append(make('b', title), ' ', make('span', now, 'soft'));
  figure.append(caption, svg);
  return figure;
}

/** @param {number} share */
const within = (share) => Math.min(1, Math.max(0, share));

/** The middle one of all distances. @param {Point[]} points */
function usualStep(points) {
  const steps = points.slice(1).map(({ at }, place) => at - points[place].at).sort((one, other) => one - other);
  return steps[Math.floor(steps.length / 2)] ?? MINUTE;
}

/** The newest value, and the range of all. @param {Point[]} points @param {Span} span @param {number} gap */
function inWords(points, span, gap) {
  const known = points.flatMap(({ value }) => value ?? []);
  const last = points.at(-1);
  const now = last && span.to - last.at <= gap ? last.value : null;
  const say = (/** @type {number} */ percent) => `${Math.round(percent)} %`;
  const [low, high] = known.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  return [now === null ? 'unknown' : say(now), known.length ? `${say(low)} to ${say(high)}` : 'unknown'];
}

/**
 * Splits at unknown values and where readings are missing.
 *
 * @param {Point[]} points
 * @param {number} gap
 * @returns {[number, number][][]} stretches of (moment, per cent)
 */
function stretches(points, gap) {
  /** @type {[number, number][][]} */
  const found = [];
  let last = -Infinity;
  for (const { at, value } of points) {
    if (value === null) {
      last = -Infinity;
      continue;
    }
    if (at - last > gap) found.push([]);
    found[found.length - 1].push([at, value]);
    last = at;
  }
  return found;
}

/**
 * Round times of day, as many as fit.
 *
 * @param {Span} span
 * @param {number} most
 */
function ticks({ from, to }, most) {
  const step = STEP_MINUTES.find((minutes) => (to - from) / minutes / MINUTE <= most) ?? 1440;
  const first = new Date(from);
  const [year, month, date] = [first.getFullYear(), first.getMonth(), first.getDate()];
  const found = [];
  for (let minutes = 0, at = 0; at <= to; minutes += step) {
    at = new Date(year, month, date, 0, minutes).getTime();
    if (at >= from && at <= to) found.push(at);
  }
  return found;
}

/** @param {number} x1 @param {number} x2 @param {number} y1 @param {number} y2 */
const line = (x1, x2, y1, y2) => shape('line', { x1, x2, y1, y2, class: 'rule' });

/** @param {number} x @param {number} y @param {string} words @param {string} anchor */
function text(x, y, words, anchor) {
  const element = shape('text', { x, y, 'text-anchor': anchor });
  element.textContent = words;
  return element;
}
