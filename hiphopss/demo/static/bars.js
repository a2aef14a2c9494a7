// Which beats of a song begin its bars of four: those on which the kick drum, the bass and what is
// low of the other instruments begin. Where they don't agree, nobody knows.

import { Beats } from "./beats.js";
import { pause } from "./pause.js";

const BEATS = 4; // of a bar
const HOP_SECONDS = 0.005; // between two looks
const SLICE_HOPS = 2048; // looked at at once: some milliseconds of a processor
const LOW_HERTZ = 200; // kick drums and basses are below, snares and hats above
const BEFORE = [-0.09, -0.03]; // seconds around a beat, in which it is not struck yet
const AFTER = [-0.02, 0.06]; // and in which it is
const LEAST_BARS = 6; // any beat may stand out of a few
const LEAST_AHEAD = 1 / 6; // of all that begins, by which the first beat is ahead of the others

/** @typedef {import("./sound.js").Sound} Sound */

/**
 * Find the bars of a song.
 * @param {Beats} beats
 * @param {{drums: Sound, bass: ?Sound, other: ?Sound}} stems
 * @returns {Promise<?Beats>}  Null if it isn't certain.
 */
export async function findBars(beats, { drums, bass, other }) {
  const count = Math.floor((drums.duration - beats.first) / beats.period);
  if (count < LEAST_BARS * BEATS || !bass || !other) return null;
  const shares = [];
  for (const stem of [drums, bass, other]) {
    shares.push(sharesOf(await lowLevels(stem), beats, count));
  }
  const [kick] = shares;
  const all = kick.map((_, place) => shares.reduce((sum, share) => sum + share[place], 0) / 3);
  const [first, second] = [...all].sort((a, b) => b - a);
  const place = all.indexOf(first);
  const certain = first - second >= LEAST_AHEAD && kick[place] === Math.max(...kick);
  return certain ? new Beats(beats.first + place * beats.period, BEATS * beats.period) : null;
}

// How loud it is below a frequency, hop by hop.
async function lowLevels(audio) {
  const hop = Math.round(HOP_SECONDS * audio.sampleRate);
  const levels = new Float32Array(Math.floor(audio.length / hop));
  const rate = 1 - Math.exp((-2 * Math.PI * LOW_HERTZ) / audio.sampleRate);
  let [once, twice] = [0, 0]; // what has passed the filter
  for (let begin = 0; begin < levels.length; begin += SLICE_HOPS) {
    const end = Math.min(begin + SLICE_HOPS, levels.length);
    const channels = await audio.read(begin * hop, (end - begin) * hop);
    for (let n = begin; n < end; n++) {
      let power = 0;
      for (let at = (n - begin) * hop; at < (n - begin + 1) * hop; at++) {
        let sum = 0;
        for (const samples of channels) sum += samples[at];
        once += rate * (sum - once);
        twice += rate * (once - twice);
        power += twice * twice;
      }
      levels[n] = Math.sqrt(power / hop);
    }
    await pause();
  }
  return { levels, seconds: hop / audio.sampleRate };
}

// How much of what begins on beats is on each place of a bar; the same everywhere if nothing does.
function sharesOf({ levels, seconds }, beats, count) {
  const loudest = (beat, [from, to]) => {
    const [first, last] = [from, to].map((apart) => Math.round((beat + apart) / seconds));
    const near = levels.subarray(Math.max(0, first), Math.max(0, last));
    return near.reduce((a, b) => Math.max(a, b), 0);
  };
  const sums = new Array(BEATS).fill(0);
  for (let n = 0; n < count; n++) {
    const beat = beats.first + n * beats.period;
    sums[n % BEATS] += Math.max(0, loudest(beat, AFTER) - loudest(beat, BEFORE));
  }
  const total = sums.reduce((sum, value) => sum + value, 0);
  return sums.map((value) => (total > 0 ? value / total : 1 / BEATS));
}
