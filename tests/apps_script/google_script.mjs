// What Google puts into the sidebar's page; host.mjs writes the text of these functions there.

/**
 * What google.script.run carries of a value, in both directions: a copy of plain data, in which undefined within an
 * array is null. Whatever else is in it (a Date, a function, an element, a circle) fails the call.
 *
 * @returns {string} JSON
 */
export function carried(value) {
  const legal = ['String', 'Number', 'Boolean', 'Null', 'Undefined', 'Object', 'Array'];
  return JSON.stringify(value, function take(key) {
    const kind = Object.prototype.toString.call(this[key]).slice(8, -1);
    if (!legal.includes(kind)) throw new TypeError(`Failed due to illegal value in property: ${key}`);
    return this[key];
  });
}

/** @param {string[]} names of the functions that the page may call */
export function googleScript(names) {
  function call(name, body, { onSuccess, onFailure, object }) {
    const sent = fetch(name, { method: 'POST', body }).then((response) => response.json());
    sent.catch(({ message }) => ({ thrown: `NetworkError: ${message}` })).then(({ answer, thrown }) => {
      if (thrown === undefined) onSuccess?.(answer, object);
      else if (onFailure) onFailure(Object.assign(new Error(thrown), { name: 'ScriptError' }), object);
      else console.error(thrown);
    });
  }

  const runWith = (handlers) => ({
    withSuccessHandler: (onSuccess) => runWith({ ...handlers, onSuccess }),
    withFailureHandler: (onFailure) => runWith({ ...handlers, onFailure }),
    withUserObject: (object) => runWith({ ...handlers, object }),
    ...Object.fromEntries(names.map((name) => [name, (...given) => call(name, carried(given), handlers)])),
  });

  window.google = { script: { run: runWith({}), host: { editor: { focus() {} } } } };
}
