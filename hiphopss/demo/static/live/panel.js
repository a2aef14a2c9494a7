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
const LOOKAHEAD = { most: 29, seconds: 512 / 44_100 }; // of all weights that a page can use
const SHOWN_EVERY = 1000; // milliseconds, of the delay, which differs all the time
const TOLD_EVERY = 15_000; // milliseconds, of drop-outs for screen readers

const HEAVY = 0.5; // share of the time
const DROPPED = "The sound dropped out.";
const TOO_SLOW = "The sound drops out: less lookahead needs less computing.";

const milliseconds = (seconds) => Math.round(1000 * seconds);

const LOOKAHEAD_SLIDER = {
  label: "Lookahead",
  range: { min: 0, max: LOOKAHEAD.most, step: 1 },
  usual: WAYS.microphone.lookahead,
  number: (frames) => `${milliseconds(frames * LOOKAHEAD.seconds)} ms`,
  text: (frames) => `${milliseconds(frames * LOOKAHEAD.seconds)} milliseconds`,
};

/** Events: `opened`, when it is about to make sound. */
export class LivePanel extends EventTarget {
  #models;
  #engines = new Map(); // what is loaded, by the address of its weights
  #turn = null; // of the newest start: earlier ones don't count any more
  #session = null;
  #frames = LOOKAHEAD_SLIDER.usual;
  #isChosen = false; // whether the visitor moved the lookahead
  #strips = null;
  #slider;
  #meters = new Meters();
  #shown = 0; // when the delay was shown last
  #told = null; // drop-outs that were said, and when
  #heard = "";

  /** @param {{name: string, weights: string}[]} models  That this page can use; at least one. */
  constructor(models) {
    super();
    this.#models = models;
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
    byId("live-model").addEventListener("change", () => this.#stop("Choose again what to hear."));
    byId("live-models").hidden = models.length === 1;
  }

  /** Show it. */
  open() {
    byId("live").showModal();
    this.#load().catch((error) => this.#complain(error)); // early, so that a start is quick
    if (this.#strips) return;
    this.#strips = new LiveStrips(["vocals", "bass", "drums", "other"], () =>
      this.#session?.mixer.glide(this.#strips.mix),
    );
    this.#slider = slider("Lookahead", LOOKAHEAD_SLIDER, (frames) => {
      this.#isChosen = true;
      this.#lookAhead(frames);
    });
    this.#slider.row.querySelector("input").setAttribute("aria-describedby", "live-lookahead-hint");
    byId("live-mixer").append(...this.#strips.elements);
    byId("live-lookahead").prepend(this.#slider.row);
    this.#lookAhead(this.#frames);
  }

  // The engine with the chosen model's weights; it is loaded again if that went wrong.
  #load() {
    const address = byId("live-model").value;
    const loading = this.#engines.get(address) ?? load(address);
    this.#engines.set(address, loading);
    loading.catch(() => this.#engines.delete(address));
    return loading;
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
    this.#frames = frames;
    this.#slider.set(frames);
    if (!this.#session) return;
    this.#session.lookahead = frames;
    this.#showDelay();
  }

  #show({ dropouts, lost, load, mended }) {
    const missing = `${dropouts}, of ${lost.toFixed(2)} s in all`;
    const muted = mended ? `; ${mended} samples were no numbers, and are muted` : "";
    byId("live-dropouts").textContent = (dropouts ? missing : "none") + muted;
    byId("live-load").textContent = `${Math.max(1, Math.round(100 * load))} % of the time there is`;
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
