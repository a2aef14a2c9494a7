// Mixes that people want most, as buttons over the mixer. They set faders, mutes and solos of the
// stems; pans and the master stay as they are.

const GUIDE_DB = -18; // a voice to sing along with: there, and easily sung over

/**
 * @typedef {object} Preset
 * @property {string} id
 * @property {string} name
 * @property {string} meaning  What is heard, in words.
 * @property {Object<string, Partial<import("./graph.js").StemMix>>} stems  Not neutral.
 */

/** @type {Preset[]} */
export const PRESETS = [
  {
    id: "karaoke",
    name: "Karaoke",
    meaning: "the voice low, to sing along with",
    stems: { vocals: { gain: GUIDE_DB } },
  },
  {
    id: "instrumental",
    name: "Instrumental",
    meaning: "everything but the voice",
    stems: { vocals: { mute: true } },
  },
  {
    id: "acappella",
    name: "A cappella",
    meaning: "the voice alone",
    stems: { vocals: { solo: true } },
  },
  {
    id: "drumless",
    name: "Drumless",
    meaning: "everything but the drums",
    stems: { drums: { mute: true } },
  },
];

const NEUTRAL = { gain: 0, mute: false, solo: false };

const settings = (preset, source) => ({ ...NEUTRAL, ...preset?.stems[source] });

/**
 * Whether a mix is what a preset makes of it.
 * @param {import("./graph.js").Mix} mix
 * @param {Preset} preset
 * @returns {boolean}
 */
export function isSet(mix, preset) {
  return Object.entries(mix.stems).every(([source, stem]) =>
    Object.entries(settings(preset, source)).every(([name, value]) => stem[name] === value),
  );
}

/**
 * Set a preset, or put its settings back.
 * @param {import("./graph.js").Mix} mix
 * @param {?Preset} preset
 */
export function setPreset(mix, preset) {
  for (const [source, stem] of Object.entries(mix.stems)) {
    Object.assign(stem, settings(preset, source));
  }
}
