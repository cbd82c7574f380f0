// The strip of tabs below the workbook.

import { make } from './cells.js';
import { morphChildren } from './table.js';

/** @typedef {{ name: string, label: string, updated_at: string }} Tab */

/** @type {any} */
const strip = document.getElementById('tabs');

/** @param {Tab[]} tabs @param {string} now the one that is shown */
export function drawTabs(tabs, now) {
  const place = Math.max(0, tabs.findIndex(({ name }) => name === now));
  morphChildren(strip, tabs.map(({ name, label }, index) => {
    const tab = make('button', name);
    if (label) {
      tab.append(make('span', ` ${label}`, 'soft'));
      tab.title = `${name} ${label}`;
    }
    tab.type = 'button';
    tab.id = name === now ? 'tab-now' : `tab-${index}`;
    tab.setAttribute('role', 'tab');
    tab.setAttribute('aria-controls', 'sheet');
    tab.setAttribute('aria-selected', String(name === now));
    tab.tabIndex = index === place ? 0 : -1;
    tab.dataset.name = name;
    return tab;
  }));
}

/** @param {string} tab */
export function open(tab) {
  location.hash = `#${encodeURIComponent(tab)}`;
}

strip.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
  const all = [...strip.children];
  const here = all.indexOf(document.activeElement);
  const places = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1 };
  const next = /** @type {Record<string, number>} */ (places)[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const tab = all[(next + all.length) % all.length];
  tab.focus();
  location.replace(`#${encodeURIComponent(tab.dataset.name)}`); // arrows would fill the history
});
strip.addEventListener('click', (/** @type {any} */ { target }) => {
  const tab = target.closest('[data-name]'); // the short title in it may have been hit
  if (tab) open(tab.dataset.name);
});
