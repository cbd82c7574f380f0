// Learning curves over epochs, one run or several in one chart: axes with numbers, a legend in words.

import { make, picture, round, shape } from './cells.js';

/**
 * @typedef {{ name: string, points: [number, number][], colour: number, isDashed: boolean }} Curve points: (epoch, value)
 */

const HEIGHT = 240;
const EDGE = { left: 52, right: 14, top: 10, bottom: 34 };
export const COLOURS = 8; // as many as page.css has

/**
 * @param {string} title @param {Curve[]} curves @param {number} width in pixels @param {boolean} isShare whether values are fractions
 */
export function drawCurves(title, curves, width, isShare) {
  const known = curves.filter(({ points }) => points.length);
  const figure = make('figure');
  const caption = make('figcaption');
  caption.append(make('b', title), ' ', make('span', lastWords(known, isShare), 'soft'));
  figure.append(caption);
  if (!known.length) {
    figure.append(make('p', 'No epoch yet.', 'soft'));
    return figure;
  }
  const epochs = known.flatMap(({ points }) => points.map(([epoch]) => epoch));
  const values = known.flatMap(({ points }) => points.map(([, value]) => value));
  const [first, last] = [Math.min(...epochs), Math.max(...epochs)];
  const scale = ticksOf(Math.min(...values), Math.max(...values), isShare);
  const [right, bottom] = [width - EDGE.right, HEIGHT - EDGE.bottom];
  const x = (/** @type {number} */ epoch) => round(EDGE.left + (last > first ? (epoch - first) / (last - first) : 0.5) * (right - EDGE.left));
  const y = (/** @type {number} */ value) => round(bottom - (value - scale.low) / (scale.high - scale.low || 1) * (bottom - EDGE.top));
  const svg = picture(width, HEIGHT, `${title} over the epochs ${first} to ${last}. ${lastWords(known, isShare)}`);
  for (const value of scale.ticks) {
    svg.append(shape('line', { x1: EDGE.left, x2: right, y1: y(value), y2: y(value), class: 'rule' }));
    svg.append(text(EDGE.left - 6, y(value) + 4, said(value, isShare, scale.step), 'end'));
  }
  for (const epoch of epochTicks(first, last, (right - EDGE.left) / 42)) {
    svg.append(shape('line', { x1: x(epoch), x2: x(epoch), y1: bottom, y2: bottom + 4, class: 'rule' }));
    svg.append(text(x(epoch), bottom + 16, String(epoch), 'middle'));
  }
  svg.append(text((EDGE.left + right) / 2, HEIGHT - 4, 'epoch', 'middle'));
  for (const { points, colour, isDashed } of known) {
    const corners = points.map(([epoch, value]) => `${x(epoch)},${y(value)}`);
    const line = { class: `curve series-${colour}`, ...(isDashed ? { 'stroke-dasharray': '4 3' } : {}) };
    if (points.length === 1) svg.append(shape('circle', { cx: x(points[0][0]), cy: y(points[0][1]), r: 3, class: `dot series-${colour}` }));
    else svg.append(shape('polyline', { points: corners.join(' '), ...line }));
  }
  figure.append(svg);
  if (known.length > 1) figure.append(drawLegend(known));
  return figure;
}

/** @param {Curve[]} curves */
function drawLegend(curves) {
  const list = make('ul', '', 'legend');
  for (const { name, colour, isDashed } of curves) {
    const item = make('li');
    const sign = picture(22, 8, '');
    sign.setAttribute('aria-hidden', 'true');
    sign.append(shape('line', { x1: 0, x2: 22, y1: 4, y2: 4, class: `curve series-${colour}`, ...(isDashed ? { 'stroke-dasharray': '4 3' } : {}) }));
    item.append(sign, name);
    list.append(item);
  }
  return list;
}

/** @param {Curve[]} curves @param {boolean} isShare */
function lastWords(curves, isShare) {
  return curves.map(({ name, points }) => `${name} ${said(points[points.length - 1][1], isShare)}`).join(', ');
}

/** @param {number} value @param {boolean} isShare @param {number} [step] between two ticks */
function said(value, isShare, step) {
  if (!isShare) return step === undefined ? value.toPrecision(4) : value.toFixed(Math.max(0, Math.ceil(-Math.log10(step))));
  return `${(100 * value).toFixed(step === undefined ? 2 : Math.max(0, Math.ceil(-Math.log10(100 * step))))} %`;
}

/** Round numbers around the values. @param {number} least @param {number} greatest @param {boolean} isShare */
function ticksOf(least, greatest, isShare) {
  const span = greatest - least || Math.abs(greatest) || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const low = Math.floor(least / step) * step;
  const high = isShare ? Math.min(1, Math.ceil(greatest / step) * step) : Math.ceil(greatest / step) * step;
  const count = Math.round((high - low) / step);
  return { low, high: high > low ? high : low + step, step, ticks: Array.from({ length: count + 1 }, (_, place) => low + place * step).filter((value) => value <= high + step / 1e6) };
}

/** @param {number} first @param {number} last @param {number} most */
function epochTicks(first, last, most) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((each) => (last - first) / each <= most) ?? last - first;
  const found = [];
  for (let epoch = Math.ceil(first / step) * step; epoch <= last; epoch += step) found.push(epoch);
  return found;
}

/** @param {number} x @param {number} y @param {string} words @param {string} anchor */
function text(x, y, words, anchor) {
  const element = shape('text', { x: round(x), y, 'text-anchor': anchor });
  element.textContent = words;
  return element;
}
