// The page of one server: its load over an hour, a day or a week, its users, its incidents and what runs there now.

import { make } from './cells.js';
import { drawChart, moment } from './chart.js';
import { drawGrid, drawTable } from './table.js';

/**
 * @typedef {import('./table.js').Section} Section
 * @typedef {import('./cells.js').Cell} Cell
 * @typedef {object} History
 * @property {{ at: string, cpu_percent: number | null, memory_used_percent: number | null, gpu_percent: number | null,
 *   gpu_memory_percent: number | null }[]} points oldest first
 * @property {{ state: string, reason: string, from: string, to: string | null }[]} incidents newest first; `to` null: it lasts
 * @property {{ person: string, gpu_hours: number, idle_gpu_hours: number }[]} usage
 * @property {{ gpu: string, index: number, points: { at: string, use_percent: number | null, memory_used_percent: number | null }[] }[]} gpus
 */

const HOUR = 3_600_000;
const WIDE = 700; // pixels; two charts side by side

/** The ranges of the charts, and into how many rows their numbers are summed. */
const RANGES = { hour: { ms: HOUR, numbers: 12 }, day: { ms: 24 * HOUR, numbers: 24 }, week: { ms: 168 * HOUR, numbers: 28 } };

/** @typedef {keyof typeof RANGES} Range */
/** @typedef {'cpu_percent' | 'memory_used_percent' | 'gpu_percent' | 'gpu_memory_percent'} Quantity */

/** @type {[Quantity, string][]} */
const HOST = [['cpu_percent', 'CPU'], ['memory_used_percent', 'Memory']];
/** @type {[Quantity, string][]} */
const GPU = [['gpu_percent', 'GPU'], ['gpu_memory_percent', 'GPU memory']];

/** @param {Range} range */
export const since = (range) => new Date(Date.now() - RANGES[range].ms).toISOString();

/**
 * @param {any} server as in /api/servers
 * @param {History} history
 * @param {Range} range
 * @param {number} width in pixels
 * @param {boolean} showsNumbers whether the charts are also shown as numbers
 * @returns {HTMLElement[]}
 */
export function drawServer(server, history, range, width, showsNumbers) {
  // What a silent server answered last is the only trace of why it fell silent.
  const snapshot = server.last ?? server.snapshot;
  const when = server.last ? 'when last seen' : 'now';
  const gpus = snapshot?.gpus ?? [];
  const hasGpus = gpus.length || history.points.some((point) => point.gpu_percent !== null);
  const quantities = hasGpus ? [...HOST, ...GPU] : HOST;
  const sections = [
    ...(gpus.length ? [gpuSection(gpus), processSection(gpus, when)] : []),
    topSection(snapshot?.host?.top ?? [], when),
    ...(snapshot?.host?.disks?.length ? [diskSection(snapshot.host.disks)] : []),
    ...(hasGpus ? [usageSection(history, range)] : []),
    incidentSection(history, range),
  ];
  return [
    drawHead(server),
    drawCharts(history, range, quantities, width, showsNumbers),
    ...(history.gpus.length > 1 ? [drawGpuCharts(history, range, width)] : []),
    ...drawTable({ name: server.name, sections }),
  ];
}

/** @param {any} server */
function drawHead({ name, verdict, snapshot, last, seen_at: seenAt, reserved, faults = [], advice = [] }) {
  const section = make('section', '', 'head');
  const says = make('p');
  says.append(make('span', verdict.state, `tone ${verdict.state}`), ' ', make('span', verdict.reason, 'soft'));
  const whose = `reserved by ${reserved}`;
  if (reserved && !verdict.reason.includes(whose)) says.append(make('span', ` · ${whose}`, 'soft'));
  section.append(make('h2', name), says);
  for (const { what, detail, count } of faults) {
    const words = [count, what, detail].filter(Boolean).join(' ');
    if (!verdict.reason.includes(words)) section.append(make('p', words, 'tone bad'));
  }
  const facts = factsOf((last ?? snapshot)?.host ?? {});
  if ((last || !snapshot?.host) && seenAt) facts.push(`last seen ${moment(Date.parse(seenAt))}`);
  if (facts.length) section.append(make('p', facts.join(' · '), 'soft'));
  for (const words of advice) section.append(make('p', words, 'soft'));
  return section;
}

/** @param {any} host */
function factsOf({ cpu_count: cores, load_1min: load, memory_total_mib: memory, disk_free_gib: disk, booted_at: bootedAt }) {
  return [
    cores != null && `${cores} CPU cores`,
    load != null && `load ${load.toFixed(1)}`,
    memory != null && `${(memory / 1024).toFixed(0)} GiB of memory`,
    disk != null && `${disk.toFixed(0)} GiB of disk free`,
    bootedAt && `started ${moment(Date.parse(bootedAt))}`,
  ].filter(Boolean);
}

/**
 * @param {History} history
 * @param {Range} range
 * @param {[Quantity, string][]} quantities
 * @param {number} width
 * @param {boolean} showsNumbers
 */
function drawCharts({ points, incidents }, range, quantities, width, showsNumbers) {
  const to = Date.now();
  const span = { name: range, from: to - RANGES[range].ms, to };
  const section = make('section');
  const ranges = make('div', '', 'switch');
  ranges.setAttribute('role', 'group');
  ranges.setAttribute('aria-label', 'How far back');
  for (const name of Object.keys(RANGES)) {
    const button = make('button', name);
    button.type = 'button';
    button.dataset.range = name;
    button.setAttribute('aria-pressed', String(name === range));
    ranges.append(button);
  }
  const charts = make('div', '', 'charts');
  const shaded = incidents.map((incident) => ({ tone: toneOf(incident), from: Date.parse(incident.from), to: incident.to ? Date.parse(incident.to) : to }));
  const each = width >= WIDE ? Math.floor((width - 48) / 2) : width - 24;
  for (const [quantity, title] of quantities) {
    const values = points.map((point) => ({ at: Date.parse(point.at), value: point[quantity] }));
    charts.append(drawChart(title, values, span, shaded, each));
  }
  const numbers = make('details');
  numbers.id = 'numbers';
  numbers.open = showsNumbers;
  numbers.append(make('summary', 'The same in numbers'), drawGrid(numberSection(points, span, range, quantities), 'In numbers'));
  section.append(ranges, charts, numbers);
  return section;
}

/**
 * A chart of the use of each GPU, beside one of its memory.
 *
 * @param {History} history @param {Range} range @param {number} width
 */
function drawGpuCharts({ gpus }, range, width) {
  const to = Date.now();
  const span = { name: range, from: to - RANGES[range].ms, to };
  const charts = make('div', '', 'charts');
  const each = width >= WIDE ? Math.floor((width - 48) / 2) : width - 24;
  for (const { index, points } of gpus) {
    for (const [quantity, title] of /** @type {const} */ ([['use_percent', `GPU ${index}`], ['memory_used_percent', `GPU ${index}, memory`]])) {
      const values = points.map((point) => ({ at: Date.parse(point.at), value: point[quantity] }));
      charts.append(drawChart(title, values, span, [], each));
    }
  }
  const section = make('details');
  section.id = 'gpu-charts';
  section.open = Boolean(/** @type {any} */ (document.getElementById('gpu-charts'))?.open);
  section.append(make('summary', 'Each GPU'), charts);
  return section;
}

/**
 * The mean of each stretch of time.
 *
 * @param {History['points']} points
 * @param {import('./chart.js').Span} span
 * @param {Range} range
 * @param {[Quantity, string][]} quantities
 */
function numberSection(points, span, range, quantities) {
  const { ms, numbers } = RANGES[range];
  const step = ms / numbers;
  const rows = Array.from({ length: numbers }, (_, place) => {
    const from = span.from + place * step;
    const ours = points.filter(({ at }) => Date.parse(at) >= from && Date.parse(at) < from + step);
    return [moment(from), ...quantities.map(([quantity]) => mean(ours.flatMap((point) => point[quantity] ?? [])))];
  });
  return section('', ['From', ...quantities.map(([, title]) => [title, 'percent'])], rows, '');
}

/** @param {number[]} percents @returns {number | null} as a fraction */
const mean = (percents) => (percents.length ? percents.reduce((sum, percent) => sum + percent, 0) / percents.length / 100 : null);

/** @param {any[]} gpus */
function gpuSection(gpus) {
  const columns = ['GPU', 'Name', ['Use', 'percent'], ['Memory used', 'gib'], ['of', 'gib'], ['°C', 'integer'], ['W', 'integer'], ['of W', 'integer'], 'Fault'];
  return section('GPUs', columns, gpus.map((gpu) => [
    String(gpu.index), gpu.name, fraction(gpu.utilization_percent), gib(gpu.memory_used_mib), gib(gpu.memory_total_mib),
    gpu.temperature_c, gpu.power_w, gpu.power_limit_w, faultOf(gpu),
  ]), '');
}

/** @param {any} gpu @returns {Cell} */
function faultOf({ fault, throttle_reasons: reasons, ecc_uncorrected: ecc, rows_failed: failed, rows_pending: pending }) {
  if (ecc) fault ??= `${ecc} uncorrected ECC errors`;
  if (failed || pending) fault ??= failed ? 'a row of its memory cannot be replaced' : 'needs a reset';
  if (fault) return { kind: 'text', text: fault, tone: 'bad', note: '', tab: null };
  return reasons?.length ? `slowed by ${reasons.join(', ')}` : null;
}

/** @param {any[]} gpus @param {string} when */
function processSection(gpus, when) {
  const rows = gpus.flatMap(({ index, processes }) => (processes ?? []).map((/** @type {any} */ process) => [
    String(index), process.user, process.command, gib(process.memory_mib), String(process.pid),
  ]));
  return section(`On the GPUs ${when}`, ['GPU', 'User', 'Command', ['Memory', 'gib'], 'Process'], rows, 'Nothing runs on the GPUs.');
}

/** @param {any[]} disks */
function diskSection(disks) {
  const rows = disks.map(({ path, free_gib: free, total_gib: total, free_inodes_percent: inodes, read_only: isReadOnly }) => [
    path, free, total, fraction(inodes), isReadOnly ? { kind: 'text', text: 'read-only', tone: 'bad', note: '', tab: null } : null,
  ]);
  return section('Disks', ['Folder', ['Free', 'gib'], ['of', 'gib'], ['Inodes free', 'percent'], 'Fault'], rows, '');
}

/** @param {any[]} top @param {string} when */
function topSection(top, when) {
  const rows = top.map(({ user, command, cpu_percent: cpu, memory_mib: memory, pid }) => [user, command, fraction(cpu), gib(memory), String(pid)]);
  return section(`Top processes ${when}`, ['User', 'Command', ['CPU, of a core', 'percent'], ['Memory', 'gib'], 'Process'], rows, 'Unknown.');
}

/** @param {History} history @param {Range} range */
function usageSection({ usage }, range) {
  const tenths = (/** @type {number} */ hours) => Math.round(hours * 10) / 10;
  const rows = usage.map(({ person, gpu_hours: hours, idle_gpu_hours: idle }) => [person, tenths(hours), tenths(idle)]);
  return section('Who used its GPUs', ['Person', 'GPU-hours', 'of these idle'], rows, `No one in the last ${range}.`);
}

/** @param {History} history @param {Range} range */
function incidentSection({ incidents }, range) {
  const rows = incidents.map(({ state, reason, from, to }) => [
    moment(Date.parse(from)), to ? moment(Date.parse(to)) : 'now',
    ((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000, { kind: 'text', text: state, tone: toneOf({ state }), note: reason, tab: null },
  ]);
  return section('Incidents', ['From', 'Until', ['Lasted', 'seconds'], 'Verdict'], rows, `None in the last ${range}.`);
}

/** A fault of a GPU is no state of its server. @param {{ state: string }} incident */
const toneOf = ({ state }) => (state.endsWith(' fault') || state === 'reboot' ? 'bad' : state);

/**
 * @param {string} title
 * @param {(string | string[])[]} columns titles, with the format where it is not text
 * @param {Cell[][]} rows
 * @param {string} empty shown where there are no rows
 * @returns {Section}
 */
function section(title, columns, rows, empty) {
  const named = columns.map((column) => {
    const [name, format = 'text'] = [column].flat();
    return { title: name, format, width: 12, heat: false };
  });
  return { title, note: '', columns: named, rows, row_headers: true, heat: 'none', empty, pictures: [] };
}

/** @param {number | null} percent */
const fraction = (percent) => (percent == null ? null : percent / 100);

/** @param {number | null} mib */
const gib = (mib) => (mib === null ? null : mib / 1024);
