// A worker that separates parts of songs. client.js starts it and talks to it.

import { Kernels } from "./kernels.js";
import { BlockSeparator } from "./loops/beat.js";
import { Separator } from "./separator.js";
import { readWeights } from "./weights.js";

let separator;
let blocks;

const tasks = {
  /** Make the engine ready. */
  start({ module, weights: content }) {
    const kernels = new Kernels(module);
    const weights = readWeights(content);
    separator = new Separator(kernels, weights);
    blocks = weights.facts.loops && new BlockSeparator(kernels, weights.facts.loops);
    return {};
  },

  /** Separate a part of a song. */
  separate({ channels, offset, start, stop, nSamples }) {
    return { stems: separator.separate(channels, offset, start, stop, nSamples) };
  },

  /** Separate a block of frames by its copies. */
  split({ material }) {
    return blocks.separate(material);
  },
};

self.onmessage = ({ data }) => {
  try {
    const answer = tasks[data.task](data);
    const arrays = answer.stems?.flat() ?? answer.samples ?? [];
    const moved = arrays.map(({ buffer }) => buffer);
    self.postMessage({ id: data.id, ...answer }, moved);
  } catch (error) {
    // Memory that is refused is a RangeError, in WebAssembly as for arrays.
    self.postMessage({ id: data.id, error: String(error), memory: error instanceof RangeError });
  }
};
