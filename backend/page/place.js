// What the address names: a tab, a server, a run, or runs that are compared.

import { serverAddress } from './cells.js';

const SERVER = serverAddress('');
const JOB = '#job/'; // as links of earlier releases name the page of a run
const COMPARE = '#compare/';

/** @param {string} part of an address, which people may have typed @returns {string} empty where it is malformed */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

export const namesServer = () => location.hash.startsWith(SERVER);

/** The server that the address names, if any. */
export const wantedServer = () => (namesServer() && decoded(location.hash.slice(SERVER.length))) || null;

/** The run that the address names, if any. */
export function wantedRun() {
  if (location.hash.startsWith(JOB)) return decoded(location.hash.slice(JOB.length)) || null;
  return /^Run ([\w-]{1,64})$/.exec(namedTab())?.[1] ?? null;
}

export const comparesRuns = () => location.hash.startsWith(COMPARE);

/** The runs that the address compares. */
export const comparedRuns = () => location.hash.slice(COMPARE.length).split(',').map(decoded);

/** The tab that the address names, without how its lists are shown. */
const namedTab = () => decoded(location.hash.slice(1).split('?')[0]);

/** The tab to show; the first one where the address names none, or something else. @param {{ name: string }[]} tabs */
export function wantedTab(tabs) {
  if (namesServer()) return tabs[0]?.name || '';
  if (comparesRuns()) return 'Results';
  const run = wantedRun();
  return run === null ? namedTab() || tabs[0]?.name || '' : `Run ${run}`;
}
