"""The demo's page in headless Chromium: what it shows and plays; fixtures are in demo/conftest."""

import base64
import shutil

import numpy as np
import soundfile
from helpers.songs import RATE

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
# The same without the browser's own windows: pages open in half the time.
HEADLESS = shutil.which("chromium-headless-shell") or CHROMIUM
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
    "--use-fake-ui-for-media-stream",  # and a visitor who lets the page listen
]
SECONDS = 4.0
STEP = 1 / 32768  # of 16-bit audio
FADED_IN = int(0.1 * RATE)  # samples by which playing has begun, if recording caught its begin
READY = "#studio:not([hidden]):not([aria-busy=true])"
# As in a browser that was asked to save data.
SAVE_DATA = "Object.defineProperty(navigator, 'connection', { value: { saveData: true } })"

# Sends what the mixer puts out, sample by sample.
TAP = """
registerProcessor("tap", class extends AudioWorkletProcessor {
  process([[left]]) { if (left) this.port.postMessage(left.slice()); return true; }
});
"""
PACK = """
const pack = (floats) => {
  const bytes = new Uint8Array(floats.buffer);
  let text = "";
  for (let n = 0; n < bytes.length; n += 4096)
    text += String.fromCharCode(...bytes.subarray(n, n + 4096));
  return btoa(text);
};
// All of what is rendered, one array a channel.
const joined = async ({ channels, nSamples, blocks }) => {
  const whole = Array.from({ length: channels }, () => new Float32Array(nSamples));
  let at = 0;
  for await (const block of blocks) {
    block.forEach((samples, channel) => whole[channel].set(samples, at));
    at += block[0].length;
  }
  return whole;
};
"""

# Whether all that was fetched of songs is kept by the service worker.
KEPT = """async () => {
  const fetched = performance.getEntriesByType("resource").map(({ name }) => name);
  const songs = fetched.filter((name) => name.includes("/results/"));
  const found = await Promise.all(songs.map((name) => caches.match(name)));
  return found.length > 0 && found.every(Boolean); }"""


def choose(page, title):
    """Choose a song on offer, after opening the choice if another song is open."""
    if page.locator("#choices").is_hidden():
        page.click("#change")
    page.click(f"#songs button:has-text('{title}')")


def player(page, script, argument=None):
    """Run a script on the page's player, ``p``."""
    start = "const p = (await import('/app.js')).studio.player;"
    return page.evaluate(f"async (a) => {{ {PACK} {start} {script} }}", argument)


def unpack(text):
    return np.frombuffer(base64.b64decode(text), np.float32).astype(float)


def rendered(page):
    """The mix as it would be saved; `[shape=(2, n_samples)]`."""
    script = "return (await joined(await p.render())).map(pack)"
    return np.array([unpack(text) for text in player(page, script)])


def record(page):
    """Start to record the left channel of what is heard; the page must be without its policy."""
    player(
        page,
        """window.taken = [];
        if (window.tapped === p.context) return;
        window.tapped = p.context;
        await p.context.audioWorklet.addModule(URL.createObjectURL(
            new Blob([a], { type: "text/javascript" })));
        const tap = new AudioWorkletNode(p.context, "tap");
        tap.port.onmessage = ({ data }) => window.taken.push(...data);
        p.mixer.output.connect(tap);""",
        TAP,
    )


def recorded(page):
    """What was recorded until now; `[shape=(n_samples,)]`."""
    return unpack(player(page, "return pack(new Float32Array(window.taken))"))


def in_one_of_three(hear):
    """Do a check of what is heard, until it succeeds, three times at most.

    On a machine whose processors are all busy the browser may drop samples of its own accord, now
    and then; a fault of the page would be there each time.
    """
    for _ in range(2):
        try:
            return hear()
        except AssertionError:
            pass
    return hear()


def position_in(song, heard):
    """Where in a waveform another begins, in samples."""
    spectrum = np.fft.rfft(song, 2 * len(song)) * np.conj(np.fft.rfft(heard, 2 * len(song)))
    return int(np.argmax(np.fft.irfft(spectrum)[: len(song)]))


def truth(songs, title, source=None):
    """A stem or the mixture of an own song; `[shape=(n_channels, n_samples)]`."""
    path = (
        songs / "Sources/Test" / title / f"{source}.wav"
        if source
        else songs / "Mixtures/Test" / title / "mixture.wav"
    )
    return soundfile.read(path, always_2d=True)[0].T


def slide(page, name, value):
    page.get_by_role("slider", name=name, exact=True).fill(str(value))


def painted(page, name):
    """How many dots of a lane's waveform have a colour."""
    return page.evaluate(
        """name => { const c = document.querySelector(`[data-name=${name}] canvas`);
        const dots = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        return dots.filter((v, i) => i % 4 === 3 && v > 0).length }""",
        name,
    )
