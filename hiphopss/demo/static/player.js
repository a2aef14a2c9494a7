// The transport: what sounds, and where in the song. It knows no page.
//
// Whatever changes while it plays (a seek, the loop, the version) is the same act: at one moment of
// the context's clock, on a sample, the old tracks fade out and the new ones fade in at the
// position that the clock gives. So versions change without a gap and stay aligned. What is heard
// then is made before; where that took too long, another moment is chosen.

import { Course } from "./course.js";
import { buildMixer, neutralMix, ORIGINAL } from "./graph.js";
import { changedLoop, contains, isWhole } from "./loop.js";
import { renderMix } from "./rendering.js";
import { isBent, makeShifter } from "./shifter.js";
import { Sounds } from "./sounds.js";
import { started } from "./starting.js";
import { Voice } from "./voice.js";

const FADE = 0.015; // seconds
const LEAD = 0.04; // seconds from a decision to its moment
const MOST_LEAD = 1; // where the page has much else to do
const MARGIN = 0.01; // seconds before its moment by which all must be set: else it is out of step

/**
 * Events: `change` (what plays, where, how), `loading` (detail: whether audio is being read),
 * `failed` (detail: the error), when what plays can't be read any more.
 */
export class Player extends EventTarget {
  #sounds;
  #context = null;
  #mixer = null;
  #voice = null;
  #shifter = null; // what the mix goes through at another tempo or pitch
  #since = 0; // what the clock's reading means: at this time,
  #course = null; // this began
  #renewing = null; // the promise of something else to be heard
  #stale = false; // whether that is no longer what is wanted
  #goal = null; // the position that is asked for then, if any
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
  /** The sounds of what is listened to. @type {?Object<string, import("./sound.js").Sound>} */
  tracks = null;

  /** Put in a song; the one before is forgotten. @param {import("./api.js").Result} result */
  open(result) {
    this.close();
    this.result = result;
    this.#sounds = new Sounds(result);
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
    this.#context = this.#mixer = this.#voice = this.#sounds = this.#wanted = null;
    this.#course = this.#shifter = this.#renewing = this.#goal = null;
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
    if (!this.playing || !this.#course) return this.#rest;
    if (this.#goal !== null) return this.#goal;
    const { currentTime, outputLatency = 0 } = this.#context;
    return this.#positionAt(currentTime - outputLatency - (this.#shifter?.latency ?? 0));
  }

  async play() {
    if (this.playing || !this.result) return;
    this.#makeContext(); // before anything is awaited: browsers ask for a gesture
    const sounds = this.#sounds;
    await started(this.#context);
    if (this.#sounds !== sounds) return; // another song since
    const tracks = await this.#loadLast(() => this.#wanted);
    if (!tracks || !(await this.#bend()) || this.playing) return;
    this.tracks ??= tracks; // if they could not be read before
    this.playing = true;
    this.#again(this.#rest);
    this.#tell();
  }

  pause() {
    if (!this.playing) return;
    const when = this.#nextMoment();
    this.#rest = this.#goal ?? this.#positionAt(when);
    this.#voice?.stop(when);
    this.#voice = this.#course = this.#goal = null;
    this.#freeFrom = when + FADE;
    this.playing = false;
    this.#tell();
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
    const sounds = this.#sounds;
    const isLast = () => this.#sounds === sounds && this.#wanted === id;
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
    this.#again();
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
    const mix = structuredClone(this.mix); // it may be changed before all is read
    return renderMix(await this.#load(this.version), mix, part);
  }

  /**
   * The sound of the original, whatever is listened to.
   * @returns {Promise<import("./sound.js").Sound>}
   */
  async original() {
    const sounds = await this.#sounds.get(ORIGINAL, { [ORIGINAL]: this.result.original });
    return sounds[ORIGINAL];
  }

  /**
   * The sounds of ORIGINAL or of a version, ready to be read.
   * @param {string} id
   * @returns {Promise<Object<string, import("./sound.js").Sound>>}
   */
  sounds(id) {
    return this.#load(id);
  }

  async #load(id) {
    const tracks =
      id === ORIGINAL
        ? { [ORIGINAL]: this.result.original }
        : this.result.versions.find((version) => version.id === id).stems;
    this.#tellLoading(true);
    try {
      return await this.#sounds.get(id, tracks);
    } finally {
      this.#tellLoading(false);
    }
  }

  // Load what a function gives, and again if it gives something else by then; null if the song was
  // closed meanwhile.
  async #loadLast(idNow) {
    const sounds = this.#sounds;
    for (;;) {
      const id = idNow();
      const tracks = await this.#load(id);
      if (this.#sounds !== sounds) return null;
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
      let open = null;
      try {
        open = this.#context && (await this.#bend());
      } catch (error) {
        if (this.#context) this.#fail(error);
      } finally {
        this.#bending = false;
      }
      // unless somebody went elsewhere
      if (open) this.#again(this.#voice ? undefined : (this.#goal ?? position));
    } else {
      this.#shifter?.set(this.mix);
      if (this.#renewing || tempo !== this.#course?.tempo) this.#again();
    }
  }

  #nextMoment(lead = LEAD) {
    const { currentTime, baseLatency, sampleRate } = this.#context;
    const earliest = Math.max(currentTime + baseLatency + lead, this.#freeFrom);
    return Math.ceil(earliest * sampleRate) / sampleRate;
  }

  // Plays on with what has changed, from another position if there is one.
  #again(position) {
    if (!this.playing) return;
    this.#goal = position ?? this.#goal;
    this.#stale = true;
    this.#renewing ??= this.#renew();
  }

  // Has what is wanted follow what is heard. Whatever changes meanwhile is seen, too.
  async #renew() {
    const context = this.#context;
    let lead = LEAD;
    try {
      while (this.playing && this.#context === context && this.#stale) {
        this.#stale = false;
        const when = this.#nextMoment(lead);
        const course = this.#courseAt(when);
        const voice = new Voice(context, this.#mixer, this.tracks, course, FADE);
        await voice.prepare();
        if (this.#context !== context) return;
        if (this.playing && !this.#stale && !this.#change(voice, course, when)) {
          this.#stale = true;
          lead = Math.min(2 * lead, MOST_LEAD);
        }
        if (this.#voice !== voice) voice.discard();
      }
    } catch (error) {
      if (this.#context === context) this.#fail(error);
    } finally {
      if (this.#context === context) this.#renewing = null;
    }
  }

  // What is wanted, from a moment on.
  #courseAt(when) {
    const { sample_rate: rate, n_samples: last } = this.result;
    let first = Math.round(rate * (this.#goal ?? this.#positionAt(when)));
    if (first >= last) first = this.#goal === null ? last - 1 : 0; // the end, or from it
    const inSamples = (seconds) => Math.min(Math.round(rate * seconds), last);
    const [start, end] = [inSamples(this.loop.start), inSamples(this.loop.end)];
    const loop = this.loop.on && first < end ? { start, end } : null; // behind the loop, play on
    return new Course({ first, last, loop, tempo: this.mix.tempo });
  }

  // One voice follows another; false if it is too late for that.
  #change(voice, course, when) {
    const isInTime = () => {
      const { currentTime, baseLatency } = this.#context;
      return currentTime + baseLatency + MARGIN < when;
    };
    if (!isInTime()) return false;
    voice.start(when);
    this.#voice?.stop(when);
    this.#voice = null;
    if (!isInTime()) return false; // it may have begun out of step
    this.#voice = voice;
    this.#course = course;
    this.#since = when;
    this.#goal = null;
    this.#freeFrom = when + FADE;
    this.#follow(voice);
    return true;
  }

  #follow(voice) {
    const listen = (event, act) =>
      voice.addEventListener(event, ({ detail }) => {
        if (this.#voice === voice && this.playing) act(detail);
      });
    listen("end", () => this.#goal ?? this.#finish());
    listen("late", (heard) => {
      this.#voice = null;
      this.#again(this.#goal ?? this.#course.at(heard) / this.result.sample_rate);
    });
    listen("failed", (error) => this.#fail(error));
  }

  #fail(error) {
    this.pause();
    this.#sounds = new Sounds(this.result); // what could not be read may be fetched anew
    this.tracks = null;
    this.dispatchEvent(new CustomEvent("failed", { detail: error }));
  }

  #positionAt(time) {
    const rate = this.result.sample_rate;
    return this.#course.at(rate * Math.max(0, time - this.#since)) / rate;
  }

  #finish() {
    this.#voice = this.#course = null;
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
