// The address of this page names the song and its mix, so that a link, a reload, and the browser's
// Back come to the same. It can be read: #results/a/result.json?vocals=-6&mute=drums&loop=10-20

import { isOnDevice } from "./device/library.js";
import { announce, byId } from "./dom.js";
import { neutralMix, ORIGINAL, PITCHES, SILENT_DB, TEMPOS, TOP_DB } from "./graph.js";
import { complain } from "./notices.js";

const ADDRESS = /^#((?:results\/[\w-]+\/result\.json)|(?:device:[\w-]+))(?:\?(.*))?$/;
const STRANGE = "This address names no song that this page knows: choose one here.";
const WAIT_MILLISECONDS = 300; // browsers refuse to change the address all the time
const ONLY_HERE =
  "This song is on this device only, so a link would lead others nowhere: send them the stems or " +
  "the mix instead.";
const LOOP = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/;

/**
 * Read an address's part behind the #.
 * @param {string} hash
 * @returns {?{url: string, settings: URLSearchParams}}
 */
export function readAddress(hash) {
  const parts = ADDRESS.exec(hash);
  return parts && { url: parts[1], settings: new URLSearchParams(parts[2] ?? "") };
}

/** Whether a part behind the # is there, and names no song. @param {string} hash */
const isStrange = (hash) => hash.length > 1 && !readAddress(hash);

/**
 * What differs from a song as it is opened, to be read by people, too.
 * @param {import("./player.js").Player} player
 * @returns {string}
 */
export function settingsText({ mix, listening, version, loop, hasRegion, result }) {
  const told = [];
  const stems = Object.entries(mix.stems);
  for (const [source, { gain, pan }] of stems) {
    if (gain) told.push(`${source}=${gain}`);
    if (pan) told.push(`${source}-pan=${Math.round(100 * pan)}`);
  }
  for (const act of ["mute", "solo"]) {
    const which = stems.filter(([, stem]) => stem[act]).map(([source]) => source);
    if (which.length) told.push(`${act}=${which.join(",")}`);
  }
  if (mix.master) told.push(`master=${mix.master}`);
  if (mix.tempo !== 1) told.push(`tempo=${mix.tempo}`);
  if (mix.pitch) told.push(`pitch=${mix.pitch}`);
  if (version !== result.versions[0].id) told.push(`version=${version}`);
  if (listening === ORIGINAL) told.push("listen=original");
  if (loop.on || hasRegion) {
    const region = [loop.start, loop.end].map((time) => String(Number(time.toFixed(5)))).join("-");
    told.push(`${loop.on ? "loop" : "region"}=${region}`);
  }
  return told.join("&");
}

/**
 * Set what an address tells; what it doesn't tell, or tells wrongly, is as a song is opened.
 * @param {import("./player.js").Player} player
 * @param {URLSearchParams} settings
 */
export async function applySettings(player, settings) {
  const sources = Object.keys(player.mix.stems);
  const number = (name, least, most, usual = 0) => {
    const value = Number.parseFloat(settings.get(name) ?? "");
    return Number.isFinite(value) ? Math.max(least, Math.min(value, most)) : usual;
  };
  const named = (name) => (settings.get(name) ?? "").split(",");
  const mix = neutralMix(sources);
  for (const source of sources) {
    mix.stems[source] = {
      gain: number(source, SILENT_DB, TOP_DB),
      pan: number(`${source}-pan`, -100, 100) / 100,
      mute: named("mute").includes(source),
      solo: named("solo").includes(source),
    };
  }
  mix.master = number("master", SILENT_DB, TOP_DB);
  if (player.canBend) {
    mix.tempo = number("tempo", ...TEMPOS, 1);
    mix.pitch = Math.round(number("pitch", ...PITCHES));
  }
  Object.assign(player.mix, mix);
  player.mixChanged();
  const region = LOOP.exec(settings.get("loop") ?? settings.get("region") ?? "");
  const [start, end] = region ? region.slice(1).map(Number) : [0, player.result.seconds];
  player.setLoop(start < end ? { on: settings.has("loop"), start, end } : { on: false });
  const { versions } = player.result;
  const version = versions.find(({ id }) => id === settings.get("version")) ?? versions[0];
  if (player.version !== version.id) await player.listen(version.id);
  await player.listen(settings.get("listen") === ORIGINAL ? ORIGINAL : version.id);
}

/** Keeps the address and the song that is open the same. */
export class Address {
  #studio;
  #open;
  #waiting = 0;
  #opening = false; // what is shown meanwhile isn't the song's address

  /**
   * @param {import("./studio.js").Studio} studio
   * @param {(url: string) => Promise<any>} open  Opens a song; its errors are told by then.
   */
  constructor(studio, open) {
    this.#studio = studio;
    this.#open = open;
    studio.player.addEventListener("change", () => this.#writeSoon());
    window.addEventListener("hashchange", () => this.#follow());
    byId("share").addEventListener("click", () => this.#copy());
    // Its target isn't a song: in the address it would take the song's place.
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault();
      const target = byId(studio.player.result ? "studio" : "intake");
      target.tabIndex = -1;
      target.focus();
    });
  }

  /**
   * Open what the address names.
   * @param {() => void} openOther  Called if it names no song, which is told if it names anything.
   */
  async enter(openOther) {
    const tell = isStrange(location.hash);
    if (!(await this.#enterSong())) openOther();
    if (tell) complain(STRANGE);
  }

  async #enterSong() {
    const asked = readAddress(location.hash);
    if (!asked) return false;
    clearTimeout(this.#waiting);
    this.#opening = true;
    try {
      if (this.#studio.player.result?.url !== asked.url) await this.#open(asked.url);
      const { player } = this.#studio;
      if (player.result?.url === asked.url) await applySettings(player, asked.settings);
    } finally {
      this.#opening = false;
      this.#replace();
    }
    return true;
  }

  /** Write the song that is open, or that none is, into the address. */
  remember() {
    if (this.#opening) return; // `#enterSong` does it
    const now = readAddress(location.hash);
    const url = this.#studio.player.result?.url ?? null;
    // Back comes to the song before.
    if (now && url && now.url !== url) history.pushState(null, "", this.#hash());
    else this.#replace();
  }

  #hash() {
    const { player } = this.#studio;
    if (!player.result) return location.pathname + location.search;
    const settings = settingsText(player);
    return `#${player.result.url}${settings && `?${settings}`}`;
  }

  #writeSoon() {
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => {
      const { result } = this.#studio.player;
      const now = readAddress(location.hash);
      const other = now && result && now.url !== result.url; // one is on its way in or out
      if (!this.#opening && !other) this.#replace();
    }, WAIT_MILLISECONDS);
  }

  #replace() {
    clearTimeout(this.#waiting);
    history.replaceState(null, "", this.#hash());
  }

  // The address was changed by hand, or by Back.
  #follow() {
    const fail = (detail) => this.#studio.dispatchEvent(new CustomEvent("failed", { detail }));
    return this.enter(() => this.#replace()).catch(fail);
  }

  async #copy() {
    const { player } = this.#studio;
    if (isOnDevice(player.result.url)) {
      announce(ONLY_HERE);
      return;
    }
    this.#replace();
    const copied = await copyText(location.href);
    if (!copied) announce("The browser lets no page copy: take the link from its address bar.");
    else if (/^(localhost|127\.|\[::1\])/.test(location.hostname)) {
      announce("Link copied, with your mix. It opens on this computer only.");
    } else announce("Link copied, with your mix.");
  }
}

// Pages that aren't served over https may not use the clipboard, but may copy what is selected.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    const before = document.activeElement;
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    before?.focus();
    return copied;
  }
}
