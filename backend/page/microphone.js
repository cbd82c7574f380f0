// A word from the microphone as a WAV file: the loudest stretch of what was recorded, as the clips of Speech Commands are cut.

const EXTRA_SECONDS = 1; // for the time until the person speaks
const HEADER_BYTES = 44;

let stopNow = () => {};

/** Ends the recording in progress early. */
export const stop = () => stopNow();

/** Browsers give a microphone to pages of this machine or over https alone. */
export const hasMicrophone = () => isSecureContext && Boolean(navigator.mediaDevices);

/**
 * @param {number} seconds of the stretch @param {() => void} started called once it records
 * @returns {Promise<Blob>} 16 bits, one channel, at the rate of the microphone
 */
export async function record(seconds, started) {
  const asIs = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: asIs }).catch((error) => { throw new Error(refusal(error.name)); });
  const context = new AudioContext();
  try {
    await context.audioWorklet.addModule('/web/recorder.js');
    const recorder = new AudioWorkletNode(context, 'recorder');
    context.createMediaStreamSource(stream).connect(recorder).connect(context.destination); // it is silent there
    started();
    const samples = await collect(recorder.port, Math.round((seconds + EXTRA_SECONDS) * context.sampleRate));
    if (!samples.length) throw new Error('The microphone gave no sound. Try again.');
    return wav(loudest(samples, Math.round(seconds * context.sampleRate)), context.sampleRate);
  } finally {
    for (const track of stream.getTracks()) track.stop();
    context.close();
  }
}

/** @param {string} name of the browser's error */
function refusal(name) {
  if (name === 'NotFoundError') return 'This machine has no microphone.';
  if (name === 'NotAllowedError') return 'The browser does not let this page use the microphone. Allow it beside the address, then record again.';
  return `The microphone cannot be used (${name}).`;
}

/** @param {MessagePort} port @param {number} most @returns {Promise<Float32Array>} at most so many samples */
function collect(port, most) {
  return new Promise((resolve) => {
    const samples = new Float32Array(most);
    let count = 0;
    stopNow = () => {
      port.onmessage = null;
      resolve(samples.slice(0, count));
    };
    port.onmessage = ({ data }) => {
      const part = data.subarray(0, most - count);
      samples.set(part, count);
      count += part.length;
      if (count === most) stopNow();
    };
  });
}

/** The stretch of `length` samples with the most energy. @param {Float32Array} samples @param {number} length */
export function loudest(samples, length) {
  let energy = 0;
  let [most, end] = [-1, samples.length];
  for (let place = 0; place < samples.length; place += 1) {
    energy += samples[place] ** 2 - (place >= length ? samples[place - length] ** 2 : 0);
    if (place >= length - 1 && energy > most) [most, end] = [energy, place + 1];
  }
  return samples.subarray(Math.max(0, end - length), end);
}

/** @param {Float32Array} samples @param {number} rate in Hz */
function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + 2 * samples.length));
  const text = (/** @type {number} */ at, /** @type {string} */ words) => [...words].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  text(0, 'RIFF');
  view.setUint32(4, HEADER_BYTES - 8 + 2 * samples.length, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true); // bytes of the format, which follows: PCM, one channel
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, place) => view.setInt16(HEADER_BYTES + 2 * place, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true));
  return new Blob([view], { type: 'audio/wav' });
}
