// Hands what the microphone hears to the page, in parts of 128 samples. Runs in the thread of the sound.

const thread = /** @type {any} */ (globalThis); // TypeScript has no types of that thread

thread.registerProcessor('recorder', class extends thread.AudioWorkletProcessor {
  /** @param {Float32Array[][]} inputs */
  process([[samples]]) {
    if (samples) /** @type {any} */ (this).port.postMessage(samples.slice());
    return true;
  }
});
