// Puts the page together.

import { readJson, ServerError } from "./api.js";
import { byId } from "./dom.js";
import { Intake } from "./intake.js";
import { listenToKeys } from "./keys.js";
import { Address } from "./share.js";
import { Studio } from "./studio.js";

/** The studio of this page, once the server has said what it offers. @type {?Studio} */
export let studio = null;

function complain(error) {
  byId("problem").classList.add("wrong");
  const known = error instanceof ServerError;
  byId("problem").textContent = known ? error.message : `Something went wrong: ${error.message}`;
}

// A song whose audio can't be read, say, wherever that was asked for.
window.addEventListener("unhandledrejection", ({ reason }) => complain(reason));

byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("help-close").addEventListener("click", () => byId("help").close());

// Opens a song; what can't be opened is told, and the page stays with the song before, if any.
async function open(intake, address, url) {
  intake.mark(url);
  try {
    await studio.open(url);
  } catch (error) {
    complain(error);
    intake.mark(studio.player.result?.url ?? null);
  }
  address.remember();
}

async function start() {
  const site = await readJson("site.json");
  const intake = new Intake(site);
  studio = new Studio(site);
  const address = new Address(studio, (url) => open(intake, address, url));
  intake.addEventListener("result", ({ detail }) => open(intake, address, detail));
  studio.addEventListener("again", ({ detail: { id, model, title } }) =>
    intake.separateAgain(id, model, title),
  );
  studio.addEventListener("removed", ({ detail }) => {
    address.remember();
    intake.inform(`${detail} is removed from the server.`);
  });
  listenToKeys(studio, () => studio.player.result !== null);
  await address.enter();
  const first = site.static && site.songs[0].result;
  if (first && !studio.player.result) await open(intake, address, first);
}

await start().catch(complain);
