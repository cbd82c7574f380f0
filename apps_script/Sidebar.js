/** The sidebar, and the functions that its page may call. */

function openSidebar() {
  SpreadsheetApp.getUi().showSidebar(sidebar_());
}

/** The sidebar with the form on top. */
function openForm() {
  SpreadsheetApp.getUi().showSidebar(sidebar_().append('<script>showForm()</script>'));
}

function sidebar_() {
  return HtmlService.createTemplateFromFile('Sidebar').evaluate().setTitle('Sheetrack');
}

/**
 * Used by Sidebar.html to put its style and script in.
 *
 * @param {string} file
 */
function include(file) {
  return HtmlService.createHtmlOutputFromFile(file).getContent();
}

/** All that the sidebar shows and that changes, in one call: servers, best first, errors of the sheet, jobs, sweeps. */
function getSidebar() {
  return askBackend_([{ path: '/api/sidebar' }])[0];
}

/** What the launch form offers: networks, data sets, and the defaults and limits of its fields. */
function getChoices() {
  const [{ architectures }, { data }, form] = askBackend_([
    { path: '/api/architectures' },
    { path: '/api/data' },
    { path: '/api/form' },
  ]);
  return { architectures, data, form };
}

/**
 * @param {{ key: string, server: string, recipe?: object, command?: object, resources?: object }} request a training, or a program of the
 *   lab's own; with the same key it launches one job, however often it is sent
 * @returns the job
 */
function launchTraining({ key, ...body }) {
  return launchOnce_({ path: '/api/jobs', method: 'post', body, key });
}

/**
 * @param {string} id
 * @returns the job, with its recipe or its command
 */
function getJob(id) {
  return askBackend_([{ path: `/api/jobs/${encodeURIComponent(id)}` }])[0];
}

/**
 * @param {string} id
 * @returns the last lines of the job's log, its size, and what keeps it from being the newest
 */
function getLog(id) {
  return askBackend_([{ path: `/api/jobs/${encodeURIComponent(id)}/log?lines=200` }])[0];
}

/**
 * @param {string} id
 * @returns {string} the whole log of the job
 */
function getWholeLog(id) {
  return fetchText_(`/api/jobs/${encodeURIComponent(id)}/log.txt`);
}

/**
 * @param {{ server: string, recipe: object, grid: object, resources?: object }} request sent again it queues nothing twice
 * @returns how many trainings are new in the queue, or what has to be done before any is
 */
function launchSweep(request) {
  const { queued, preparing } = launchOnce_({ path: '/api/sweeps', method: 'post', body: request });
  return { queued: queued.length, preparing };
}

/** @param {Call} call */
function launchOnce_(call) {
  const lock = LockService.getUserLock();
  if (!lock.tryLock(30000)) {
    throw new Error('Another launch of yours is in progress. Look at the jobs, then try again.');
  }
  try {
    return askBackend_([call])[0];
  } finally {
    lock.releaseLock();
  }
}

/**
 * @param {string} id @param {boolean} on whether its waiting jobs are held; otherwise they continue
 */
function pauseSweep(id, on) {
  askBackend_([{ path: `/api/sweeps/${encodeURIComponent(id)}/${on ? 'pause' : 'resume'}`, method: 'post' }]);
}

/** @param {string} id a sweep; all its jobs that wait or run end */
function cancelSweep(id) {
  askBackend_([{ path: `/api/sweeps/${encodeURIComponent(id)}/cancel`, method: 'post' }]);
}

/**
 * @param {string} server @param {string} reason why it is out of use; empty ends the maintenance
 */
function setMaintenance(server, reason) {
  const path = `/api/servers/${encodeURIComponent(server)}/maintenance`;
  askBackend_([reason ? { path, method: 'post', body: { reason } } : { path, method: 'delete' }]);
}

/** @param {string} server whose missing GPUs are gone for good */
function confirmGpus(server) {
  askBackend_([{ path: `/api/servers/${encodeURIComponent(server)}/confirm-gpus`, method: 'post' }]);
}

/**
 * @param {string} id
 * @returns the job
 */
function cancelJob(id) {
  return askBackend_([{ path: `/api/jobs/${encodeURIComponent(id)}/cancel`, method: 'post' }])[0];
}

/** @param {string} clientId of an add-on that asks to be let in; only the local page may do this */
function acceptAddOn(clientId) {
  askBackend_([{ path: `/api/add-ons/${encodeURIComponent(clientId)}/accept`, method: 'post' }]);
}

/**
 * @param {string} id a job that waits; it overtakes all others
 * @returns the job
 */
function putFirst(id) {
  return askBackend_([{ path: `/api/jobs/${encodeURIComponent(id)}/first`, method: 'post' }])[0];
}

/**
 * @param {string} id a job that waits; it runs in spite of reservations
 * @returns the job
 */
function overrideReservations(id) {
  return askBackend_([{ path: `/api/jobs/${encodeURIComponent(id)}/override`, method: 'post' }])[0];
}

/**
 * @param {string} id
 * @returns the job
 */
function resumeJob(id) {
  return askBackend_([{ path: `/api/jobs/${encodeURIComponent(id)}/resume`, method: 'post' }])[0];
}

/** @param {string} name */
function showTab(name) {
  const tab = SpreadsheetApp.getActive().getSheetByName(name);
  if (!tab) throw new Error(`There is no tab called ${name}. It may not be published yet, or have another name.`);
  tab.activate();
}
