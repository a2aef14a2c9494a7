// The dialog "Live": choose what to listen to, and mix it while it plays.

import { slider } from "../controls.js";
import { byId, element, icon } from "../dom.js";
import { DeviceError, load } from "../engine/client.js";
import { PageError } from "../errors.js";
import { Meters } from "../meters.js";
import { fileInput, microphoneInput, tabInput } from "./inputs.js";
import { LiveSession } from "./session.js";
import { LiveStrips } from "./strips.js";

const ASKING = "Your browser asks whether this page may listen.";
// The lookahead, in frames, that suits each: a file can wait, a singer can't.
const WAYS = {
  file: { open: fileInput, lookahead: 29, doing: "Starting …" },
  microphone: { open: microphoneInput, lookahead: 4, doing: ASKING },
  tab: { open: tabInput, lookahead: 8, doing: ASKING },
};
const USUAL = { context: 30, hop: 512, sample_rate: 44_100 }; // until the weights are there
const SHOWN_EVERY = 1000; // milliseconds, of the delay, which differs all the time
const TOLD_EVERY = 15_000; // milliseconds, of drop-outs for screen readers

const HEAVY = 0.5; // share of the time
const DROPPED = "The sound dropped out.";
const TOO_SLOW = "The sound drops out: less lookahead needs less computing.";

const milliseconds = (seconds) => Math.round(1000 * seconds);

/** Events: `opened`, when it is about to make sound. */
export class LivePanel extends EventTarget {
  #sources;
  #config = USUAL;
  #engines = new Map(); // what is loaded, by the address of its weights
  #turn = null; // of the newest start: earlier ones don't count any more
  #session = null;
  #frames = WAYS.microphone.lookahead;
  #isChosen = false; // whether the visitor moved the lookahead
  #strips = null;
  #slider;
  #meters = new Meters();
  #shown = 0; // when the delay was shown last
  #told = null; // drop-outs that were said, and when
  #heard = "";

  /**
   * @param {object} site  What `site.json` says.
   * @param {string[]} site.sources
   * @param {{models: {name: string, weights: string}[]}} site.device  At least one model.
   */
  constructor({ sources, device: { models } }) {
    super();
    this.#sources = sources;
    byId("live-close").append(icon("close"));
    byId("live-close").addEventListener("click", () => byId("live").close());
    byId("live").addEventListener("close", () => this.#stop(""));
    byId("live-stop").addEventListener("click", () => this.#stopByHand());
    byId("live-file").addEventListener("change", ({ target }) => {
      const [file] = target.files;
      if (file) this.#start("file", file);
      target.value = ""; // so that the same file can be chosen again
    });
    for (const button of byId("live-ways").querySelectorAll("[data-way]")) {
      const { way } = button.dataset;
      button.addEventListener("click", () => {
        if (way === "file") byId("live-file").click();
        else this.#start(way);
      });
    }
    byId("live-model").append(
      ...models.map(({ name, weights }) => element("option", { value: weights }, name)),
    );
    byId("live-model").addEventListener("change", () => {
      this.#stop("Choose again what to hear.");
      this.#load().catch((error) => this.#complain(error));
    });
    byId("live-models").hidden = models.length === 1;
  }

  /** Show it. */
  open() {
    byId("live").showModal();
    if (!this.#strips) this.#build();
    this.#load().catch((error) => this.#complain(error)); // early, so that a start is quick
  }

  #build() {
    this.#strips = new LiveStrips(this.#sources, () =>
      this.#session?.mixer.glide(this.#strips.mix),
    );
    byId("live-mixer").append(...this.#strips.elements);
    this.#fit(USUAL);
  }

  // The slider for the frames of some weights.
  #fit(config) {
    const time = (frames) => milliseconds((frames * config.hop) / config.sample_rate);
    const kind = {
      label: "Lookahead",
      range: { min: 0, max: config.context - 1, step: 1, "aria-describedby": "live-more" },
      usual: WAYS.microphone.lookahead,
      number: (frames) => `${time(frames)} ms`,
      text: (frames) => `${time(frames)} milliseconds`,
    };
    this.#config = config;
    this.#slider = slider("Lookahead", kind, (frames) => {
      this.#isChosen = true;
      this.#lookAhead(frames);
    });
    byId("live-lookahead").replaceChildren(this.#slider.row);
    this.#lookAhead(this.#frames);
  }

  // The engine with the chosen model's weights; it is loaded again if that went wrong.
  async #load() {
    const address = byId("live-model").value;
    const loading = this.#engines.get(address) ?? load(address);
    this.#engines.set(address, loading);
    loading.catch(() => this.#engines.delete(address));
    const engine = await loading;
    const { config } = engine.weights;
    if (Object.keys(USUAL).some((name) => config[name] !== this.#config[name])) this.#fit(config);
    return engine;
  }

  async #start(way, ...given) {
    this.#stop(WAYS[way].doing);
    const turn = (this.#turn = {});
    const isLate = () => this.#turn !== turn;
    byId("live-stop").hidden = false;
    try {
      LiveSession.require();
      const input = await WAYS[way].open(...given);
      if (isLate()) return input.close();
      this.dispatchEvent(new Event("opened"));
      if (!this.#isChosen) this.#lookAhead(WAYS[way].lookahead);
      const options = { lookahead: this.#frames, mix: this.#strips.mix };
      const session = await LiveSession.start(this.#load(), input, options);
      if (isLate()) return session.stop();
      this.#run(session, input);
    } catch (error) {
      if (isLate()) return;
      this.#stop("");
      this.#complain(error);
    }
  }

  #run(session, { name, element: player }) {
    this.#session = session;
    session.lookahead = this.#frames; // both may have been moved meanwhile
    session.mixer.set(this.#strips.mix);
    session.addEventListener("report", ({ detail }) => this.#show(detail));
    session.addEventListener("ended", ({ detail }) => {
      this.#stop("");
      this.#complain(new PageError(detail));
    });
    byId("live-player").replaceChildren(...(player ? [player] : []));
    player?.setAttribute("aria-label", name);
    this.#heard = `You hear: ${name}.`;
    this.#say(this.#heard);
    this.#showDelay();
    this.#move();
  }

  #stop(told) {
    this.#turn = null;
    this.#session?.stop();
    this.#session = null;
    this.#told = null;
    byId("live-player").replaceChildren();
    byId("live-stop").hidden = true;
    for (const id of ["live-delay", "live-dropouts", "live-load"]) byId(id).textContent = "\u2013";
    this.#say(told);
  }

  #stopByHand() {
    this.#stop("Stopped.");
    byId("live-ways").querySelector("button").focus(); // the button that was pressed is hidden now
  }

  #lookAhead(frames) {
    this.#frames = Math.min(frames, this.#config.context - 1);
    this.#slider.set(this.#frames);
    if (!this.#session) return;
    this.#session.lookahead = this.#frames;
    this.#showDelay();
  }

  #show({ dropouts, lost, load, mended }) {
    const missing = `${dropouts}, of ${lost.toFixed(2)} s in all`;
    const muted = mended ? `; ${mended} samples were no numbers, and are muted` : "";
    byId("live-dropouts").textContent = (dropouts ? missing : "none") + muted;
    const percent = Math.max(1, Math.round(100 * load));
    byId("live-load").textContent = `${percent} % of the available time`;
    const now = performance.now();
    if (now - this.#shown >= SHOWN_EVERY) this.#showDelay();
    const { count, when } = this.#told ?? { count: 0, when: -Infinity };
    if (dropouts === count || now - when < TOLD_EVERY) return;
    this.#told = { count: dropouts, when: now };
    this.#say(`${this.#heard} ${load > HEAVY ? TOO_SLOW : DROPPED}`);
  }

  #showDelay() {
    const { separation, output } = this.#session.latency;
    const [own, other] = [milliseconds(separation), milliseconds(output)];
    byId("live-delay").textContent = `${own + other} ms: ${own} to separate, ${other} to play`;
    this.#shown = performance.now();
  }

  // The meters, for as long as it runs.
  #move() {
    if (!this.#session) return void this.#meters.show(null, byId("live"));
    this.#meters.show(this.#session.mixer, byId("live"));
    requestAnimationFrame(() => this.#move());
  }

  #complain(error) {
    const isKnown = error instanceof PageError || error instanceof DeviceError;
    this.#say(isKnown ? error.message : `Something went wrong: ${error.message}`, true);
  }

  #say(message, isWrong = false) {
    const line = byId("live-status");
    line.setAttribute("role", isWrong ? "alert" : "status");
    line.classList.toggle("wrong", isWrong);
    line.textContent = message;
  }
}
