/**
 * Requests to the backend; no other file uses UrlFetchApp.
 *
 * @typedef {object} Call
 * @property {string} path from `/api/` on
 * @property {'get' | 'post' | 'delete'} [method]
 * @property {object} [body] sent as JSON
 * @property {string} [key] makes it safe to repeat a POST
 */

const TIMEOUT_SECONDS = 20;

/**
 * Makes all calls at the same time. Each may be repeated without harm.
 *
 * @param {Call[]} calls
 * @returns {any[]} the answers' JSON, in the order of the calls
 * @throws {Error} one sentence for people: what is wrong and what to do
 */
function askBackend_(calls) {
  return send_(calls).map((response) => {
    const answer = parsed_(response);
    if (!answer) throw new Error(refusal_(response, backendAddress_()));
    return answer;
  });
}

/**
 * @param {string} path
 * @throws {Error} as askBackend_
 */
function fetchPng_(path) {
  return send_([{ path }])[0].getBlob();
}

/**
 * @param {string} path
 * @throws {Error} as askBackend_
 */
function fetchText_(path) {
  return send_([{ path }])[0].getContentText();
}

/** @returns {string} without a slash at its end; empty when it is not set */
function backendAddress_() {
  return (PropertiesService.getScriptProperties().getProperty('backend') ?? '').replace(/\/+$/, '');
}

/**
 * @param {Call[]} calls
 * @param {string} [address] where to, by default the backend of Settings
 */
function send_(calls, address = backendAddress_()) {
  const responses = responses_(calls, address);
  const refused = responses.find((response) => response.getResponseCode() >= 300);
  if (refused) throw new Error(refusal_(refused, address));
  return responses;
}

/** @param {Call[]} calls @param {string} address */
function responses_(calls, address) {
  if (!address) throw new Error('The address of the backend is not set. Enter it in the menu Sheetrack, Settings.');
  const token = ScriptApp.getIdentityToken();
  return fetchTwice_(calls.map(({ path, method, body, key }) => ({
    url: address + path,
    method: method ?? 'get',
    ...(body && { contentType: 'application/json', payload: JSON.stringify(body) }),
    headers: {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(key && { 'Idempotency-Key': key }),
    },
    muteHttpExceptions: true,
    followRedirects: false, // the identity token is for the backend alone
    timeoutSeconds: TIMEOUT_SECONDS,
  })));
}

/** @param {GoogleAppsScript.URL_Fetch.URLFetchRequest[]} requests */
function fetchTwice_(requests) {
  try {
    const responses = UrlFetchApp.fetchAll(requests);
    if (!responses.some((response) => [502, 503, 504].includes(response.getResponseCode()))) return responses;
  } catch (error) {
    const fault = googlesFault_(String(error), requests[0].url);
    if (fault) throw new Error(fault);
    // A broken connection often works the second time.
  }
  try {
    return UrlFetchApp.fetchAll(requests);
  } catch (error) {
    const address = addressOf_(requests[0].url);
    throw new Error(/time.?out|timed out/i.test(String(error))
      ? 'The backend did not answer in time. It may be busy: try again in a minute.'
      : `The backend at ${address} does not answer. See whether it is running, then try again.`);
  }
}

/**
 * What Google says of a call that it does not make, and that does not help to make again.
 *
 * @param {string} text @param {string} url
 * @returns {string} empty: it is not known to be one of those
 */
function googlesFault_(text, url) {
  const address = addressOf_(url);
  if (/too many times|quota|limit exceeded/i.test(text)) {
    return 'Google allows this account no more calls today. Close other sidebars; it goes on when the day is over.';
  }
  if (/permission|authoriz/i.test(text)) {
    return 'The add-on lacks a permission of Google. Choose Sheetrack, Help in the menu and allow what Google asks.';
  }
  if (/DNS/.test(text)) return `Google does not find ${address}. Check the address in Sheetrack, Settings, and the tunnel.`;
  if (/SSL|certificate/i.test(text)) return `Google does not accept the certificate of ${address}. Check the tunnel or proxy there.`;
  return '';
}

/** @param {string} url */
const addressOf_ = (url) => /^https?:\/\/[^/]+/i.exec(url)?.[0] ?? url;

/**
 * Why a response is of no use, in a sentence for people.
 *
 * @param {GoogleAppsScript.URL_Fetch.HTTPResponse} response
 * @param {string} address where it comes from
 */
function refusal_(response, address) {
  const status = response.getResponseCode();
  const error = parsed_(response)?.error;
  if (error) return `${error.message} ${error.hint ?? ''}`.trim();
  if (status === 401) {
    return 'The backend does not know who you are. If several Google accounts are signed in, use a window with one.';
  }
  if (status === 403) return 'You may not do this. Ask the person who runs the backend to add you.';
  if (status >= 500) return `The backend cannot answer now (status ${status}). Try again in a minute.`;
  return `What answers at ${address} is not Sheetrack (status ${status}). Check the address.`;
}

/**
 * Whether Sheetrack answers at an address; a backend that does not let this person in yet is one too.
 *
 * @param {string} address
 * @returns {string} what it said where it does not let us in; empty where it does
 * @throws {Error} something else answers, or nothing
 */
function tryAddress_(address) {
  const [response] = responses_([{ path: '/api/sidebar' }], address);
  const answer = parsed_(response);
  if (answer?.servers) return '';
  if (answer?.error?.code) return refusal_(response, address);
  throw new Error(refusal_(response, address));
}

/**
 * @param {GoogleAppsScript.URL_Fetch.HTTPResponse} response
 * @returns {any} null when it is not JSON
 */
function parsed_(response) {
  try {
    return JSON.parse(response.getContentText());
  } catch {
    return null;
  }
}
