/** The menu Sheetrack. */

/** Runs in every authorization mode, so it uses nothing but the menu. */
function onOpen() {
  SpreadsheetApp.getUi()
    .createMenu('Sheetrack')
    .addItem('Open sidebar', 'openSidebar')
    .addItem('Refresh now', 'refreshNow')
    .addItem('Launch training', 'openForm')
    .addItem('Show run here', 'showRunHere')
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
  const address = answer.getResponseText().trim();
  if (/^https:\/\/[^\s/]+/.test(address)) {
    PropertiesService.getScriptProperties().setProperty('backend', address);
  } else {
    ui.alert('Settings', `"${address}" was not saved: an address begins with https://`, ui.ButtonSet.OK);
  }
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
      'Settings: the address of your lab\'s backend.',
      'Sheetrack updates its tabs automatically. It never changes what you type into your own tabs.',
    ].join('\n\n'),
    ui.ButtonSet.OK,
  );
}
