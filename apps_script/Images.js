/** Brings pictures into the sheet, as the person who asks: the Sheets API cannot insert any. */

const RUN_ID = /\br[0-9a-f]{6}\b/;
const COMPARISON = /^Compare (\S+) (\S+)/;

/**
 * Shows the figures of a run beside the selected cell; the cell, its tab, or else the person names the run.
 * In the tab of a comparison it shows the picture of that, unless the cell names a run.
 */
function showRunHere() {
  const ui = SpreadsheetApp.getUi();
  const cell = SpreadsheetApp.getCurrentCell();
  const tab = cell.getSheet().getName();
  try {
    const compared = RUN_ID.test(cell.getDisplayValue()) ? null : COMPARISON.exec(tab);
    if (compared) {
      insertPictures_(cell, [comparisonPicture_(compared[1], compared[2])]);
      return;
    }
    let named = `${cell.getDisplayValue()} ${tab}`;
    if (!RUN_ID.test(named)) {
      const answer = ui.prompt('Show run here', 'Which run? For example r3f2a9b', ui.ButtonSet.OK_CANCEL);
      if (answer.getSelectedButton() !== ui.Button.OK) return;
      named = answer.getResponseText();
    }
    const run = RUN_ID.exec(named)?.[0];
    if (!run) throw new Error(`"${named}" names no run. The tab Results lists them, such as r3f2a9b.`);
    insertPictures_(cell, figuresOf_(run));
  } catch (error) {
    ui.alert('Show run here', error instanceof Error ? error.message : String(error), ui.ButtonSet.OK);
  }
}

/** @typedef {{ path: string, title: string, description: string }} Picture the title is its key */

/** @param {string} run @returns {Picture[]} */
function figuresOf_(run) {
  const path = `/api/runs/${run}`;
  return askBackend_([{ path }])[0].figures.map((/** @type {string} */ figure) => ({
    path: `${path}/figures/${encodeURIComponent(figure)}.png`,
    title: `Sheetrack ${run} ${figure}`,
    description: `${figure.replaceAll('_', ' ')} of run ${run}`,
  }));
}

/** @param {string} a @param {string} b @returns {Picture} */
function comparisonPicture_(a, b) {
  return {
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
  let row = cell.getRow();
  for (const { path, title, description } of pictures) {
    const png = fetchPng_(path);
    for (const shown of sheet.getImages()) {
      if (shown.getAltTextTitle() === title) shown.remove();
    }
    const image = sheet.insertImage(png, cell.getColumn() + 1, Math.min(row, sheet.getMaxRows()));
    image.setAltTextTitle(title).setAltTextDescription(description);
    row += Math.ceil(image.getHeight() / sheet.getRowHeight(cell.getRow())) + 1;
  }
}
