/** Brings pictures into the sheet, as the person who asks: the Sheets API cannot insert any. */

const RUN_ID = /\br[0-9a-f]{6}\b/;
const NEW_ROW_HEIGHT = 21; // pixels
const COMPARISON = /^Compare (\S+) (\S+)/;

/**
 * Shows the figures of a run beside the selected cell; the cell, its tab, or else the person names the run.
 * In the tab of a comparison it shows the picture of that, unless the cell names a run.
 */
function showRunHere() {
  showHere_('Show run here', (figures) => figures);
}

/** The same with one figure: the one that the cell names, or that the person chooses. */
function showFigureHere() {
  showHere_('Show one figure here', (figures, text) => {
    const named = figures.filter(({ name }) => text.toLowerCase().includes(name));
    if (named.length === 1) return named;
    const list = figures.map(({ name }, at) => `${at + 1}  ${name}`).join('\n');
    const chosen = asked_('Show one figure here', `Which figure? Type its number.\n${list}`);
    if (chosen === null) return [];
    const figure = figures[Number(chosen) - 1];
    if (!figure) throw new Error(`"${chosen}" is none of the numbers 1 to ${figures.length}.`);
    return [figure];
  });
}

/**
 * @param {string} title of what is asked and told
 * @param {(figures: Picture[], text: string) => Picture[]} choose
 */
function showHere_(title, choose) {
  const ui = SpreadsheetApp.getUi();
  const cell = SpreadsheetApp.getCurrentCell() ?? SpreadsheetApp.getActiveSheet().getRange(1, 1);
  const text = cell.getDisplayValue();
  const tab = cell.getSheet().getName();
  try {
    const compared = RUN_ID.test(text) ? null : COMPARISON.exec(tab);
    if (compared) {
      insertPictures_(cell, [comparisonPicture_(compared[1], compared[2])]);
      return;
    }
    let named = `${text} ${tab}`;
    if (!RUN_ID.test(named)) {
      const answer = asked_(title, 'Which run? For example r3f2a9b');
      if (answer === null) return;
      named = answer;
    }
    const run = RUN_ID.exec(named)?.[0];
    if (!run) throw new Error(`"${named}" names no run. The tab Results lists them, such as r3f2a9b.`);
    insertPictures_(cell, choose(figuresOf_(run), text));
  } catch (error) {
    ui.alert(title, error instanceof Error ? error.message : String(error), ui.ButtonSet.OK);
  }
}

/** @param {string} title @param {string} question @returns {string | null} null: the person wants nothing */
function asked_(title, question) {
  const ui = SpreadsheetApp.getUi();
  const answer = ui.prompt(title, question, ui.ButtonSet.OK_CANCEL);
  return answer.getSelectedButton() === ui.Button.OK ? answer.getResponseText().trim() : null;
}

/** @typedef {{ name: string, path: string, title: string, description: string }} Picture the title is its key */

/** @param {string} run @returns {Picture[]} */
function figuresOf_(run) {
  const path = `/api/runs/${run}`;
  return askBackend_([{ path }])[0].figures.map((/** @type {string} */ figure) => ({
    name: figure.replaceAll('_', ' '),
    path: `${path}/figures/${encodeURIComponent(figure)}.png`,
    title: `Sheetrack ${run} ${figure}`,
    description: `${figure.replaceAll('_', ' ')} of run ${run}`,
  }));
}

/** @param {string} a @param {string} b @returns {Picture} */
function comparisonPicture_(a, b) {
  return {
    name: 'comparison',
    path: `/api/comparisons/${encodeURIComponent(a)}/${encodeURIComponent(b)}.png`,
    title: `Sheetrack ${a} ${b}`,
    description: `comparison of ${a} with ${b}`,
  };
}

/**
 * Inserts pictures right of a cell, one below the other. One that is shown again replaces the old one.
 *
 * @param {GoogleAppsScript.Spreadsheet.Range} cell
 * @param {Picture[]} pictures
 */
function insertPictures_(cell, pictures) {
  const sheet = cell.getSheet();
  const column = Math.min(cell.getColumn() + 1, sheet.getMaxColumns());
  let row = cell.getRow();
  for (const { path, title, description } of pictures) {
    const png = fetchPng_(path);
    const missing = row - sheet.getMaxRows();
    if (missing > 0) sheet.insertRowsAfter(sheet.getMaxRows(), missing);
    const old = sheet.getImages().filter((shown) => shown.getAltTextTitle() === title);
    const image = sheet.insertImage(png, column, row);
    image.setAltTextTitle(title).setAltTextDescription(description);
    for (const shown of old) shown.remove();
    row = rowBelow_(sheet, row, image.getHeight());
  }
}

/**
 * The row under a picture, and a blank one between: rows differ in height.
 *
 * @param {GoogleAppsScript.Spreadsheet.Sheet} sheet @param {number} row @param {number} height in pixels
 */
function rowBelow_(sheet, row, height) {
  const last = sheet.getMaxRows();
  let left = height;
  let at = row;
  for (; left > 0 && at <= last; at++) left -= sheet.getRowHeight(at);
  return at + Math.ceil(Math.max(0, left) / NEW_ROW_HEIGHT) + 1;
}
