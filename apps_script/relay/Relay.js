/**
 * Passes Sheetrack's calls on to the Sheets API, for one spreadsheet, as the person who deployed this script.
 *
 * A request is one line of time, nonce and signature, then the call as JSON. Without the right signature nothing
 * happens. An answer is Google's own, or its error with its status. No cell is looked at here.
 *
 * @typedef {{ spreadsheet: string, method: string, range: string, options: any, body: any }} SheetsCall
 */

// `sheetrack connect google` fills in both.
const SPREADSHEET = '{{spreadsheet}}';
const SECRET = '{{secret}}';

const WINDOW_SECONDS = 120;
const LOCK_MS = 10_000;

/** @type {Record<string, (sheets: GoogleAppsScript.Sheets.Collection.SpreadsheetsCollection, call: SheetsCall) => object>} */
const SHEETS_CALLS = {
  get: (sheets, { options }) => sheets.get(SPREADSHEET, options),
  'values.get': (sheets, { range, options }) => sheets.Values.get(SPREADSHEET, range, options),
  'developerMetadata.search': (sheets, { body }) => sheets.DeveloperMetadata.search(body, SPREADSHEET),
  batchUpdate: (sheets, { body }) => sheets.batchUpdate(body, SPREADSHEET),
};

/** What a person sees who opens the address in a browser. */
function doGet() {
  return ContentService.createTextOutput('Sheetrack\'s relay is deployed. Paste the address of this page into the terminal.');
}

/** @param {GoogleAppsScript.Events.DoPost} event */
function doPost(event) {
  const answer = { relay: 1, ...relayed_(event.postData?.contents ?? '') };
  return ContentService.createTextOutput(JSON.stringify(answer)).setMimeType(ContentService.MimeType.JSON);
}

/** @param {string} request */
function relayed_(request) {
  const [, time, nonce, signature, text] = /^(\d{13}) ([0-9a-f]{32}) ([0-9a-f]{64})\n([^]*)$/.exec(request) ?? [];
  if (!isSame_(signature ?? '', signature_(`${time} ${nonce}\n${text}`))) return { refused: 'signature' };
  if (Math.abs(Date.now() - Number(time)) > WINDOW_SECONDS * 1000) return { refused: 'clock', now: Date.now() };
  if (!isNew_(nonce)) return { refused: 'replay' };
  /** @type {SheetsCall} */
  const call = JSON.parse(text);
  if (call.spreadsheet !== SPREADSHEET) return { refused: 'spreadsheet' };
  if (typeof Sheets === 'undefined') return { refused: 'service' };
  if (!Object.hasOwn(SHEETS_CALLS, call.method)) return { refused: 'method' };
  try {
    return { status: 200, answer: SHEETS_CALLS[call.method](Sheets.Spreadsheets, call) };
  } catch (/** @type {any} */ error) {
    const { code = 500, message = String(error), errors = [] } = error.details ?? {};
    return { status: code, message, reasons: errors.map((/** @type {any} */ { reason }) => reason) };
  }
}

/** @param {string} text */
function signature_(text) {
  const bytes = Utilities.computeHmacSha256Signature(text, SECRET, Utilities.Charset.UTF_8);
  return bytes.map((byte) => (byte & 255).toString(16).padStart(2, '0')).join('');
}

/**
 * Takes as long wherever the first difference is.
 *
 * @param {string} given
 * @param {string} right
 */
function isSame_(given, right) {
  let difference = given.length ^ right.length;
  for (let at = 0; at < right.length; at++) difference |= given.charCodeAt(at) ^ right.charCodeAt(at);
  return difference === 0;
}

/**
 * Whether no request with this nonce came within the window; the lock keeps two that come together apart.
 *
 * @param {string} nonce
 */
function isNew_(nonce) {
  const lock = LockService.getScriptLock();
  if (!lock.tryLock(LOCK_MS)) return false;
  try {
    const cache = CacheService.getScriptCache();
    if (cache.get(nonce)) return false;
    cache.put(nonce, 'seen', 3 * WINDOW_SECONDS);
    return true;
  } finally {
    lock.releaseLock();
  }
}
