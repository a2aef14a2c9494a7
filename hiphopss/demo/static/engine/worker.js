// A worker that separates parts of songs. client.js starts it and talks to it.

import { Kernels } from "./kernels.js";
import { Separator } from "./separator.js";
import { readWeights } from "./weights.js";

let separator;

const tasks = {
  /** Make the engine ready. */
  start({ module, weights }) {
    separator = new Separator(new Kernels(module), readWeights(weights));
    return {};
  },

  /** Separate a part of a song. */
  separate({ channels, offset, start, stop, nSamples }) {
    return { stems: separator.separate(channels, offset, start, stop, nSamples) };
  },
};

self.onmessage = ({ data }) => {
  try {
    const answer = tasks[data.task](data);
    const moved = (answer.stems ?? []).flat().map((samples) => samples.buffer);
    self.postMessage({ id: data.id, ...answer }, moved);
  } catch (error) {
    // Memory that is refused is a RangeError, in WebAssembly as for arrays.
    self.postMessage({ id: data.id, error: String(error), memory: error instanceof RangeError });
  }
};
