// Puts the page together.

import { readJson, ServerError } from "./api.js";
import { byId } from "./dom.js";
import { Intake } from "./intake.js";
import { listenToKeys } from "./keys.js";
import { Studio } from "./studio.js";

const RESULT = /^#(results\/[\w-]+\/result\.json)$/;

function complain(error) {
  const known = error instanceof ServerError;
  byId("problem").textContent = known ? error.message : `Something went wrong: ${error.message}`;
}

// A song whose audio can't be read, say, wherever that was asked for.
window.addEventListener("unhandledrejection", ({ reason }) => complain(reason));

byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("help-close").addEventListener("click", () => byId("help").close());

const site = await readJson("site.json");
const intake = new Intake(site);

/** The studio of this page. */
export const studio = new Studio(site);

async function open(url) {
  intake.mark(url);
  await studio.open(url);
  history.replaceState(null, "", `#${url}`); // so that a reload comes back to it
}

intake.addEventListener("result", ({ detail }) => open(detail));
studio.addEventListener("again", ({ detail: { id, model, title } }) =>
  intake.separateAgain(id, model, title),
);
studio.addEventListener("removed", ({ detail }) => {
  history.replaceState(null, "", location.pathname);
  intake.complain(`${detail} is removed from the server.`);
});
listenToKeys(studio, () => studio.player.result !== null);

const asked = RESULT.exec(location.hash)?.[1];
const first = asked ?? (site.static && site.songs.find(({ result }) => result)?.result);
if (first) await open(first);
