// A grid of a song's beats, from when its drums are struck. It suits songs of one tempo, as most of
// hip hop is; where no grid fits the drums, there is none.

import { pause } from "./pause.js";

const HOP_SECONDS = 0.005; // between two looks at the drums
const SLICE_HOPS = 8192; // looked at at once: some milliseconds of a processor
const [SLOWEST, FASTEST] = [70, 140]; // beats a minute; twice or half of a tempo isn't told apart
const USUAL = 95;
const SPREAD = 0.7; // octaves around the usual tempo in which most are
const STEPS_AT_ONCE = 8; // some milliseconds of a processor
const BARS = 4; // multiples of a period that must fit, too
const UNSURE = 0.015; // of a tempo that is estimated from steps of a few milliseconds
const GIVEN_UNSURE = 0.002; // of one that a song's loops tell
const APART_SECONDS = 0.06; // between two strokes
const NEAR_SECONDS = 0.03; // from a beat: still on it
const PHASES = 100; // of a beat that are tried
const LEAST_SECONDS = 8; // of a song: any grid fits a few strokes
const LEAST_STROKES = 16;
const LEAST_LIKELY = 2.5; // times as many strokes on beats as there would be by chance

/** A steady grid. */
export class Beats {
  /** Seconds at which the grid begins: the first beat, perhaps a moment before the song. */
  first;
  /** Seconds from beat to beat. */
  period;
  /** The grid of the song's bars, if they are known. @type {?Beats} */
  bars = null;

  /** @param {number} beat  The moment of any beat, in seconds. @param {number} period */
  constructor(beat, period) {
    this.period = period;
    this.first = beat - Math.floor((beat + NEAR_SECONDS) / period) * period;
  }

  /** The beat that is nearest to a moment. @param {number} seconds @returns {number} */
  nearest(seconds) {
    const number = Math.max(0, Math.round((seconds - this.first) / this.period));
    return Math.max(0, this.first + number * this.period);
  }

  /** The tempo, for people. @returns {string} */
  get inWords() {
    return `about ${(60 / this.period).toFixed(1)} a minute`;
  }
}

/**
 * Find the beats of a song.
 * @param {import("./sound.js").Sound} drums
 * @param {?number} tempo  Beats a minute, where it is known.
 * @returns {Promise<?Beats>}  Null if no grid fits.
 */
export async function findBeats(drums, tempo) {
  if (drums.duration < LEAST_SECONDS) return null;
  const attacks = await attacksOf(drums);
  const strokes = strokesOf(attacks);
  if (strokes.length < LEAST_STROKES) return null;
  const rough = tempo ? 60 / tempo : (await likeliestPeriod(attacks));
  const period = await finePeriod(strokes, rough, tempo ? GIVEN_UNSURE : UNSURE, drums.duration);
  const { beat, share } = bestPhase(strokes, period);
  const byChance = (2 * NEAR_SECONDS) / period;
  return share > LEAST_LIKELY * byChance ? new Beats(beat, period) : null;
}

// How much the level rises, hop by hop.
async function attacksOf(audio) {
  const hop = Math.round(HOP_SECONDS * audio.sampleRate);
  const count = Math.floor(audio.length / hop);
  const attacks = { rises: new Float32Array(count), seconds: hop / audio.sampleRate };
  let before = Infinity; // a song that begins loud is not struck by that
  for (let begin = 0; begin < count; begin += SLICE_HOPS) {
    const end = Math.min(begin + SLICE_HOPS, count);
    const channels = await audio.read(begin * hop, (end - begin) * hop);
    for (let n = begin; n < end; n++) {
      const level = levelOf(channels, (n - begin) * hop, hop);
      attacks.rises[n] = Math.max(0, level - before);
      before = level;
    }
    await pause();
  }
  return attacks;
}

function levelOf(channels, first, length) {
  let power = 0;
  for (const samples of channels) {
    for (let n = first; n < first + length; n++) power += samples[n] ** 2;
  }
  return Math.sqrt(power / length);
}

// The moments at which something is struck, and how much.
function strokesOf({ rises, seconds }) {
  const strokes = [];
  const reach = Math.round(APART_SECONDS / seconds);
  const least = 0.1 * rises.reduce((most, rise) => Math.max(most, rise), 0);
  for (let n = 0; n < rises.length; n++) {
    if (rises[n] <= least) continue;
    const around = rises.subarray(Math.max(0, n - reach), n + reach + 1);
    if (around.some((rise) => rise > rises[n])) continue;
    strokes.push({ at: n * seconds, weight: rises[n] });
  }
  return strokes;
}

// The period at which attacks are most like themselves, a few times over.
async function likeliestPeriod({ rises, seconds }) {
  const [shortest, longest] = [FASTEST, SLOWEST].map((tempo) => Math.round(60 / tempo / seconds));
  const likeness = (lag) => {
    let sum = 0;
    for (let n = lag; n < rises.length; n++) sum += rises[n] * rises[n - lag];
    return sum;
  };
  const near = (lag) => Math.max(likeness(lag - 1), likeness(lag), likeness(lag + 1));
  let best = { score: -1, lag: shortest };
  for (let lag = shortest; lag <= longest; lag++) {
    const octaves = Math.log2(60 / (lag * seconds) / USUAL);
    const usual = Math.exp(-0.5 * (octaves / SPREAD) ** 2);
    let score = 0;
    for (let times = 1; times <= BARS; times++) score += near(times * lag);
    if (score * usual > best.score) best = { score: score * usual, lag };
    await pause();
  }
  return best.lag * seconds;
}

// The period near a rough one whose waves all strokes fit best, over the whole song.
async function finePeriod(strokes, rough, unsure, duration) {
  const strength = (frequency) => {
    let [real, imaginary] = [0, 0];
    for (const { at, weight } of strokes) {
      const angle = 2 * Math.PI * frequency * at;
      real += weight * Math.cos(angle);
      imaginary += weight * Math.sin(angle);
    }
    return Math.hypot(real, imaginary);
  };
  const step = 1 / (16 * duration);
  let best = { sum: -1, frequency: 1 / rough };
  const steps = Math.max(1, Math.ceil(unsure / rough / step));
  for (let n = -steps; n <= steps; n++) {
    const frequency = 1 / rough + n * step;
    const sum = [1, 2, 4].reduce((all, times) => all + strength(times * frequency), 0);
    if (sum > best.sum) best = { sum, frequency };
    if (n % STEPS_AT_ONCE === 0) await pause();
  }
  return 1 / best.frequency;
}

// Where in the period most is struck, and what share of all.
function bestPhase(strokes, period) {
  const total = strokes.reduce((sum, { weight }) => sum + weight, 0);
  const away = (at, beat) => at - beat - Math.round((at - beat) / period) * period;
  let best = { share: -1, beat: 0 };
  for (let phase = 0; phase < PHASES; phase++) {
    const beat = (phase / PHASES) * period;
    const near = strokes.filter(({ at }) => Math.abs(away(at, beat)) < NEAR_SECONDS);
    const weight = near.reduce((sum, stroke) => sum + stroke.weight, 0);
    if (weight / total <= best.share) continue;
    const offset = near.reduce((sum, stroke) => sum + stroke.weight * away(stroke.at, beat), 0);
    best = { share: weight / total, beat: beat + offset / weight };
  }
  return best;
}
