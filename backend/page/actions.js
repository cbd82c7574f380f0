// What people do to a run on its page. Changes need the session's key beside the cookie.

const TIMEOUT_MS = 30_000;
const ASKED_MS = 5000;

let waiting = '';
let redraw = () => {};

/** @param {() => void} draw called when a question appears or goes */
export const onAsk = (draw) => { redraw = draw; };

/** The action that waits for a second click; empty: none. */
export const asked = () => waiting;

/**
 * @param {string} path @param {object | Blob} [body] a file is sent as it is @param {number} [timeoutMs]
 * @returns {Promise<any>}
 */
export async function post(path, body = {}, timeoutMs = TIMEOUT_MS) {
  const isFile = body instanceof Blob;
  /** @type {Record<string, string>} */
  const headers = { 'Content-Type': isFile ? 'application/octet-stream' : 'application/json', 'X-Sheetrack-Key': localStorage.getItem('sheetrack-key') ?? '' };
  const person = localStorage.getItem('sheetrack-person');
  if (person) headers['X-Sheetrack-Person'] = encodeURIComponent(person);
  const request = { method: 'POST', headers, body: isFile ? body : JSON.stringify(body), signal: AbortSignal.timeout(timeoutMs) };
  const response = await fetch(path, request).catch(() => null);
  if (!response) throw new Error('The backend does not answer. Nothing was changed.');
  const content = await response.json().catch(() => null);
  if (response.ok) return content;
  const { message = `The backend answers with status ${response.status}.`, hint = '' } = content?.error ?? {};
  throw new Error(`${message} ${hint}`.trim());
}

/**
 * @param {string} name of the action @param {any} page of the run @param {HTMLFormElement} [form] with a name and a note
 * @returns {Promise<string | object>} what the launch form is to be filled with; otherwise a word
 */
export async function act(name, page, form) {
  const path = `/api/runs/${encodeURIComponent(page.run)}`;
  if (name === 'again') return { recipe: page.recipe, command: page.job?.command ?? null, job: page.job, run: page.run };
  if (name === 'cancel' && waiting !== 'cancel') {
    ask('cancel');
    return '';
  }
  ask('');
  if (name === 'cancel') await post(`/api/jobs/${encodeURIComponent(page.run)}/cancel`);
  if (name === 'explain') location.hash = `#${encodeURIComponent(`Run ${(await post(`${path}/explain`)).id}`)}`; // how far it is
  if (name === 'star') await post(`${path}/mark`, { is_starred: !page.mark.is_starred });
  if (name === 'archive') await post(`${path}/mark`, { is_archived: !page.mark.is_archived });
  if (name === 'delete') await post(`${path}/delete`);
  if (name === 'restore') await post(`${path}/restore`);
  if (name === 'note' && form) {
    const given = new FormData(form);
    await post(`${path}/mark`, { name: given.get('name'), note: given.get('note') });
  }
  return name;
}

/** @param {string} name */
function ask(name) {
  waiting = name;
  redraw();
  if (name) setTimeout(() => waiting === name && ask(''), ASKED_MS);
}
