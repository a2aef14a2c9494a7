// Peak meters of the stems and the master, of what sounds now.

const FLOOR_DB = 48; // below full scale: an empty meter
const FALL = 0.93; // a frame
const FALL_STEP = 0.002; // so that it ends

/** Follows the mixer of one context after the other. */
export class Meters {
  #mixer = null;
  #meters = [];

  /**
   * Show the levels of this moment; says whether any meter is not empty.
   * @param {?import("./graph.js").Mixer} mixer
   * @param {HTMLElement} root  Holds an element with `data-meter` for each tap, and "master".
   * @returns {boolean}
   */
  show(mixer, root) {
    if (mixer !== this.#mixer) this.#follow(mixer, root);
    for (const meter of this.#meters) {
      const peak = Math.max(...meter.analysers.map((analyser) => peakOf(analyser, meter.samples)));
      const level = peak > 0 ? Math.max(0, 1 + (20 * Math.log10(peak)) / FLOOR_DB) : 0;
      meter.level = Math.max(Math.min(level, 1), meter.level * FALL - FALL_STEP, 0);
      meter.element.style.setProperty("--level", meter.level.toFixed(3));
      meter.element.classList.toggle("over", peak > 1);
    }
    return this.#meters.some(({ level }) => level > 0);
  }

  #follow(mixer, root) {
    this.#mixer = mixer;
    this.#meters = [];
    if (!mixer) return;
    const taps = Object.entries({ ...mixer.taps, master: mixer.output });
    this.#meters = taps.map(([name, node]) => ({
      element: root.querySelector(`[data-meter="${name}"]`),
      analysers: analysersOf(node),
      samples: new Float32Array(1024), // 23 ms at 44.1 kHz: more than a frame of the screen
      level: 0,
    }));
  }
}

// An analyser mixes channels down, so that each needs its own.
function analysersOf(node) {
  const splitter = new ChannelSplitterNode(node.context, { numberOfOutputs: 2 });
  node.connect(splitter);
  return [0, 1].map((channel) => {
    const analyser = new AnalyserNode(node.context, { fftSize: 1024 });
    splitter.connect(analyser, channel);
    return analyser;
  });
}

function peakOf(analyser, samples) {
  analyser.getFloatTimeDomainData(samples);
  return samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
}
