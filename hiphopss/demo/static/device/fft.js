// The Fourier transform for pictures: two real frames at a time, as one complex one.

/** Transforms of a length that is a power of two. */
export class PairTransform {
  #length;
  #cosines;
  #sines;
  #reversed;
  #real;
  #imaginary;

  /** @param {number} length  Of a frame. */
  constructor(length) {
    this.#length = length;
    // Those of a step with `half` pairs begin at `half`.
    const angles = Float64Array.from({ length }, (_, n) => {
      const half = 1 << (31 - Math.clz32(n)); // the largest power of two that is in it
      return n ? (Math.PI * (n - half)) / half : 0;
    });
    this.#cosines = angles.map(Math.cos);
    this.#sines = angles.map(Math.sin);
    this.#reversed = new Uint32Array(length);
    for (let n = 1; n < length; n++) {
      this.#reversed[n] = (this.#reversed[n >> 1] >> 1) | (n & 1 ? length >> 1 : 0);
    }
    this.#real = new Float64Array(length);
    this.#imaginary = new Float64Array(length);
  }

  /**
   * The power spectra of two frames.
   * @param {Float32Array} samples
   * @param {number} first  Where the first frame begins.
   * @param {number} second  Where the second one does.
   * @param {Float32Array} window
   * @param {[Float32Array, Float32Array]} powers  Takes the two spectra, of length / 2 + 1 bins.
   */
  powers(samples, first, second, window, powers) {
    const real = this.#real;
    const imaginary = this.#imaginary;
    for (let n = 0; n < this.#length; n++) {
      const to = this.#reversed[n];
      real[to] = samples[first + n] * window[n];
      imaginary[to] = samples[second + n] * window[n];
    }
    this.#transform();
    const mask = this.#length - 1;
    for (let k = 0; k <= this.#length / 2; k++) {
      const m = (this.#length - k) & mask;
      // what is even belongs to one of the frames, and what is odd to the other
      const evenReal = real[k] + real[m];
      const oddReal = real[k] - real[m];
      const evenImaginary = imaginary[k] + imaginary[m];
      const oddImaginary = imaginary[k] - imaginary[m];
      powers[0][k] = (evenReal * evenReal + oddImaginary * oddImaginary) / 4;
      powers[1][k] = (evenImaginary * evenImaginary + oddReal * oddReal) / 4;
    }
  }

  #transform() {
    const [real, imaginary] = [this.#real, this.#imaginary];
    const [cosines, sines] = [this.#cosines, this.#sines];
    const length = this.#length;
    for (let half = 1; half < length; half *= 2) {
      for (let start = 0; start < length; start += 2 * half) {
        for (let n = 0; n < half; n++) {
          const low = start + n;
          const high = low + half;
          const c = cosines[half + n];
          const s = sines[half + n];
          const x = real[high] * c + imaginary[high] * s;
          const y = imaginary[high] * c - real[high] * s;
          real[high] = real[low] - x;
          imaginary[high] = imaginary[low] - y;
          real[low] += x;
          imaginary[low] += y;
        }
      }
    }
  }
}
