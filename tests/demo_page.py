"""The demo's page in headless Chromium: a server, pages, and what they show and play.

Fixtures and helpers of ``test_demo_browser.py`` and ``test_demo_studio.py``.
"""

import base64
import contextlib
import shutil
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import RATE, noise, write_song

from hiphopss import SOURCES

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
SECONDS = 4.0
STEP = 1 / 32768  # of 16-bit audio
FADED_IN = int(0.1 * RATE)  # samples by which playing has begun, if recording caught its begin
READY = "#studio:not([hidden]):not([aria-busy=true])"

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
"""


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Own songs: one in stereo, one mono, of noise whose stems sum to the mixture."""
    root = tmp_path_factory.mktemp("own")
    n_samples = int(SECONDS * RATE)
    for n_channels, name in ((1, "mono"), (2, "stereo")):
        stems = {
            source: np.stack(
                [noise(n_samples, 5 * i + channel, 0.05) for channel in range(n_channels)], axis=1
            )
            for i, source in enumerate(SOURCES)
        }
        # on 16-bit steps, so that the sum is exact
        write_song(root, "Test", name, {s: np.round(x / STEP) * STEP for s, x in stems.items()})
        for path in root.rglob(f"{name}/*.wav"):
            waveform, _ = soundfile.read(path, always_2d=True)
            soundfile.write(path, waveform, RATE, subtype="PCM_16")
    return root


@pytest.fixture(scope="module")
def server(songs, published):
    """The address of a demo with two models."""
    uvicorn = pytest.importorskip("uvicorn")
    from hiphopss.demo.app import create_app
    from hiphopss.demo.limits import Limits
    from hiphopss.demo.service import Demo

    limits = Limits(max_bytes=3_000_000)
    with (
        Demo(weights=["generated", published], songs=songs, seconds=SECONDS, limits=limits) as demo,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        service = uvicorn.Server(uvicorn.Config(create_app(demo), log_level="error"))
        thread = threading.Thread(target=service.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        service.should_exit = True
        thread.join()


# Not of the session: while Playwright runs, no other test of this thread could use asyncio.
@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """Opens pages; in the end none has asked another host, or met an error."""
    faults, hosts = [], set()
    with contextlib.ExitStack() as stack:

        def open_page(url, *, width=1280, **options):
            context = browser.new_context(viewport={"width": width, "height": 900}, **options)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(20_000)
            page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda m: m.type == "error" and faults.append(m.text))
            page.goto(url)
            page.wait_for_function("() => !document.querySelector('#songs').matches(':empty')")
            return page

        yield open_page
    refused = [f for f in faults if "Failed to load resource" not in f]  # answers of 4xx
    assert not refused
    assert {host.split(":")[0] for host in hosts} == {"127.0.0.1"}


@pytest.fixture
def studio(open_page, server):
    """Opens a bundled song on the server, with its true stems to listen to."""

    def studio(title="stereo", **options):
        page = open_page(server, **options)
        page.click(f"#songs button:has-text('{title}')")
        page.wait_for_selector(READY)
        page.click("#listen button:has-text('True stems')")
        page.wait_for_selector("#listen button:has-text('True stems')[aria-pressed=true]")
        return page

    return studio


def player(page, script, argument=None):
    """Run a script on the page's player, ``p``."""
    start = "const p = (await import('/app.js')).studio.player;"
    return page.evaluate(f"async (a) => {{ {PACK} {start} {script} }}", argument)


def unpack(text):
    return np.frombuffer(base64.b64decode(text), np.float32).astype(float)


def rendered(page):
    """The mix as it would be saved; `[shape=(2, n_samples)]`."""
    script = "const m = await p.render(); return [0, 1].map((c) => pack(m.getChannelData(c)))"
    return np.array([unpack(text) for text in player(page, script)])


def record(page):
    """Start to record the left channel of what is heard; the page must be without its policy."""
    player(
        page,
        """await p.context.audioWorklet.addModule(URL.createObjectURL(
            new Blob([a], { type: "text/javascript" })));
        const tap = new AudioWorkletNode(p.context, "tap");
        window.taken = [];
        tap.port.onmessage = ({ data }) => window.taken.push(...data);
        p.mixer.output.connect(tap);""",
        TAP,
    )


def recorded(page):
    """What was recorded until now; `[shape=(n_samples,)]`."""
    return unpack(player(page, "return pack(new Float32Array(window.taken))"))


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
