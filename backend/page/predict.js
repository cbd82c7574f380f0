// Recordings that the network of a run is asked about: files that are dropped or chosen, or a word from the microphone.

import { post } from './actions.js';
import { copyButton, make, picture, round, shape } from './cells.js';
import { hasMicrophone, record, stop } from './microphone.js';

const LARGEST_BYTES = 1024 * 1024; // as the backend takes
const PREDICT_MS = 100_000;
const MOST_WORDS = 5;
const MOST_KEPT = 10;
const LONGEST_SECONDS = 5; // at 96 kHz as large as the backend takes
const [WIDTH, HEIGHT] = [320, 56];

/**
 * @typedef {{ name: string, sound: string, words: [string, number][], seconds: number, waveform: number[], fault: string }} Asked
 */

/** The run that was asked, and what was answered, the newest first. @type {{ run: string, asked: Asked[], doing: string }} */
let state = { run: '', asked: [], doing: '' };
let redraw = () => {};

/** @param {() => void} draw called when there is something new to draw */
export const onPrediction = (draw) => { redraw = draw; };

/** @param {any} page of a run */
export const canPredict = (page) => Boolean(page?.recipe) && hasFile(page, 'result.json') && hasFile(page, 'checkpoint.pt');

/** @param {any} page @param {string} wanted */
const hasFile = (page, wanted) => page.files.some((/** @type {any} */ { name }) => name === wanted);

/** @param {any} page of a run @returns {HTMLElement[]} nothing where its network cannot be asked */
export function drawPredictions(page) {
  if (!page.recipe || !hasFile(page, 'result.json')) return [];
  const section = make('section', '', 'predict');
  section.append(make('h2', 'Predict a recording'));
  if (!canPredict(page)) {
    const other = make('p', 'The checkpoint is on the server of the run. ', 'soft');
    other.append(copyButton(`sheetrack fetch ${page.run}`, 'Copy the command that fetches it'));
    section.append(other);
    return [section];
  }
  const { asked, doing } = state.run === page.run ? state : { asked: [], doing: '' };
  const ways = make('p', '', 'actions');
  const choose = make('label', 'Choose files', 'button');
  const files = make('input');
  Object.assign(files, { type: 'file', id: 'recordings', multiple: true, accept: 'audio/*,.wav,.flac,.ogg,.opus,.mp3' });
  choose.append(files);
  ways.append(choose);
  if (hasMicrophone()) {
    const button = make('button', doing === 'recording' ? 'Stop' : 'Record a word');
    button.type = 'button';
    button.dataset.record = '';
    ways.append(button);
  }
  const says = make('p', doing === 'recording' ? 'Recording: say the word.' : doing || hint(), 'soft');
  says.setAttribute('role', 'status');
  section.append(ways, says, ...asked.map(drawAsked));
  return [section];
}

/** What can be done, in words. */
function hint() {
  const files = 'Or drop files here: WAV, FLAC, OGG or MP3 up to 1 MiB.';
  return hasMicrophone() ? files : `${files} The microphone needs this page at localhost (ssh -L) or over https.`;
}

/** @param {Asked} asked */
function drawAsked({ name, sound, words, seconds, waveform, fault }) {
  const figure = make('figure', '', 'heard');
  const caption = make('figcaption');
  const play = make('button', '▶', 'play');
  play.type = 'button';
  play.dataset.sound = sound;
  play.setAttribute('aria-label', `Play ${name}`);
  caption.append(play, ' ', make('b', name), ' ', make('span', fault ? '' : `${seconds.toFixed(2)} s`, 'soft'));
  figure.append(caption);
  if (fault) {
    figure.append(make('p', fault, 'bad'));
    return figure;
  }
  const list = make('ol');
  for (const [word, share] of words.slice(0, MOST_WORDS)) {
    const item = make('li');
    const bar = picture(100, 8, '');
    bar.setAttribute('aria-hidden', 'true');
    bar.append(shape('rect', { width: 100, height: 8, class: 'track' }), shape('rect', { width: round(100 * share), height: 8, class: 'fill' }));
    item.append(make('span', word), bar, make('span', `${(100 * share).toFixed(1)} %`, 'n'));
    list.append(item);
  }
  figure.append(drawWaveform(waveform, `Waveform of ${name}`), list);
  return figure;
}

/** @param {number[]} peaks the largest samples of stretches @param {string} label */
function drawWaveform(peaks, label) {
  const svg = picture(WIDTH, HEIGHT, label);
  const [step, middle] = [WIDTH / peaks.length, HEIGHT / 2];
  svg.append(shape('line', { x1: 0, x2: WIDTH, y1: middle, y2: middle, class: 'rule' }));
  peaks.forEach((peak, place) => {
    const half = Math.max(0.5, peak * middle);
    svg.append(shape('rect', { x: round(place * step), y: round(middle - half), width: round(Math.max(1, step - 1)), height: round(2 * half), class: 'fill' }));
  });
  return svg;
}

/** @param {any} page of the run @param {Iterable<File>} files */
export async function predictFiles(page, files) {
  if (!isReady(page)) return;
  for (const file of files) await ask(page, file.name, file);
}

/** Records a word; while it does, ends it. @param {any} page of the run */
export async function predictWord(page) {
  if (state.doing === 'recording') {
    stop();
    return;
  }
  if (!isReady(page)) return;
  tell('Waiting for the microphone …');
  try {
    const sound = await record(Math.min(page.recipe.seconds, LONGEST_SECONDS), () => tell('recording'));
    await ask(page, 'Microphone', sound);
  } catch (error) {
    tell(/** @type {Error} */ (error).message);
  }
}

/** Forgets what another run was asked. @param {any} page @returns {boolean} whether nothing is in progress */
function isReady(page) {
  if (state.doing.endsWith('…') || state.doing === 'recording') return false;
  if (state.run !== page.run) {
    for (const { sound } of state.asked) URL.revokeObjectURL(sound);
    state = { run: page.run, asked: [], doing: '' };
  }
  return true;
}

/** @param {string} doing */
function tell(doing) {
  state.doing = doing;
  redraw();
}

/** @param {any} page @param {string} name @param {Blob} sound */
async function ask({ run }, name, sound) {
  tell(`Asking the network about ${name} …`);
  /** @type {Asked} */
  const asked = { name, sound: URL.createObjectURL(sound), words: [], seconds: 0, waveform: [], fault: '' };
  try {
    if (sound.size > LARGEST_BYTES) throw new Error(`It is larger than 1 MiB. In a terminal any size works: sheetrack predict ${run} FILE`);
    const { seconds, probabilities, waveform } = await post(`/api/runs/${encodeURIComponent(run)}/predict`, sound, PREDICT_MS);
    Object.assign(asked, { seconds, waveform, words: Object.entries(probabilities) });
  } catch (error) {
    asked.fault = /** @type {Error} */ (error).message;
  }
  state.asked = [asked, ...state.asked];
  for (const { sound: old } of state.asked.splice(MOST_KEPT)) URL.revokeObjectURL(old);
  tell('');
}
