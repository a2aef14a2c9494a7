// Mixes for downloads, block by block: a file of any kind is made of them as they come.

import { buildMixer, startTracks } from "./graph.js";
import { isBent, makeShifter } from "./shifter.js";

const MOST_LATENCY = 0.5; // of a shifter, in seconds
const BLOCK_SECONDS = 5;

/**
 * A mix that is being rendered.
 * @typedef {object} Rendering
 * @property {number} sampleRate
 * @property {number} channels  2.
 * @property {number} nSamples  Of each channel, of all blocks together.
 * @property {AsyncIterable<Float32Array[]>} blocks  One array a channel; they follow one another
 *   without a gap, can be asked for once, and are whoever's asks for them: nothing else uses their
 *   memory. The next one is rendered when it is asked for.
 */

/**
 * Render a mix of stems, in stereo.
 * @param {Object<string, AudioBuffer>} stems
 * @param {import("./graph.js").Mix} mix
 * @param {?{start: number, end: number}} [part]  In seconds, on samples; all of it by default.
 * @returns {Promise<Rendering>}
 */
export async function renderMix(stems, mix, part = null) {
  const sources = Object.keys(stems);
  const { length, sampleRate, numberOfChannels } = stems[sources[0]];
  const first = part ? Math.round(part.start * sampleRate) : 0;
  const last = part ? Math.min(Math.round(part.end * sampleRate), length) : length;
  const nSamples = Math.round((last - first) / mix.tempo);
  // Its latency is known only once there is a context, whose length must be known by then.
  const spare = isBent(mix) ? Math.ceil(MOST_LATENCY * sampleRate) : 0;
  const context = new OfflineAudioContext(2, nSamples + spare, sampleRate);
  const mixer = buildMixer(context, sources, numberOfChannels);
  mixer.set(mix);
  const seconds = (last - first) / sampleRate;
  startTracks(context, mixer, stems, { offset: first / sampleRate, seconds, tempo: mix.tempo });
  let skipped = 0;
  if (isBent(mix)) {
    const shifter = await makeShifter(context);
    await shifter.set(mix);
    mixer.through(shifter, null);
    skipped = Math.round(shifter.latency * sampleRate);
  }
  const blocks = blocksOf(await context.startRendering(), skipped, nSamples);
  return { sampleRate, channels: 2, nSamples, blocks };
}

async function* blocksOf(audio, first, nSamples) {
  const most = BLOCK_SECONDS * audio.sampleRate;
  for (let at = 0; at < nSamples; at += most) {
    const block = [0, 1].map(() => new Float32Array(Math.min(most, nSamples - at)));
    block.forEach((samples, channel) => audio.copyFromChannel(samples, channel, first + at));
    yield block;
  }
}
