// Puts the page together.

import { readJson, readResult } from "./api.js";
import { isOnDevice, listDeviceSongs } from "./device/library.js";
import { DeviceWay } from "./device/way.js";
import { byId } from "./dom.js";
import { PageError } from "./errors.js";
import { Intake } from "./intake.js";
import { listenToKeys } from "./keys.js";
import { complain, inform } from "./notices.js";
import { LivePanel } from "./live/panel.js";
import { keepOffline } from "./offline.js";
import { ServerWay } from "./server-way.js";
import { Address } from "./share.js";
import { Studio } from "./studio.js";

/** The studio of this page, once the server has said what it offers. @type {?Studio} */
export let studio = null;
/** @type {?Intake} */
let intake = null;
/** @type {?Address} */
let address = null;

// Pages of the same site in other tabs, which say which song they have removed.
const otherTabs = new BroadcastChannel("hiphopss");

// Says what went wrong. If the song that is open is gone from the server, that is the reason.
async function explain(error) {
  const open = studio?.player.result;
  if (open && error instanceof PageError) {
    const isGone = await readResult(open.url).then(
      () => false,
      (reason) => reason.isGone === true,
    );
    if (isGone && studio.player.result === open) return leave(open);
  }
  complain(error instanceof PageError ? error.message : `Something went wrong: ${error.message}`);
}

// Closes a song that is not there any more.
function leave({ title }) {
  studio.close();
  address.remember();
  intake.closed();
  offerKept();
  complain(`${title} is not there any more: choose it again, or another song.`);
}

// A song whose audio can't be read, say, wherever that was asked for.
window.addEventListener("unhandledrejection", (event) => {
  explain(event.reason);
  if (event.reason instanceof PageError) event.preventDefault(); // it is no fault of the page
});

byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("help-close").addEventListener("click", () => byId("help").close());
byId("help-open").hidden = false;

const placeOf = ({ url }) => (isOnDevice(url) ? "device" : "server");

// The visitor's own songs, which may be others since.
async function offerKept() {
  intake.offerKept(await listDeviceSongs());
  intake.mark(studio.player.result?.url ?? null);
}

// Opens a song; what can't be opened is told, and the page stays with the song before, if any.
async function open(url) {
  intake.mark(url);
  try {
    await studio.open(url);
  } catch (error) {
    intake.mark(studio.player.result?.url ?? null);
    await explain(error);
  }
  address.remember();
}

function wire() {
  intake.addEventListener("result", ({ detail }) => open(detail));
  intake.addEventListener("failed", ({ detail }) => explain(detail));
  studio.addEventListener("failed", ({ detail }) => explain(detail));
  studio.addEventListener("opened", ({ detail: { note } }) => {
    intake.opened();
    offerKept();
    if (note) inform(`This file is ${note}.`);
  });
  studio.addEventListener("again", ({ detail: { id, model, title } }) =>
    intake.separateAgain(id, model, title, placeOf(studio.player.result)),
  );
  studio.addEventListener("removed", ({ detail: { title, url } }) => {
    address.remember();
    intake.closed();
    inform(`${title} is removed from ${isOnDevice(url) ? "this device" : "the server"}.`);
    offerKept();
    otherTabs.postMessage({ removed: url });
  });
  otherTabs.addEventListener("message", ({ data: { removed } }) => {
    const open = studio.player.result;
    if (open && open.url === removed) leave(open);
  });
  listenToKeys(studio, () => studio.player.result !== null);
}

// Sound is separated as it plays, where the page can separate by itself.
function offerLive(site) {
  if (site.device.models.length === 0) return;
  const panel = new LivePanel(site);
  panel.addEventListener("opened", () => studio.player.pause());
  byId("live-open").addEventListener("click", () => panel.open());
  byId("live-open").hidden = false;
}

async function start() {
  const site = await readJson("site.json");
  if (site.static) keepOffline();
  const ways = site.static ? [] : [new ServerWay(site)];
  if (site.device.models.length > 0) ways.push(new DeviceWay(site));
  intake = new Intake(site, ways);
  studio = new Studio(site);
  address = new Address(studio, open);
  wire();
  offerLive(site);
  offerKept();
  await address.enter(() => intake.openFirst());
}

await start().catch(explain);
