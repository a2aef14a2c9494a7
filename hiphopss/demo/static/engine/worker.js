// A worker that separates parts of songs. client.js starts it and talks to it.

import { Song, SongSeparator } from "./anyrate.js";
import { Kernels } from "./kernels.js";
import { Separator } from "./separator.js";
import { readWeights } from "./weights.js";

let separator;

const tasks = {
  /** Make the engine ready for a song. */
  start({ module, weights, rate, nSamples }) {
    const kernels = new Kernels(module);
    const read = readWeights(weights);
    const song = new Song(read.config, rate, nSamples);
    separator = new SongSeparator(kernels, new Separator(kernels, read), song);
    return {};
  },

  /** Separate a part of the song. */
  separate({ channels, offset, start, stop }) {
    return { stems: separator.separate(channels, offset, start, stop) };
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
