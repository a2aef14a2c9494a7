// Mixes for downloads, block by block: a file of any kind is made of them as they come.

import { Course } from "./course.js";
import { buildMixer, isAudible } from "./graph.js";
import { isBent, shifted } from "./shifter.js";

const BLOCK = 1 << 17; // samples that are rendered at a time: 3 seconds at 44.1 kHz

/**
 * A mix that is being rendered.
 * @typedef {object} Rendering
 * @property {number} sampleRate
 * @property {number} channels  2.
 * @property {number} nSamples  Of each channel, of all blocks together.
 * @property {AsyncIterable<Float32Array[]>} blocks  One array a channel; they follow one another
 *   without a gap, can be asked for once, and belong to who asks for them. The next one is rendered
 *   when it is asked for.
 */

/**
 * Render a mix of stems, in stereo.
 * @param {Object<string, import("./sound.js").Sound>} stems
 * @param {import("./graph.js").Mix} mix  It must not be changed before all is rendered.
 * @param {?{start: number, end: number}} [part]  In seconds, on samples; all of it by default.
 * @returns {Rendering}
 */
export function renderMix(stems, mix, part = null) {
  const [{ length, sampleRate }] = Object.values(stems);
  const first = part ? Math.round(part.start * sampleRate) : 0;
  const last = part ? Math.min(Math.round(part.end * sampleRate), length) : length;
  const course = new Course({ first, last, tempo: mix.tempo });
  const nSamples = course.length;
  const heard = blocksOf(mixed(stems, mix), course);
  const blocks = isBent(mix) ? shifted(heard, mix, { sampleRate, nSamples }) : heard;
  return { sampleRate, channels: 2, nSamples, blocks };
}

async function* blocksOf(sound, course) {
  for (let at = 0; at < course.length; at += BLOCK) {
    yield course.read(sound, at, Math.min(BLOCK, course.length - at));
  }
}

// The mix as a sound, which is rendered where it is read: the desk has no memory of what passed.
function mixed(stems, mix) {
  const sources = Object.keys(stems);
  const { sampleRate, channels } = stems[sources[0]];
  const read = async (first, count) => {
    const context = new OfflineAudioContext(2, count, sampleRate);
    const mixer = buildMixer(context, sources, channels);
    mixer.set(mix);
    const begin = async (source) => {
      const buffer = new AudioBuffer({ length: count, numberOfChannels: channels, sampleRate });
      const samples = await stems[source].read(first, count);
      samples.forEach((one, channel) => buffer.copyToChannel(one, channel));
      const node = new AudioBufferSourceNode(context, { buffer });
      node.connect(mixer.inputs[source]);
      node.start();
    };
    await Promise.all(sources.filter((source) => isAudible(mix, source)).map(begin));
    const rendered = await context.startRendering();
    return [0, 1].map((channel) => rendered.getChannelData(channel));
  };
  return { channels: 2, read };
}
