/** The menu Sheetrack. */

/** Runs in every authorization mode, so it uses nothing but the menu. */
function onOpen() {
  SpreadsheetApp.getUi()
    .createMenu('Sheetrack')
    .addItem('Open sidebar', 'openSidebar')
    .addItem('Refresh now', 'refreshNow')
    .addItem('Launch training', 'openForm')
    .addItem('Show run here', 'showRunHere')
    .addItem('Show one figure here', 'showFigureHere')
    .addSeparator()
    .addItem('Settings', 'openSettings')
    .addItem('Help', 'showHelp')
    .addToUi();
}

function onInstall() {
  onOpen();
}

/** Reads all servers now; the tabs are updated automatically. */
function refreshNow() {
  try {
    const [{ servers }] = askBackend_([{ path: '/api/refresh', method: 'post' }]);
    SpreadsheetApp.getActive().toast(inShort_(servers), 'Servers');
  } catch (error) {
    const ui = SpreadsheetApp.getUi();
    ui.alert('Refresh now', error instanceof Error ? error.message : String(error), ui.ButtonSet.OK);
  }
}

/**
 * Such as `Take gpu2. 1 idle, 3 busy.`
 *
 * @param {any[]} servers best first
 */
function inShort_(servers) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { verdict } of servers) counts.set(verdict.state, (counts.get(verdict.state) ?? 0) + 1);
  const take = servers[0]?.suggested ? `Take ${servers[0].name}. ` : '';
  return `${take}${[...counts].map(([state, count]) => `${count} ${state}`).join(', ')}.`;
}

function openSettings() {
  const ui = SpreadsheetApp.getUi();
  const now = backendAddress_();
  const answer = ui.prompt(
    'Settings',
    `Address of your lab's backend, beginning with https://${now && `\nNow: ${now}`}`,
    ui.ButtonSet.OK_CANCEL,
  );
  if (answer.getSelectedButton() !== ui.Button.OK) return;
  try {
    const address = understoodAddress_(answer.getResponseText());
    const refusal = tryAddress_(address);
    PropertiesService.getScriptProperties().setProperty('backend', address);
    ui.alert('Settings', `Sheetrack answers at ${address}. ${refusal}`.trim(), ui.ButtonSet.OK);
  } catch (error) {
    ui.alert('Settings', `Not saved: ${error instanceof Error ? error.message : String(error)}`, ui.ButtonSet.OK);
  }
}

/**
 * An address as people paste it: with blanks, quotation marks, or a slash at its end.
 *
 * @param {string} text
 * @throws {Error} Google could not call it
 */
function understoodAddress_(text) {
  const pasted = text.replace(/[\s<>"'\u200b-\u200f\u201c-\u201e\ufeff]/g, '').replace(/\/+$/, '');
  const [, host, rest] = /^https:\/\/([^/?#]+)(.*)$/i.exec(pasted) ?? [];
  if (!host) throw new Error(`"${pasted.slice(0, 100)}" is no address that begins with https://`);
  if (rest) throw new Error(`the address ends behind ${host}; leave "${rest.slice(0, 100)}" away.`);
  if (host.includes('@')) throw new Error('an address holds no user name or password.');
  if (/^(localhost|[^:]*\.local|127\..*|10\..*|192\.168\..*|\[.*\])(:\d+)?$/i.test(host)) {
    throw new Error(`Google's servers cannot reach ${host}. Use the address of the tunnel or proxy.`);
  }
  return `https://${host.toLowerCase()}`;
}

function showHelp() {
  const ui = SpreadsheetApp.getUi();
  ui.alert(
    'Sheetrack',
    [
      'Open sidebar: see which server is free, launch a training, follow it, cancel it.',
      'Refresh now: read all servers now, without waiting for the next round.',
      'Launch training: the sidebar with the form on top, for one training or a whole grid.',
      'Show run here: select a cell that names a run; its pictures appear beside it.',
      'Show one figure here: the same, with one of its pictures.',
      'Settings: the address of your lab\'s backend.',
      'Sheetrack updates its tabs automatically. It never changes what you type into your own tabs.',
    ].join('\n\n'),
    ui.ButtonSet.OK,
  );
}
