// The page of one job: what it is, how far it is, and its log, which is followed.

import { link, make } from './cells.js';

/**
 * @param {any} job as in /api/jobs
 * @param {{ lines: string[], size_bytes: number, note: string }} log
 * @returns {HTMLElement[]}
 */
export function drawJob(job, log) {
  const head = make('section', '', 'head');
  const says = make('p');
  says.append(make('b', job.state), ' ', make('span', job.reason, 'soft'));
  head.append(make('h2', `${job.id} · ${job.title}`), says, make('p', factsOf(job).join(' · '), 'soft'));
  const section = make('section');
  const words = make('pre', log.lines.join('\n') || 'Nothing yet.', 'log');
  words.id = 'log';
  words.tabIndex = 0; // what scrolls must be reachable without a mouse
  words.setAttribute('role', 'region');
  words.setAttribute('aria-label', `Log of ${job.id}`);
  section.append(make('h2', 'Log'), drawNote(job, log), words);
  return [head, section];
}

/** @param {any} job @returns {string[]} */
function factsOf({ where, assigned, requested_by: by, command, progress, put_first: first, override }) {
  return [
    where,
    ...(assigned ?? []).map((/** @type {any} */ { index, name, uuid }) => `GPU ${index}${name ? ` (${name})` : ''} ${uuid}`),
    by,
    first && `put first by ${first.by} at ${new Date(first.at).toLocaleString()}`,
    override && `reservations overridden by ${override.by} at ${new Date(override.at).toLocaleString()}`,
    command && `in ${command.folder}`,
    command?.environment && `environment ${command.environment}`,
    progress.epoch && (progress.epochs ? `epoch ${progress.epoch} of ${progress.epochs}` : `epoch ${progress.epoch}`),
  ].filter(Boolean);
}

/** @param {any} job @param {any} log */
function drawNote({ id, state }, { lines, size_bytes: size, note }) {
  const line = make('p', '', 'soft note');
  const whole = link('Whole log', `/api/jobs/${encodeURIComponent(id)}/log.txt`);
  whole.download = `${id}.log`;
  line.append(note || `The last ${lines.length} lines of ${size.toLocaleString('en')} bytes.`, ' ', whole);
  if (state === 'done') line.append(' ', link('Results', `#${encodeURIComponent(`Run ${id}`)}`));
  return line;
}
