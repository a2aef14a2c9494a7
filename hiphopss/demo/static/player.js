// The transport: what sounds, and where in the song. It knows no page.
//
// Whatever changes while it plays (a seek, the loop, the version) is the same act: at one moment of
// the context's clock, on a sample, the old tracks fade out and the new ones fade in at the
// position that the clock gives. So versions change without a gap and stay aligned.

import { Buffers } from "./buffers.js";
import { PageError } from "./errors.js";
import { buildMixer, neutralMix, ORIGINAL, startTracks } from "./graph.js";
import { changedLoop, contains, isWhole } from "./loop.js";
import { renderMix } from "./rendering.js";
import { isBent, makeShifter } from "./shifter.js";

const FADE = 0.015; // seconds
const LEAD = 0.04; // seconds from a decision to its moment: late nodes would be out of step

/** Events: `change` (what plays, where, how), `loading` (detail: whether audio is being read). */
export class Player extends EventTarget {
  #buffers;
  #context = null;
  #mixer = null;
  #voice = null;
  #shifter = null; // what the mix goes through at another tempo or pitch
  #start = { time: 0, offset: 0, loop: null, tempo: 1 }; // what the clock's reading means
  #bending = false;
  #freeFrom = 0; // context time at which the last cross-fade is over
  #rest = 0; // position while nothing plays
  #wanted = null;

  /** @type {?import("./api.js").Result} */
  result = null;
  /** What is listened to: ORIGINAL, or the id of a version. */
  listening = ORIGINAL;
  /** The version whose stems were listened to last. */
  version = null;
  playing = false;
  loop = { on: false, start: 0, end: 0 };
  /** @type {?import("./graph.js").Mix} */
  mix = null;
  /** Whether tempo and pitch can be changed. */
  canBend = false;
  /** The decoded audio of what is listened to. @type {?Object<string, AudioBuffer>} */
  tracks = null;

  /** Put in a song; the one before is forgotten. @param {import("./api.js").Result} result */
  open(result) {
    this.close();
    this.result = result;
    this.#buffers = new Buffers(result);
    this.listening = this.version = result.versions[0].id;
    this.mix = neutralMix(Object.keys(result.versions[0].stems));
    this.loop = { on: false, start: 0, end: result.seconds };
    return this.listen(this.version);
  }

  /** Take the same song with more versions. @param {import("./api.js").Result} result */
  update(result) {
    this.result = result;
  }

  /** Stop, and free the song's audio. */
  close() {
    this.#context?.close();
    this.#context = this.#mixer = this.#voice = this.#buffers = this.#wanted = null;
    this.#shifter = null;
    this.#rest = this.#freeFrom = 0;
    this.playing = false;
    this.result = this.tracks = null;
  }

  /** The running context, once something has been played. @returns {?AudioContext} */
  get context() {
    return this.#context;
  }

  /** The mixing desk of that context. @returns {?import("./graph.js").Mixer} */
  get mixer() {
    return this.#mixer;
  }

  /** Position that is heard now, in seconds. @returns {number} */
  get position() {
    if (!this.playing) return this.#rest;
    const { currentTime, outputLatency = 0 } = this.#context;
    return this.#positionAt(currentTime - outputLatency - (this.#shifter?.latency ?? 0));
  }

  async play() {
    if (this.playing || !this.result) return;
    this.#makeContext(); // before anything is awaited: browsers ask for a gesture
    const buffers = this.#buffers;
    await started(this.#context);
    if (this.#buffers !== buffers) return; // another song since
    const tracks = await this.#loadLast(() => this.#wanted);
    if (!tracks || !(await this.#bend()) || this.playing) return;
    this.playing = true;
    this.#begin(tracks, this.#rest);
    this.#tell();
  }

  pause() {
    if (!this.playing) return;
    const when = this.#nextMoment();
    this.#rest = this.#positionAt(when);
    this.#halt(when);
  }

  /** @param {number} seconds */
  seek(seconds) {
    const position = Math.max(0, Math.min(seconds, this.result.seconds));
    this.#rest = position;
    this.#again(position);
    this.#tell();
  }

  /**
   * Change the loop. If the position is outside of it, it is played from its start.
   * @param {Partial<import("./loop.js").Loop>} change
   * @returns {string}  In words what differs from what was asked for; empty if nothing does.
   */
  setLoop(change) {
    const { loop, told } = changedLoop(this.loop, change, this.result);
    this.loop = loop;
    const outside = loop.on && !contains(loop, this.position);
    if (outside) this.#rest = loop.start;
    this.#again(outside ? loop.start : undefined);
    this.#tell();
    return told;
  }

  /** Whether the loop is a part of the song. @returns {boolean} */
  get hasRegion() {
    return !isWhole(this.loop, this.result.seconds);
  }

  /**
   * Listen to the original or to a version, from where we are.
   * @param {string} id
   * @returns {Promise<boolean>}  False if something else was wanted meanwhile.
   */
  async listen(id) {
    const buffers = this.#buffers;
    const isLast = () => this.#buffers === buffers && this.#wanted === id;
    this.#wanted = id;
    let tracks;
    try {
      tracks = await this.#load(id);
    } catch (error) {
      if (!isLast()) return false;
      this.#wanted = this.listening; // that is still what is shown
      throw error;
    }
    if (!isLast()) return false;
    this.listening = id;
    this.tracks = tracks;
    if (id !== ORIGINAL) this.version = id;
    if (this.playing) this.#begin(tracks);
    this.#tell();
    return true;
  }

  /** Take over what has been changed in `mix`. */
  mixChanged() {
    this.#mixer?.glide(this.mix);
    if (this.playing) this.#rebend();
    this.#tell();
  }

  /**
   * Render the mix of the version listened to last.
   * @param {?{start: number, end: number}} [part]  Of the song, in seconds.
   * @returns {Promise<import("./rendering.js").Rendering>}
   */
  async render(part = null) {
    return renderMix(await this.#load(this.version), this.mix, part);
  }

  async #load(id) {
    const tracks =
      id === ORIGINAL
        ? { [ORIGINAL]: this.result.original }
        : this.result.versions.find((version) => version.id === id).stems;
    this.#tellLoading(true);
    try {
      return await this.#buffers.get(id, tracks);
    } finally {
      this.#tellLoading(false);
    }
  }

  // Load what a function gives, and again if it gives something else by then; null if the song was
  // closed meanwhile.
  async #loadLast(idNow) {
    const buffers = this.#buffers;
    for (;;) {
      const id = idNow();
      const tracks = await this.#load(id);
      if (this.#buffers !== buffers) return null;
      if (idNow() === id) return tracks;
    }
  }

  #makeContext() {
    if (this.#context) return;
    // At the song's own rate nothing is resampled on the way to the mixer.
    this.#context = new AudioContext({ sampleRate: this.result.sample_rate });
    this.#mixer = buildMixer(this.#context, Object.keys(this.mix.stems), this.result.channels);
    this.#mixer.set(this.mix);
  }

  // Sends the mix through a shifter where it needs one; false if the song was closed meanwhile.
  async #bend() {
    const context = this.#context;
    const needed = isBent(this.mix);
    if (needed !== (this.#shifter !== null)) {
      const shifter = needed ? await makeShifter(context) : null;
      if (this.#context !== context) return false;
      this.#mixer.through(shifter, this.#shifter);
      this.#shifter = shifter;
    }
    this.#shifter?.set(this.mix);
    return true;
  }

  // Takes over another tempo or pitch while it plays. Where the mix begins or ceases to go through
  // a shifter, which holds it back, that is in silence.
  async #rebend() {
    const { tempo } = this.mix;
    if (isBent(this.mix) !== (this.#shifter !== null)) {
      if (this.#bending) return; // which will see what is wanted by then
      this.#bending = true;
      const position = this.position;
      this.#voice?.stop(this.#nextMoment());
      this.#voice = null;
      await new Promise((done) => setTimeout(done, 1000 * (LEAD + 2 * FADE)));
      const open = this.#context && (await this.#bend());
      this.#bending = false;
      if (open) this.#again(this.#voice ? undefined : position); // unless somebody went elsewhere
    } else {
      this.#shifter?.set(this.mix);
      if (tempo !== this.#start.tempo) this.#again();
    }
  }

  #nextMoment() {
    const { currentTime, baseLatency, sampleRate } = this.#context;
    const earliest = Math.max(currentTime + baseLatency + LEAD, this.#freeFrom);
    return Math.ceil(earliest * sampleRate) / sampleRate;
  }

  // Between samples, browsers interpolate.
  #onSample(seconds) {
    return Math.round(seconds * this.result.sample_rate) / this.result.sample_rate;
  }

  // Plays on with what has changed.
  async #again(position) {
    if (this.playing) this.#begin(await this.#loadLast(() => this.listening), position);
  }

  #begin(tracks, position) {
    if (!this.playing || !tracks) return; // paused, or another song, while audio was read
    const when = this.#nextMoment();
    let offset = this.#onSample(position ?? this.#positionAt(when));
    if (offset >= this.result.seconds) offset = 0;
    const { on, start, end } = this.loop;
    const loop = on && offset < end ? { start, end } : null; // behind the loop, play on
    this.#voice?.stop(when);
    const { tempo } = this.mix;
    const options = { when, offset, loop, tempo, fade: FADE };
    this.#voice = startTracks(this.#context, this.#mixer, tracks, options);
    this.#start = { time: when, offset, loop, tempo };
    this.#freeFrom = when + FADE;
    const voice = this.#voice;
    voice.first.addEventListener("ended", () => {
      if (this.#voice === voice && this.playing) this.#finish();
    });
  }

  #positionAt(time) {
    const { time: since, offset, loop, tempo } = this.#start;
    const position = offset + tempo * Math.max(0, time - since);
    if (!loop || position < loop.end) return Math.min(position, this.result.seconds);
    return loop.start + ((position - loop.start) % (loop.end - loop.start));
  }

  #halt(when) {
    this.#voice?.stop(when);
    this.#voice = null;
    this.#freeFrom = when + FADE;
    this.playing = false;
    this.#tell();
  }

  #finish() {
    this.#voice = null;
    this.playing = false;
    this.#rest = 0;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }

  #tellLoading(loading) {
    this.dispatchEvent(new CustomEvent("loading", { detail: loading }));
  }
}

const START_MILLISECONDS = 5000;

const SILENT =
  "The browser does not begin to play. Is sound allowed for this page, and are loudspeakers or " +
  "headphones connected? Then try again.";

/**
 * Wait until a context has begun. Where sound is not allowed, or there is nothing to play on, it
 * may wait for ever.
 * @param {AudioContext} context
 * @throws {PageError}  After some seconds.
 */
export function started(context) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new PageError(SILENT)), START_MILLISECONDS);
  });
  return Promise.race([context.resume(), late]);
}
