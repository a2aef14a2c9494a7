// Patches: the frames that the network sees together, and how its outputs are joined, as in
// hiphopss/signal/patches.py.

/**
 * Number of frames between the starts of patches.
 * @param {import("./weights.js").SignalConfig} config
 */
export function patchHop({ context, overlap }) {
  return context - overlap;
}

/**
 * Number of patches that cover a signal.
 * @param {number} nFrames
 * @param {import("./weights.js").SignalConfig} config
 * @param {boolean} dropTail  As the stand-alone script does (Q6).
 */
export function separationPatchCount(nFrames, config, dropTail) {
  const beyond = nFrames - (dropTail ? config.context : config.overlap);
  return Math.max(1, Math.ceil(beyond / patchHop(config)));
}

/**
 * Weight of each patch at each of its frames in the recursive cross-fade.
 * @param {import("./weights.js").SignalConfig} config
 * @param {number} nBefore  Patches before these.
 * @param {number} nPatches
 * @param {number} nAfter  Patches after them.
 * @returns {Float64Array}  [nPatches, context]
 */
export function crossfadeWeights(config, nBefore, nPatches, nAfter) {
  const { context, overlap } = config;
  const hop = patchHop(config);
  const fade = new Float64Array(context).fill(1);
  for (let frame = 0; frame < overlap; frame++)
    fade[frame] = overlap > 1 ? frame / (overlap - 1) : 0;
  const weights = new Float64Array(nPatches * context);
  for (let patch = 0; patch < nPatches; patch++) {
    const own = weights.subarray(patch * context, (patch + 1) * context);
    if (patch || nBefore) own.set(fade);
    else own.fill(1); // the first patch has nothing to fade from
    const later = nPatches - 1 - patch + nAfter;
    const most = Math.min(later, Math.floor((context - 1) / hop));
    for (let nth = 1; nth <= most; nth++)
      for (let frame = nth * hop; frame < context; frame++)
        own[frame] *= 1 - fade[frame - nth * hop];
  }
  return weights;
}
