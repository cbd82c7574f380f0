/** The menu Sheetrack. */

/** Runs in every authorization mode, so it asks nothing but the menu. */
function onOpen() {
  SpreadsheetApp.getUi()
    .createMenu('Sheetrack')
    .addItem('Open sidebar', 'openSidebar')
    .addItem('Show run here', 'showRunHere')
    .addSeparator()
    .addItem('Settings', 'openSettings')
    .addItem('Help', 'showHelp')
    .addToUi();
}

function onInstall() {
  onOpen();
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
      'Show run here: select a cell that names a run; its pictures appear beside it.',
      'Settings: where your lab\'s backend answers.',
      'The tabs fill by themselves. What you type into your own tabs is never touched.',
    ].join('\n\n'),
    ui.ButtonSet.OK,
  );
}
