'use strict';
// google.script.run and google.script.host for the add-on's sidebar outside Google, and google.script.page for what
// only the local page can do. Each call runs the add-on's server files in a new worker, as Google runs each call
// separately.
const google = (() => {
  /** @typedef {{ onSuccess?: Function, onFailure?: Function, object?: unknown }} Handlers */

  /** @param {string} name @param {unknown[]} given @param {Handlers} handlers */
  function call(name, given, handlers) {
    given.forEach(refuseForeign);
    const worker = new Worker('/web/host.js');
    worker.onmessage = ({ data }) => {
      if (data.tab) {
        parent.postMessage({ tab: data.tab }, location.origin);
        return;
      }
      worker.terminate();
      if (data.fault === undefined) handlers.onSuccess?.(data.answer, handlers.object);
      else handlers.onFailure?.(new Error(data.fault), handlers.object);
    };
    worker.onerror = () => {
      worker.terminate();
      handlers.onFailure?.(new Error('The backend does not answer. Start it with "sheetrack up".'), handlers.object);
    };
    worker.postMessage({ name, given, key: localStorage.getItem('sheetrack-key'), person: localStorage.getItem('sheetrack-person') });
  }

  /** Google takes neither dates nor functions. @param {unknown} value */
  function refuseForeign(value) {
    if (value instanceof Date || typeof value === 'function') throw new TypeError('google.script.run takes neither dates nor functions');
    if (value instanceof Object) Object.values(value).forEach(refuseForeign);
  }

  /** @param {Handlers} handlers @returns {any} */
  const runWith = (handlers) => new Proxy({}, {
    get(_, /** @type {string} */ name) {
      if (name === 'withSuccessHandler') return (/** @type {Function} */ onSuccess) => runWith({ ...handlers, onSuccess });
      if (name === 'withFailureHandler') return (/** @type {Function} */ onFailure) => runWith({ ...handlers, onFailure });
      if (name === 'withUserObject') return (/** @type {unknown} */ object) => runWith({ ...handlers, object });
      if (name.endsWith('_')) return undefined; // private
      return (/** @type {unknown[]} */ ...given) => call(name, given, handlers);
    },
  });

  const editor = { focus: () => parent.postMessage({ focus: true }, location.origin) };
  const page = {
    openServer: (/** @type {string} */ name) => parent.postMessage({ server: name }, location.origin),
    /** @param {(data: any) => void} take what the page beside the sidebar sends */
    onMessage: (take) => addEventListener('message', ({ origin, data }) => origin === location.origin && take(data)),
  };
  document.documentElement.classList.add('local'); // Google's own page is light, whatever people prefer
  return { script: { run: runWith({}), host: { editor }, page } };
})();
