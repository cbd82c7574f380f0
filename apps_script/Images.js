/** Brings a run's figures into the sheet, as the person who asks: the Sheets API cannot insert pictures. */

const RUN_ID = /\br[0-9a-f]{6}\b/;

/** Shows the figures of a run beside the selected cell; the cell, its tab, or else the person names the run. */
function showRunHere() {
  const ui = SpreadsheetApp.getUi();
  const cell = SpreadsheetApp.getCurrentCell();
  let named = `${cell.getDisplayValue()} ${cell.getSheet().getName()}`;
  if (!RUN_ID.test(named)) {
    const answer = ui.prompt('Show run here', 'Which run? For example r3f2a9b', ui.ButtonSet.OK_CANCEL);
    if (answer.getSelectedButton() !== ui.Button.OK) return;
    named = answer.getResponseText();
  }
  try {
    const run = RUN_ID.exec(named)?.[0];
    if (!run) throw new Error(`"${named}" names no run. The tab Results lists them, such as r3f2a9b.`);
    insertFigures_(run, cell);
  } catch (error) {
    ui.alert('Show run here', error instanceof Error ? error.message : String(error), ui.ButtonSet.OK);
  }
}

/**
 * A picture's alternative text is its key: shown again, it replaces the old one.
 *
 * @param {string} run
 * @param {GoogleAppsScript.Spreadsheet.Range} cell
 */
function insertFigures_(run, cell) {
  const sheet = cell.getSheet();
  const path = `/api/runs/${run}`;
  let row = cell.getRow();
  for (const figure of askBackend_([{ path }])[0].figures) {
    const png = fetchPng_(`${path}/figures/${encodeURIComponent(figure)}.png`);
    const title = `Sheetrack ${run} ${figure}`;
    for (const shown of sheet.getImages()) {
      if (shown.getAltTextTitle() === title) shown.remove();
    }
    const image = sheet.insertImage(png, cell.getColumn() + 1, Math.min(row, sheet.getMaxRows()));
    image.setAltTextTitle(title).setAltTextDescription(`${figure.replaceAll('_', ' ')} of run ${run}`);
    row += Math.ceil(image.getHeight() / sheet.getRowHeight(cell.getRow())) + 1;
  }
}
