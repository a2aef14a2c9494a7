// Puts the page together.

import { readJson, ServerError } from "./api.js";
import { deviceWay } from "./device/way.js";
import { byId } from "./dom.js";
import { Intake } from "./intake.js";
import { listenToKeys } from "./keys.js";
import { keepOffline } from "./offline.js";
import { Studio } from "./studio.js";

const RESULT = /^#(results\/[\w-]+\/result\.json|device:[\w-]+)$/;

/** The studio of this page, once the server has said what it offers. @type {?Studio} */
export let studio = null;

function complain(error) {
  byId("problem").classList.add("wrong");
  const known = error instanceof ServerError || error.name === "DeviceError";
  byId("problem").textContent = known ? error.message : `Something went wrong: ${error.message}`;
}

// A song whose audio can't be read, say, wherever that was asked for.
window.addEventListener("unhandledrejection", ({ reason }) => complain(reason));

byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("help-close").addEventListener("click", () => byId("help").close());

// So that a reload comes back to the song that is open.
function remember(url) {
  history.replaceState(null, "", url ? `#${url}` : location.pathname + location.search);
}

// Opens a song; what can't be opened is told, and the page stays with the song before, if any.
async function open(intake, url) {
  intake.mark(url);
  try {
    if (await studio.open(url)) remember(url);
  } catch (error) {
    complain(error);
    const before = studio.player.result?.url ?? null;
    intake.mark(before);
    remember(before);
  }
}

async function start() {
  const site = await readJson("site.json");
  if (site.static) await keepOffline();
  const intake = new Intake(site, site.device ? [deviceWay(site)] : []);
  studio = new Studio(site);
  intake.addEventListener("result", ({ detail }) => open(intake, detail));
  studio.addEventListener("again", ({ detail: { id, model, title } }) =>
    intake.separateAgain(id, model, title),
  );
  studio.addEventListener("removed", ({ detail }) => {
    remember(null);
    intake.inform(`${detail} is removed from the server.`);
  });
  listenToKeys(studio, () => studio.player.result !== null);
  const asked = RESULT.exec(location.hash)?.[1];
  if (asked) await open(intake, asked);
  const first = site.static && site.songs[0]?.result;
  if (first && !studio.player.result) await open(intake, first);
}

await start().catch(complain);
