// How values are written for people; see Format in backend/sheets/table.py.

const integer = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const decimal = new Intl.NumberFormat('en', { minimumFractionDigits: 4, maximumFractionDigits: 4 });
const gib = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** @type {Record<string, (value: number) => string>} */
const NUMBERS = {
  integer: (value) => integer.format(value),
  decimal: (value) => decimal.format(value),
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
 * @returns {string} empty for what is not known
 */
export function say(value, format) {
  if (value === null) return '';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'number' && isNumeric(format) ? NUMBERS[format](value) : String(value);
}

/** @param {number} seconds */
export function duration(seconds) {
  const whole = Math.round(seconds);
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/**
 * How long ago a moment was, such as `4 s ago`.
 *
 * @param {string} iso
 */
export function ago(iso) {
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 129_600 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} days ago`;
}
