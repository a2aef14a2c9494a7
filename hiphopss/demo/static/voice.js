// Tracks that sound together from one moment on: pieces of some seconds, which follow one another
// on the sample, and are made some seconds ahead. The end of one has the next one made, and no
// timer, which browsers slow down while a tab is hidden.
//
// Fades are in the samples: they are straight lines, so that two voices with the same audio sum to
// that audio while one replaces the other.

const FIRST_SECONDS = 0.5;
const PIECE_SECONDS = 2;
const AHEAD_SECONDS = 8;
const MARGIN = 0.01; // seconds before its moment at which a piece must be ready

/**
 * What sounds during a piece.
 * @typedef {object} Piece
 * @property {number} from  Its first sample, counted from the voice's beginning.
 * @property {number} count
 * @property {Object<string, AudioBufferSourceNode>} nodes  By track.
 */

/**
 * Events: `end`, when all has been heard, `late` (detail: how many samples have been heard), when
 * there was nothing to go on with, and `failed` (detail: the error), when it can't be read.
 */
export class Voice extends EventTarget {
  #context;
  #mixer;
  #sounds;
  #course;
  #fade;
  #since = 0; // its moment, in samples of the context
  #first = null;
  #pieces = []; // those that have begun or will, until they are over
  #next = 0; // the first sample that is not in a piece yet
  #stopped = false;
  #feeding = false;
  #size; // of the next piece, in samples: they grow, as the first must be there soon

  /**
   * @param {AudioContext} context
   * @param {import("./graph.js").Mixer} mixer
   * @param {Object<string, import("./sound.js").Sound>} sounds  By the mixer's input.
   * @param {import("./course.js").Course} course
   * @param {number} fade  Seconds of fading in, and out.
   */
  constructor(context, mixer, sounds, course, fade) {
    super();
    this.#context = context;
    this.#mixer = mixer;
    this.#sounds = sounds;
    this.#course = course;
    this.#fade = Math.round(fade * context.sampleRate);
    this.#size = Math.round(FIRST_SECONDS * context.sampleRate);
  }

  /** Get ready to begin. */
  async prepare() {
    this.#first = await this.#make(0, Math.min(this.#size, this.#course.length));
  }

  /**
   * Begin, once it is ready.
   * @param {number} when  Context time, on a sample.
   * @returns {Promise<void>}  Once there are pieces for some seconds.
   */
  start(when) {
    this.#since = Math.round(when * this.#context.sampleRate);
    this.#schedule(this.#first);
    return this.#feed();
  }

  /** Fade out. @param {number} when  Context time, on a sample. */
  stop(when) {
    this.#stopped = true;
    for (const { nodes } of this.#pieces) {
      for (const node of Object.values(nodes)) node.stop(when); // also those that haven't begun
    }
    const at = Math.round(when * this.#context.sampleRate) - this.#since;
    for (const name of Object.keys(this.#sounds)) {
      this.#node(name, this.#ending(name, at)).start(when);
    }
  }

  /** Be silent at once, as if it had not begun. */
  discard() {
    this.#stopped = true;
    [this.#first, ...this.#pieces].forEach(disconnect);
  }

  // Reads and connects a piece.
  async #make(from, count) {
    const nodes = Object.entries(this.#sounds).map(async ([name, sound]) => {
      const channels = await this.#course.read(sound, from, count);
      if (from < this.#fade) channels.forEach((samples) => fadeIn(samples, from, this.#fade));
      return [name, this.#node(name, channels)];
    });
    return { from, count, nodes: Object.fromEntries(await Promise.all(nodes)) };
  }

  #node(name, channels) {
    const { sampleRate } = this.#context;
    const [{ length }] = channels;
    const buffer = new AudioBuffer({ length, numberOfChannels: channels.length, sampleRate });
    channels.forEach((samples, channel) => buffer.copyToChannel(samples, channel));
    const node = new AudioBufferSourceNode(this.#context, { buffer });
    node.addEventListener("ended", () => node.disconnect());
    node.connect(this.#mixer.inputs[name]);
    return node;
  }

  #schedule(piece) {
    const nodes = Object.values(piece.nodes);
    for (const node of nodes) node.start((this.#since + piece.from) / this.#context.sampleRate);
    nodes[0].addEventListener("ended", () => this.#isOver(piece));
    this.#pieces.push(piece);
    this.#next = piece.from + piece.count;
  }

  #isOver(piece) {
    this.#pieces = this.#pieces.filter((other) => other !== piece);
    if (this.#stopped) return;
    const isEnd = this.#pieces.length === 0 && this.#next >= this.#course.length;
    if (isEnd) this.dispatchEvent(new Event("end"));
    else this.#feed();
  }

  // Makes pieces until there are enough.
  async #feed() {
    if (this.#feeding) return;
    this.#feeding = true;
    try {
      while (!this.#stopped && this.#next < this.#course.length && this.#ahead < AHEAD_SECONDS) {
        const count = Math.min(this.#size, this.#course.length - this.#next);
        const piece = await this.#make(this.#next, count);
        if (this.#stopped || this.#ahead < MARGIN) {
          disconnect(piece);
          if (!this.#stopped) this.#halt(new CustomEvent("late", { detail: this.#next }));
          return;
        }
        this.#schedule(piece);
        this.#size = Math.min(2 * this.#size, PIECE_SECONDS * this.#context.sampleRate);
      }
    } catch (error) {
      this.#halt(new CustomEvent("failed", { detail: error }));
    } finally {
      this.#feeding = false;
    }
  }

  // For how many seconds there is something to be heard.
  get #ahead() {
    const { currentTime, sampleRate } = this.#context;
    return (this.#since + this.#next) / sampleRate - currentTime;
  }

  #halt(event) {
    this.#stopped = true;
    this.dispatchEvent(event);
  }

  // What is heard of a track from a moment on, as it fades out.
  #ending(name, at) {
    const { channels } = this.#sounds[name];
    const ending = Array.from({ length: channels }, () => new Float32Array(this.#fade));
    for (const { from, count, nodes } of this.#pieces) {
      const begin = Math.max(at, from);
      const end = Math.min(at + this.#fade, from + count);
      if (begin >= end) continue;
      ending.forEach((samples, channel) => {
        const part = samples.subarray(begin - at, end - at);
        nodes[name].buffer.copyFromChannel(part, channel, begin - from);
      });
    }
    for (const samples of ending) {
      for (let n = 0; n < this.#fade; n++) samples[n] *= 1 - n / this.#fade;
    }
    return ending;
  }
}

function fadeIn(samples, from, length) {
  const count = Math.min(samples.length, length - from);
  for (let n = 0; n < count; n++) samples[n] *= (from + n) / length;
}

function disconnect({ nodes }) {
  for (const node of Object.values(nodes)) node.disconnect();
}
