// How values are written for people; see Format in backend/sheets/table.py.

const integer = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const decimal = new Intl.NumberFormat('en', { minimumFractionDigits: 4, maximumFractionDigits: 4 });
const gib = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** @type {Record<string, (value: number) => string>} */
const NUMBERS = {
  integer: (value) => integer.format(value),
  decimal: (value) => decimal.format(value),
  number: String,
  percent: (value) => `${Math.round(value * 100)} %`,
  accuracy: (value) => `${(value * 100).toFixed(2)} %`,
  points: (value) => `${value > 0 ? '+' : ''}${(value * 100).toFixed(2)} pp`,
  gib: (value) => `${gib.format(value)} GiB`,
  seconds: duration,
};

/** @param {string} format */
export const isNumeric = (format) => format in NUMBERS;

/**
 * @param {boolean | number | string | null} value
 * @param {string} format
 * @returns {string} empty where the value is unknown
 */
export function say(value, format) {
  if (value === null) return '';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'number' && isNumeric(format) ? NUMBERS[format](value) : String(value);
}

/**
 * In two units, such as `8.4 s`, `12 min 04 s`, `3 h 05 min`; see `duration` in backend/times.py.
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.round(seconds);
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${twoDigits(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${twoDigits(Math.floor((whole % 3600) / 60))} min`;
}

/** @param {number} whole */
const twoDigits = (whole) => String(whole).padStart(2, '0');

/**
 * In one unit, such as `80 s`, `2 min`, `5 h`, `3 days`.
 *
 * @param {number} seconds
 */
export function roughly(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129_600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

/**
 * How long ago a moment was, such as `4 s ago`.
 *
 * @param {string} iso
 */
export function ago(iso) {
  return `${roughly(Math.max(0, (Date.now() - Date.parse(iso)) / 1000))} ago`;
}
