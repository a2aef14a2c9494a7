// The audio graph. It knows no page, and is the same in an AudioContext and an OfflineAudioContext:
// what is heard is what is downloaded.
//
//   stems     -> fader and mute -> pan -> master -> (shifted pitch) -> output
//   original  ---------------------------^

/**
 * Settings of one stem.
 * @typedef {object} StemMix
 * @property {number} gain  Fader in decibels; SILENT_DB or less is silence.
 * @property {number} pan  -1 (left) to 1 (right).
 * @property {boolean} mute
 * @property {boolean} solo
 */

/**
 * Settings of all faders.
 * @typedef {object} Mix
 * @property {number} master  Decibels.
 * @property {number} tempo  1 as it is.
 * @property {number} pitch  Semitones up.
 * @property {Object<string, StemMix>} stems  By source.
 */

/** The bottom of a fader, in decibels: silence. */
export const SILENT_DB = -60;

/** Its top. */
export const TOP_DB = 12;

/** The slowest and the fastest tempo. */
export const TEMPOS = [0.5, 1.5];

/** The lowest and the highest pitch, in semitones. */
export const PITCHES = [-12, 12];

/** The input of the graph for the song as it is. */
export const ORIGINAL = "original";

// Time constant of changes, in seconds: too fast to be noticed, too slow to click.
const SMOOTHING = 0.01;

/** A mix that changes nothing. @param {string[]} sources @returns {Mix} */
export function neutralMix(sources) {
  const stem = () => ({ gain: 0, pan: 0, mute: false, solo: false });
  const stems = Object.fromEntries(sources.map((source) => [source, stem()]));
  return { master: 0, tempo: 1, pitch: 0, stems };
}

/** The factor of a level in decibels. @param {number} decibels @returns {number} */
export function factor(decibels) {
  return decibels <= SILENT_DB ? 0 : 10 ** (decibels / 20);
}

/**
 * Whether a stem is let through: not muted, and soloed where any stem is.
 * @param {Mix} mix @param {string} source @returns {boolean}
 */
export function isAudible(mix, source) {
  const { mute, solo } = mix.stems[source];
  return !mute && (solo || !Object.values(mix.stems).some((stem) => stem.solo));
}

/** @typedef {import("./shifter.js").Shifter} Shifter */

/**
 * The mixing desk.
 * @typedef {object} Mixer
 * @property {Object<string, AudioNode>} inputs  Where tracks go in: each source, and ORIGINAL.
 * @property {Object<string, AudioNode>} taps  Each stem behind its fader and pan.
 * @property {GainNode} output
 * @property {(shifter: ?Shifter, before: ?Shifter) => void} through  Sends the mix through a
 *   shifter or past it, where it went through another, or past it, before.
 * @property {(mix: Mix) => void} set  Takes the settings at once.
 * @property {(mix: Mix) => void} glide  Takes them smoothly.
 */

/**
 * Build the desk and connect it to the context's destination.
 * @param {BaseAudioContext} context
 * @param {string[]} sources
 * @param {number} channels  Of the song: 1 or 2.
 * @returns {Mixer}
 */
export function buildMixer(context, sources, channels) {
  const output = new GainNode(context, { channelCount: 2, channelCountMode: "explicit" });
  output.connect(context.destination);
  const faders = {};
  const pans = {};
  for (const source of sources) {
    faders[source] = new GainNode(context);
    pans[source] = new StereoPannerNode(context);
    faders[source].connect(pans[source]).connect(output);
  }
  // A panner gives a mono track in the centre 3 dB less on each side (a stereo one passes as it
  // is). Made up for, faders at 0 dB give the song at its own level.
  const centre = channels === 1 ? Math.SQRT2 : 1;
  const apply = (mix, setParameter) => {
    setParameter(output.gain, factor(mix.master));
    for (const source of sources) {
      const { gain, pan } = mix.stems[source];
      const level = isAudible(mix, source) ? centre * factor(gain) : 0;
      setParameter(faders[source].gain, level);
      setParameter(pans[source].pan, pan);
    }
  };
  return {
    inputs: { ...faders, [ORIGINAL]: output },
    taps: pans,
    output,
    through: (shifter, before) => {
      output.disconnect(before?.node ?? context.destination);
      before?.node.disconnect();
      output.connect(shifter?.node ?? context.destination);
      shifter?.node.connect(context.destination);
    },
    set: (mix) => apply(mix, (parameter, value) => (parameter.value = value)),
    glide: (mix) =>
      apply(mix, (parameter, value) =>
        parameter.setTargetAtTime(value, context.currentTime, SMOOTHING),
      ),
  };
}
