// Keeps an exported page in the browser, so that it opens without a network.
//
// The export fills in what the page consists of. Of that, one version is there as a whole or not
// at all: each file is checked against its hash. Songs of the site are kept when they have been
// opened, up to a limit. Songs of visitors are never here: they are in the browser's own files.

const EXPORTED = null;

const MOST_SONG_BYTES = 100e6; // of all the site's songs that are kept
const SCOPE = self.registration.scope; // sites of one host share its caches
const OWN = `hiphopss ${SCOPE} `;
const PAGE = `${OWN}page ${EXPORTED?.version}`;
const SONGS = `${OWN}songs ${EXPORTED?.version}`;

self.addEventListener("install", (event) => {
  // A new version waits until no tab has the old one: taking over at once, it blocked one in ten
  // visits that came just then. Where a server is in the place of the site, it can't wait, as the
  // old page would be shown for as long as a tab has it; nothing was blocked by that in forty
  // tries, as this worker answers no request and is gone a moment later.
  if (EXPORTED) event.waitUntil(keepPage());
  else self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(EXPORTED ? takeOver() : retire());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const address = origin + pathname;
  if (!EXPORTED || request.method !== "GET" || !address.startsWith(SCOPE)) return;
  const name = address.slice(SCOPE.length);
  if (name in EXPORTED.files || ["", "index.html"].includes(name)) {
    event.respondWith(fromPage(request, name));
  } else if (name.startsWith("results/") && !request.headers.has("range")) {
    event.respondWith(fromSongs(event));
  }
});

async function keepPage() {
  const cache = await caches.open(PAGE);
  const requests = Object.entries(EXPORTED.files).map(
    ([address, integrity]) => new Request(address, { integrity, cache: "no-cache" }),
  );
  await cache.addAll(requests);
}

async function takeOver() {
  await removeCaches((name) => name !== PAGE && name !== SONGS);
  await self.clients.claim();
}

async function retire() {
  await removeCaches(() => true);
  const pages = await self.clients.matchAll({ type: "window" });
  await self.registration.unregister();
  for (const page of pages) page.navigate(page.url);
}

async function removeCaches(unwanted) {
  const names = (await caches.keys()).filter((name) => name.startsWith(OWN) && unwanted(name));
  await Promise.all(names.map((name) => caches.delete(name)));
}

async function fromPage(request, name) {
  const cache = await caches.open(PAGE);
  const address = ["", "index.html"].includes(name) ? "./" : name;
  return (await cache.match(address)) ?? fetch(request);
}

async function fromSongs(event) {
  const { request } = event;
  const cache = await caches.open(SONGS);
  const known = await cache.match(request, { ignoreVary: true });
  if (known) return known;
  const answer = await fetch(request);
  if (answer.status === 200) {
    event.waitUntil(keepSong(cache, request, answer.clone()).catch(() => {}));
  }
  return answer;
}

// The oldest ones give way.
async function keepSong(cache, request, answer) {
  const blob = await answer.blob();
  const headers = { "content-type": answer.headers.get("content-type") ?? "" };
  await cache.put(request, new Response(blob, { headers: { ...headers, "x-bytes": blob.size } }));
  let bytes = 0;
  for (const key of (await cache.keys()).reverse()) {
    bytes += Number((await cache.match(key))?.headers.get("x-bytes"));
    if (bytes > MOST_SONG_BYTES) await cache.delete(key);
  }
}
