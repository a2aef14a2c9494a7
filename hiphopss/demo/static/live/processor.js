// Separates what comes in, on the audio's own thread: one input, and an output for each source.

import { Kernels } from "../engine/kernels.js";
import { StreamingSeparator } from "../engine/stream.js";
import { LiveClock } from "./clock.js";
import { LIVE_PROCESSOR, QUANTUM } from "./names.js";

const TOLD_SECONDS = 0.25;
const SMOOTHING = 0.9; // of the load: some clocks can't see less than a millisecond
const WARM_UP = 40; // hops: by then, the browser has compiled what runs for each of them

// Only some browsers have the finer clock here.
const milliseconds = () => globalThis.performance?.now() ?? Date.now();

/**
 * What a processor tells now and then.
 * @typedef {object} LiveReport
 * @property {number} dropouts  Number until now.
 * @property {number} lost  Seconds of them.
 * @property {number} load  The share of the time that separation takes.
 * @property {number} mended  Number of samples that were no numbers, or far too large: muted.
 */

class LiveProcessor extends AudioWorkletProcessor {
  static get parameterDescriptors() {
    return [{ name: "lookahead", defaultValue: 0, minValue: 0, automationRate: "k-rate" }];
  }

  #separator;
  #silence;
  #mostLookahead;
  #clock = new LiveClock();
  #told = 0; // audio time of the last report
  #worked = 0; // milliseconds since then
  #load = null;
  #ended = false;

  /**
   * @param {object} options
   * @param {WebAssembly.Module} options.processorOptions.module  The kernels.
   * @param {import("../engine/weights.js").Weights} options.processorOptions.weights
   * @param {number} options.processorOptions.channels
   */
  constructor({ processorOptions: { module, weights, channels } }) {
    super();
    const kernels = new Kernels(module);
    this.#separator = new StreamingSeparator(kernels, weights, {
      channels,
      blockMultiple: QUANTUM,
    });
    this.#mostLookahead = weights.config.context - 1;
    this.#silence = Array.from({ length: channels }, () => new Float32Array(QUANTUM));
    this.#warmUp(weights.config.hop);
    this.port.onmessage = ({ data }) => {
      if (data === "end") this.#ended = true;
    };
  }

  #warmUp(hop) {
    const room = this.#separator.sources.map(() => this.#silence.map((samples) => samples.slice()));
    for (let n = 0; n < WARM_UP * hop; n += QUANTUM) this.#separator.process(this.#silence, room);
    this.#separator.reset();
  }

  process([input], outputs, { lookahead: [asked] }) {
    const began = milliseconds();
    const lookahead = Math.min(Math.round(asked), this.#mostLookahead);
    if (lookahead !== this.#separator.lookahead) this.#separator.lookahead = lookahead;
    // Where nothing is connected or plays, there are no channels.
    this.#separator.process(input.length ? input : this.#silence, outputs);
    const now = milliseconds();
    this.#worked += now - began;
    this.#clock.tick(currentTime, now / 1000);
    if (currentTime - this.#told >= TOLD_SECONDS) this.#tell();
    return !this.#ended;
  }

  #tell() {
    const { dropouts, lost } = this.#clock;
    const load = this.#worked / 1000 / (currentTime - this.#told);
    this.#load = SMOOTHING * (this.#load ?? load) + (1 - SMOOTHING) * load;
    this.port.postMessage({ dropouts, lost, load: this.#load, mended: this.#separator.nMended });
    this.#worked = 0;
    this.#told = currentTime;
  }
}

registerProcessor(LIVE_PROCESSOR, LiveProcessor);
