// A session: an input, what separates it, the mixer, and the loudspeakers.

import { buildMixer } from "../graph.js";
import { started } from "../starting.js";
import { LiveError } from "./errors.js";
import { liveLatency, liveNode } from "./node.js";

const NO_WORKLET =
  "This browser can't separate sound as it plays: a newer one can, on a page by https or on " +
  "localhost.";
const NO_RATE =
  "This browser can't play the 44,100 samples a second that the model needs: another one can.";
const BROKE_OFF =
  "The separation broke off, perhaps for lack of memory: close other tabs, and try again.";

/**
 * Separates an input until it is stopped.
 *
 * Events: `report` (detail: what the processor tells, a LiveReport), `ended` (detail: why, a
 * sentence) if it ends by itself.
 */
export class LiveSession extends EventTarget {
  #context;
  #engine;
  #input;
  #node;
  #lookahead;

  /** The mixing desk. @type {import("../graph.js").Mixer} */
  mixer;

  /**
   * Whether this page can do it at all.
   * @throws {LiveError}
   */
  static require() {
    const possible = globalThis.AudioWorkletNode && isSecureContext && navigator.mediaDevices;
    if (!possible) throw new LiveError(NO_WORKLET);
  }

  /**
   * Begin. Whatever goes wrong, the input is closed.
   * @param {Promise<import("./node.js").LiveEngine>} engine
   * @param {import("./inputs.js").LiveInput} input
   * @param {object} options
   * @param {number} options.lookahead  Number of frames.
   * @param {import("../graph.js").Mix} options.mix
   * @returns {Promise<LiveSession>}
   */
  static async start(engine, input, { lookahead, mix }) {
    const session = new LiveSession();
    session.#input = input;
    try {
      session.#engine = await engine;
      await session.#start(lookahead, mix);
    } catch (error) {
      session.stop();
      throw error;
    }
    return session;
  }

  async #start(lookahead, mix) {
    const { config, sources } = this.#engine.weights;
    const context = (this.#context = contextOf(config.sample_rate));
    await started(context);
    const node = (this.#node = await liveNode(context, this.#engine, { lookahead }));
    this.#lookahead = lookahead;
    this.mixer = buildMixer(context, sources, node.channelCount);
    this.mixer.set(mix);
    sources.forEach((source, output) => node.connect(this.mixer.inputs[source], output));
    node.port.onmessage = ({ data }) => {
      this.dispatchEvent(new CustomEvent("report", { detail: data }));
    };
    node.onprocessorerror = () => this.#end(BROKE_OFF);
    this.#input.connect(context).connect(node);
    this.#input.ended.then((why) => this.#end(why));
    await this.#input.element?.play();
  }

  #end(why) {
    if (!this.#context) return;
    this.stop();
    this.dispatchEvent(new CustomEvent("ended", { detail: why }));
  }

  /** Look ahead by another number of frames. */
  set lookahead(frames) {
    this.#lookahead = frames;
    this.#node.parameters.get("lookahead").value = frames;
  }

  /**
   * How much later the sound is heard, in seconds.
   * @returns {{separation: number, output: number}}
   */
  get latency() {
    const { baseLatency = 0, outputLatency = 0 } = this.#context;
    const separation = liveLatency(this.#engine, this.#lookahead);
    return { separation, output: baseLatency + outputLatency };
  }

  /** End, and free everything. */
  stop() {
    if (this.#node) {
      this.#node.port.onmessage = null; // a last report may be on its way
      this.#node.port.postMessage("end");
    }
    this.#context?.close();
    this.#context = this.#node = null;
    this.#input.close();
  }
}

function contextOf(sampleRate) {
  try {
    return new AudioContext({ sampleRate, latencyHint: "interactive" });
  } catch (error) {
    throw error.name === "NotSupportedError" ? new LiveError(NO_RATE) : error;
  }
}
