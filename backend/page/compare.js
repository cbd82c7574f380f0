// Several runs beside each other: their learning curves in one chart, and whether their differences may be chance.

import { make } from './cells.js';
import { COLOURS, drawCurves } from './curves.js';
import { curve } from './run.js';
import { drawTable } from './table.js';

const WIDE = 700; // pixels; two charts side by side

/**
 * @param {{ runs: { run: string, title: string, history: any[] }[], table: any }} content as in /api/comparisons
 * @param {number} width in pixels
 */
export function drawComparison({ runs, table }, width) {
  const head = make('section', '', 'head');
  head.append(make('h2', `${runs.length} ${runs.length === 1 ? 'run' : 'runs'} compared`));
  const each = width >= WIDE ? Math.floor((width - 48) / 2) : width - 24;
  const charts = make('div', '', 'charts');
  const drawn = (/** @type {string} */ title, /** @type {string} */ field, /** @type {boolean} */ isShare) => drawCurves(
    title,
    runs.map(({ run, title: name, history }, place) => curve(`${run} ${name}`, history, field, place % COLOURS, place >= COLOURS)),
    each,
    isShare,
  );
  charts.append(
    drawn('Validation accuracy', 'validation_accuracy', true),
    drawn('Validation loss', 'validation_loss', false),
    drawn('Training loss', 'loss', false),
  );
  const section = make('section');
  section.append(make('h2', 'Learning curves'), charts);
  const tables = drawTable(table);
  for (const part of tables) part.classList.remove('alone');
  return [head, ...tables, section];
}
