// What sounds of a track, sample by sample, from a place on: at a tempo, and round and round in a
// loop. Any part of it can be read by itself, so that pieces join as if they were one.

const HALF = 8; // samples on each side of a moment between samples that tell what is there
const TAPS = 2 * HALF;
const PHASES = 256; // moments between two samples; what is between these is on a straight line
const BETA = 6; // of the filter's Kaiser window: what doesn't belong there is 60 dB lower

/** Places are samples of the song, moments are samples that are heard. */
export class Course {
  #first;
  #last;
  #loop;
  #weights;

  /**
   * @param {object} way
   * @param {number} way.first  The place where it begins.
   * @param {number} way.last  The place where it ends: behind the last sample.
   * @param {?{start: number, end: number}} [way.loop]  What is repeated without an end, in places.
   * @param {number} [way.tempo]  1 as it is; pitch goes with it.
   */
  constructor({ first, last, loop = null, tempo = 1 }) {
    this.#first = first;
    this.#last = loop ? loop.end : last;
    this.#loop = loop;
    this.#weights = tempo === 1 ? null : weightsOf(tempo);
    this.tempo = tempo;
    /** How many moments it has. */
    this.length = loop ? Infinity : Math.round((last - first) / tempo);
  }

  /** The place that is heard at a moment; both may be between samples. */
  at(moment) {
    return this.#placeOf(this.tempo * moment);
  }

  #placeOf(passed) {
    const place = this.#first + passed;
    if (place < this.#last || !this.#loop) return Math.min(place, this.#last);
    const { start, end } = this.#loop;
    return start + ((place - start) % (end - start));
  }

  /**
   * What is heard of a track.
   * @param {import("./sound.js").Sound} sound
   * @param {number} moment  The first one.
   * @param {number} count  How many.
   * @returns {Promise<Float32Array[]>}  By channel.
   */
  async read(sound, moment, count) {
    const { tempo } = this;
    if (tempo === 1) return this.#straight(sound, moment, count);
    const low = Math.floor(tempo * moment) - HALF + 1;
    const high = Math.floor(tempo * (moment + count - 1)) + HALF + 1;
    const around = await this.#straight(sound, low, high - low);
    return around.map((samples) => between(samples, this.#weights, tempo, { moment, count, low }));
  }

  // Samples of the song in the order in which they are heard; before and behind it is silence.
  async #straight(sound, from, count) {
    const heard = Array.from({ length: sound.channels }, () => new Float32Array(count));
    const { start, end } = this.#loop ?? { start: 0, end: Infinity };
    const round = end - start;
    for (let n = Math.max(0, -from); n < count; ) {
      const place = this.#placeOf(from + n);
      const length = Math.min(count - n, this.#last - place);
      if (length <= 0) break;
      const before = from + n - round; // the same place, if it is in the loop
      const isThere = n >= round && before >= Math.max(0, start - this.#first);
      const read = isThere ? null : await sound.read(place, length);
      for (const [channel, samples] of heard.entries()) {
        if (read) samples.set(read[channel], n);
        else samples.copyWithin(n, n - round, n - round + length);
      }
      n += length;
    }
    return heard;
  }
}

// Weights of the samples around a moment, for each of its phases: a sinc in a Kaiser window, which
// cuts off what is beyond the rate of what is heard.
function weightsOf(tempo) {
  const cut = Math.min(1, 1 / tempo);
  const weights = new Float64Array((PHASES + 1) * TAPS);
  for (let phase = 0; phase <= PHASES; phase++) {
    const row = weights.subarray(phase * TAPS, (phase + 1) * TAPS);
    row.forEach((_, tap) => {
      const away = tap - HALF + 1 - phase / PHASES;
      const inside = Math.max(0, 1 - (away / HALF) ** 2);
      row[tap] = sinc(cut * away) * bessel(BETA * Math.sqrt(inside));
    });
    const sum = row.reduce((all, weight) => all + weight, 0);
    row.forEach((weight, tap) => (row[tap] = weight / sum)); // a steady level stays as it is
  }
  return weights;
}

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

// The modified Bessel function of order 0.
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let n = 1; term > 1e-12 * sum; n++) {
    term *= (x / 2 / n) ** 2;
    sum += term;
  }
  return sum;
}

function between(samples, weights, tempo, { moment, count, low }) {
  const heard = new Float32Array(count);
  for (let n = 0; n < count; n++) {
    const place = tempo * (moment + n);
    const whole = Math.floor(place);
    const phase = PHASES * (place - whole);
    const row = Math.floor(phase);
    const rest = phase - row;
    const from = whole - low - HALF + 1;
    let sum = 0;
    for (let tap = 0, at = row * TAPS; tap < TAPS; tap++, at++) {
      sum += samples[from + tap] * (weights[at] + rest * (weights[at + TAPS] - weights[at]));
    }
    heard[n] = sum;
  }
  return heard;
}
