// Shifts the pitch of the whole mix, by a library that is fetched when hiphopss is packaged (see
// tests/vendor.py). So tempo and pitch are apart: tracks are played faster or slower, and the pitch
// that this changes is put back, and moved by as much as is asked for.

const LIBRARY = new URL("vendor/signalsmith-stretch.js", import.meta.url).href;

/** Whether a mix is played at another tempo or pitch. @param {import("./graph.js").Mix} mix */
export const isBent = ({ tempo, pitch }) => tempo !== 1 || pitch !== 0;

/**
 * Something that mixes pass through.
 * @typedef {object} Shifter
 * @property {AudioNode} node
 * @property {number} latency  Seconds.
 * @property {(mix: import("./graph.js").Mix) => Promise<void>} set
 */

/**
 * @param {BaseAudioContext} context
 * @returns {Promise<Shifter>}
 */
export async function makeShifter(context) {
  const { default: makeNode } = await import(LIBRARY);
  makeNode.moduleUrl = LIBRARY; // the page's policy allows no scripts from memory
  const ports = { numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [2] };
  const node = await makeNode(context, ports);
  const latency = await node.latency();
  const set = ({ tempo, pitch }) =>
    node.schedule({ active: true, semitones: pitch - 12 * Math.log2(tempo) });
  return { node, latency, set };
}
