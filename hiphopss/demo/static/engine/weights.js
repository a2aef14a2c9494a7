// Reads weight files of `hiphopss weights export --format web`; docs/export.md describes them.

const MAGIC = "HIPHOPSS";
const VERSION = 1;
const HASH_BYTES = 32;
const START = MAGIC.length + 4 + HASH_BYTES + 4; // of the header

/**
 * Settings of the transform and of the patches, as `hiphopss.SignalConfig`.
 * @typedef {object} SignalConfig
 * @property {number} sample_rate
 * @property {number} frame
 * @property {number} hop
 * @property {"blackmanharris" | "hann"} window
 * @property {number} scale
 * @property {number} context
 * @property {number} overlap
 */

/**
 * @typedef {object} Weights
 * @property {SignalConfig} config
 * @property {Object<string, boolean>} fidelity  As `hiphopss.Fidelity`.
 * @property {string[]} sources
 * @property {number[]} decoders  Which decoder is that of each source.
 * @property {Object<string, unknown>} facts  What else the file says of itself.
 * @property {Object<string, Float32Array>} arrays  By name: weights/exporting/web_format.py.
 */

/** The weights can't be used. */
export class WeightsError extends Error {}

/**
 * Read a weight file. What comes out can be sent to workers and worklets as it is.
 * @param {ArrayBuffer} buffer  Its content.
 * @returns {Weights}
 * @throws {WeightsError}
 */
export function readWeights(buffer) {
  if (buffer.byteLength < START) throw new WeightsError("not a weight file");
  const view = new DataView(buffer);
  const text = (start, end) => new TextDecoder().decode(new Uint8Array(buffer, start, end - start));
  if (text(0, MAGIC.length) !== MAGIC) throw new WeightsError("not a weight file");
  const version = view.getUint32(MAGIC.length, true);
  if (version !== VERSION) throw new WeightsError(`a weight file of version ${version}`);
  const end = START + view.getUint32(START - 4, true);
  try {
    const { arrays: places, ...header } = JSON.parse(text(START, end));
    const { config, fidelity, sources, decoders, ...facts } = header;
    const array = ({ shape, offset }) =>
      new Float32Array(
        buffer,
        end + offset,
        shape.reduce((product, size) => product * size, 1),
      );
    const arrays = Object.fromEntries(places.map((place) => [place.name, array(place)]));
    return { config, fidelity, sources, decoders, facts, arrays };
  } catch {
    throw new WeightsError("a weight file that is cut off or damaged");
  }
}

/**
 * Read a weight file, and compare its content with the hash in it. Browsers compute hashes only on
 * pages that they take for secure (https and localhost); on others it isn't compared.
 * @param {ArrayBuffer} buffer
 * @returns {Promise<Weights>}
 * @throws {WeightsError}
 */
export async function checkedWeights(buffer) {
  const weights = readWeights(buffer);
  if (!globalThis.crypto?.subtle) return weights;
  const hashed = new Uint8Array(buffer, START - 4);
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", hashed));
  const told = new Uint8Array(buffer, START - 4 - HASH_BYTES, HASH_BYTES);
  if (found.some((byte, n) => byte !== told[n])) throw new WeightsError("a damaged weight file");
  return weights;
}
