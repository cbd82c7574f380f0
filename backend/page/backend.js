// What the backend answers.

const TIMEOUT_MS = 10_000;

/**
 * @param {string} path
 * @returns {Promise<any>} rejected with a sentence for people, with the code of the error if the backend gave one
 */
export async function get(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => null);
  if (!response) throw new Error('The backend does not answer. Start it with "sheetrack up"; this page then continues.');
  const content = await response.json().catch(() => null);
  if (response.ok && content) return content;
  const { message = `The backend answers with status ${response.status}.`, hint = 'Reload this page.' } = content?.error ?? {};
  throw Object.assign(new Error(`${message} ${hint}`.trim()), { code: content?.error?.code });
}
