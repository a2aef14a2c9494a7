// The loop's button, its fields, and what is said of a value that had to be changed.

import { announce, byId, press } from "./dom.js";
import { readTime, timeText } from "./times.js";

const EDGES = ["start", "end"];
const NUDGE = 0.1; // seconds

export class LoopBar {
  #player;

  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.#player = player;
    byId("loop").addEventListener("click", () => this.toggle());
    for (const edge of EDGES) {
      const field = byId(`loop-${edge}`);
      field.addEventListener("change", () => this.#take(edge, field.value));
      field.addEventListener("keydown", (event) => this.#nudge(edge, event));
    }
  }

  /** Repeat, or play on. */
  toggle() {
    this.set({ on: !this.#player.loop.on });
  }

  /**
   * Change the loop, and say what became of it.
   * @param {Partial<import("./loop.js").Loop>} change
   */
  set(change) {
    this.#note(this.#player.setLoop(change));
    const { on, start, end } = this.#player.loop;
    const region = `from ${timeText(start)} to ${timeText(end)}`;
    if (on) announce(`Loop ${region}`);
    else announce("on" in change ? "Loop off" : `Loop ${region}, not on yet`);
  }

  /** Show another song, of which nothing has been said yet. @param {number} seconds */
  open(seconds) {
    this.#note("");
    for (const edge of EDGES) byId(`loop-${edge}`).setAttribute("aria-valuemax", seconds);
  }

  /** Show the player's loop. */
  show() {
    const { loop, hasRegion } = this.#player;
    press(byId("loop"), loop.on);
    byId("save-loop").disabled = !hasRegion;
    for (const edge of EDGES) {
      const field = byId(`loop-${edge}`);
      field.value = timeText(loop[edge]);
      field.setAttribute("aria-valuenow", loop[edge].toFixed(2));
      field.setAttribute("aria-valuetext", field.value);
    }
  }

  #take(edge, text) {
    const seconds = readTime(text);
    if (seconds !== null) return this.set({ [edge]: seconds });
    this.show(); // puts the time back
    const stays = `The loop still ${edge}s at ${timeText(this.#player.loop[edge])}.`;
    this.#note(`"${text}" is no time: write it as 1:05.3 or 65.3. ${stays}`, edge);
  }

  // Up and down move a time that is written, as they do in a field for a number.
  #nudge(edge, event) {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const seconds = readTime(event.target.value);
    if (!direction || seconds === null) return;
    event.preventDefault(); // the cursor would move
    this.set({ [edge]: Math.max(0, seconds + direction * NUDGE) });
  }

  #note(text, refused = null) {
    byId("loop-note").textContent = text;
    for (const edge of EDGES) {
      byId(`loop-${edge}`).setAttribute("aria-invalid", String(edge === refused));
    }
  }
}
