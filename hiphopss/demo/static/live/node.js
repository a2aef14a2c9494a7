// Makes the node of an audio graph that separates what comes in.

import { latency } from "../engine/stream.js";
import { LIVE_PROCESSOR, QUANTUM } from "./names.js";

/**
 * The engine and its weights, for any number of nodes; `load` of engine/client.js fetches them.
 * @typedef {object} LiveEngine
 * @property {WebAssembly.Module} module
 * @property {import("../engine/weights.js").Weights} weights
 */

/**
 * Make a node with one input and an output for each source; its parameter `lookahead` is a number
 * of frames.
 * @param {BaseAudioContext} context  Of the weights' sampling rate.
 * @param {LiveEngine} engine
 * @param {object} options
 * @param {number} options.lookahead
 * @param {number} [options.channels]  1 or 2; what comes in is mixed up or down to that.
 * @returns {Promise<AudioWorkletNode>}
 */
export async function liveNode(context, { module, weights }, { lookahead, channels = 2 }) {
  await context.audioWorklet.addModule(new URL("processor.js", import.meta.url));
  const { sources } = weights;
  return new AudioWorkletNode(context, LIVE_PROCESSOR, {
    channelCount: channels,
    channelCountMode: "explicit",
    numberOfOutputs: sources.length,
    outputChannelCount: sources.map(() => channels),
    parameterData: { lookahead },
    processorOptions: { module, weights, channels },
  });
}

/** Seconds by which the node's stems come later. */
export function liveLatency({ weights: { config } }, lookahead) {
  return latency(config, lookahead, QUANTUM) / config.sample_rate;
}
