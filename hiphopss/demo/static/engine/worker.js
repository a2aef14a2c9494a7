// A worker that separates parts of songs. client.js starts it and talks to it.

import { Kernels } from "./kernels.js";
import { live } from "./lives.js";
import { BlockSeparator } from "./loops/beat.js";
import { Resampler, Resampling } from "./resampling.js";
import { Separator } from "./separator.js";
import { readWeights } from "./weights.js";

let kernels;
let separator;
let blocks;
const resamplers = new Map();

const tasks = {
  /** Make the engine ready. */
  async start({ life, module, weights: content }) {
    await live(life);
    kernels = new Kernels(module);
    const weights = readWeights(content);
    separator = new Separator(kernels, weights);
    blocks = weights.facts.loops && new BlockSeparator(kernels, weights.facts.loops);
    return {};
  },

  /** Separate a part of a song. */
  separate({ channels, offset, start, stop, nSamples }) {
    return { stems: separator.separate(channels, offset, start, stop, nSamples) };
  },

  /** Resample a part of signals. */
  resample({ rates, channels, offset, start, stop }) {
    const name = rates.join();
    if (!resamplers.has(name))
      resamplers.set(name, new Resampler(kernels, new Resampling(...rates)));
    const resample = (samples) => resamplers.get(name).resample(samples, offset, start, stop);
    return { samples: channels.map(resample) };
  },

  /** Separate a block of frames by its copies. */
  split({ material }) {
    return blocks.separate(material);
  },
};

// Whoever asks may do so through a port, which comes first.
self.onmessage = ({ data, ports: [port] }) => {
  if (port) port.onmessage = ({ data }) => answer(port, data);
  else answer(self, data);
};

async function answer(asking, data) {
  try {
    const answer = await tasks[data.task](data);
    const arrays = answer.stems?.flat() ?? answer.samples ?? [];
    const moved = arrays.map(({ buffer }) => buffer);
    asking.postMessage({ id: data.id, ...answer }, moved);
  } catch (error) {
    // Memory that is refused is a RangeError, in WebAssembly as for arrays.
    asking.postMessage({ id: data.id, error: String(error), memory: error instanceof RangeError });
  }
}
