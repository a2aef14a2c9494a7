// The peaks of a track's waveform, as hiphopss/demo/drawing.py computes them.

const N_PEAKS = 2000; // about the width of a wide screen in pixels

/** Takes the samples of a track, block by block. */
export class PeakMeter {
  #perPeak;
  #lowest;
  #highest;
  #done = 0;

  /** @param {number} nSamples  Of the whole track. */
  constructor(nSamples) {
    this.#perPeak = Math.ceil(nSamples / N_PEAKS);
    const nPeaks = Math.ceil(nSamples / this.#perPeak);
    this.#lowest = new Float32Array(nPeaks).fill(Infinity);
    this.#highest = new Float32Array(nPeaks).fill(-Infinity);
  }

  /** @param {Float32Array[]} channels  The next samples, by channel. */
  push(channels) {
    for (const samples of channels) this.#pushChannel(samples);
    this.#done += channels[0].length;
  }

  #pushChannel(samples) {
    for (let n = 0; n < samples.length; ) {
      const peak = Math.floor((this.#done + n) / this.#perPeak);
      const end = Math.min(samples.length, (peak + 1) * this.#perPeak - this.#done);
      let [low, high] = [this.#lowest[peak], this.#highest[peak]];
      for (; n < end; n++) {
        const sample = samples[n];
        if (sample < low) low = sample;
        if (sample > high) high = sample;
      }
      this.#lowest[peak] = low;
      this.#highest[peak] = high;
    }
  }

  /** @returns {import("../waveform.js").Peaks} */
  peaks() {
    const rounded = (values) => Array.from(values, (value) => Math.round(1000 * value) / 1000);
    const [min, max] = [rounded(this.#lowest), rounded(this.#highest)];
    return { samples_per_peak: this.#perPeak, min, max };
  }
}
