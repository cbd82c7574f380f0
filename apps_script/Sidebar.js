/** The sidebar, and the functions that its page may call. */

function openSidebar() {
  const page = HtmlService.createTemplateFromFile('Sidebar').evaluate().setTitle('Sheetrack');
  SpreadsheetApp.getUi().showSidebar(page);
}

/**
 * Used by Sidebar.html to put its style and script in.
 *
 * @param {string} file
 */
function include(file) {
  return HtmlService.createHtmlOutputFromFile(file).getContent();
}

/** What changes all the time: the servers, best first, and the newest jobs. */
function getSidebar() {
  const [{ servers }, { jobs }] = askBackend_([{ path: '/api/servers' }, { path: '/api/jobs?limit=20' }]);
  return { servers, jobs };
}

/** What one can choose from: the networks and the data sets. */
function getChoices() {
  const [{ architectures }, { data }] = askBackend_([{ path: '/api/architectures' }, { path: '/api/data' }]);
  return { architectures, data };
}

/**
 * @param {{ key: string, server: string, recipe: object }} request with the same key it launches one job,
 *   however often it comes
 * @returns the job
 */
function launchTraining({ key, server, recipe }) {
  const lock = LockService.getUserLock();
  if (!lock.tryLock(30000)) {
    throw new Error('Another launch of yours is still under way. Look at the jobs, then try again.');
  }
  try {
    return askBackend_([{ path: '/api/jobs', method: 'post', body: { server, recipe }, key }])[0];
  } finally {
    lock.releaseLock();
  }
}

/**
 * @param {string} id
 * @returns the job
 */
function cancelJob(id) {
  return askBackend_([{ path: `/api/jobs/${encodeURIComponent(id)}/cancel`, method: 'post' }])[0];
}

/** @param {string} name */
function showTab(name) {
  const tab = SpreadsheetApp.getActive().getSheetByName(name);
  if (!tab) throw new Error(`There is no tab called ${name}. It may still be on its way, or have another name now.`);
  tab.activate();
}
