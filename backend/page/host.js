'use strict';
// Runs one function of the add-on's server files, unchanged, with stand-ins for the Google services they use.
// Requests are synchronous, as in Google.
{
  const scope = /** @type {any} */ (self);
  /** The key of the session, which session.js stored. @type {string | null} */
  let sessionKey = null;
  /** Who asks, as they entered it. @type {string | null} */
  let person = null;

  /** @param {any} request */
  const fetchNow = ({ url, method = 'get', headers = {}, contentType, payload, timeoutSeconds }) => {
    const request = new XMLHttpRequest();
    request.open(method.toUpperCase(), url, false);
    request.timeout = timeoutSeconds * 1000;
    if (contentType) request.setRequestHeader('Content-Type', contentType);
    if (person) request.setRequestHeader('X-Sheetrack-Person', encodeURIComponent(person));
    if (sessionKey) request.setRequestHeader('X-Sheetrack-Key', sessionKey);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(payload ?? null);
    return { getResponseCode: () => request.status, getContentText: () => request.responseText };
  };

  scope.UrlFetchApp = { fetchAll: (/** @type {any[]} */ requests) => requests.map(fetchNow) };
  scope.PropertiesService = { getScriptProperties: () => ({ getProperty: () => location.origin }) };
  scope.ScriptApp = { getIdentityToken: () => null }; // the session's cookie and key identify the person
  scope.LockService = { getUserLock: () => ({ tryLock: () => true, releaseLock() {} }) }; // the idempotency key is enough here
  scope.SpreadsheetApp = {
    getActive: () => ({
      getSheetByName(/** @type {string} */ name) {
        const tab = { activate: () => scope.postMessage({ tab: name }) };
        if (/^Run [\w-]+$/.test(name)) return tab; // drawn when it is asked for
        const answer = fetchNow({ url: `${location.origin}/api/tables`, timeoutSeconds: 20 });
        const isThere = JSON.parse(answer.getContentText()).tables.some((/** @type {any} */ tab) => tab.name === name);
        return isThere ? tab : null;
      },
    }),
  };
  const ours = new Set(Object.getOwnPropertyNames(scope));
  scope.importScripts('/apps_script/Backend.js', '/apps_script/Sidebar.js');

  scope.onmessage = (/** @type {MessageEvent} */ { data: { name, given, key, person: asks } }) => {
    sessionKey = key;
    person = asks;
    try {
      if (ours.has(name) || !Object.hasOwn(scope, name)) throw new Error(`The add-on has no function ${name}.`);
      scope.postMessage({ answer: scope[name](...given) ?? null });
    } catch (error) {
      scope.postMessage({ fault: /** @type {Error} */ (error).message });
    }
  };
}
