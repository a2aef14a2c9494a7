"""Fixtures of the demo: its application, and its page in headless Chromium."""

import contextlib
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.demo_client import LIMITS
from helpers.demo_page import ARGUMENTS, HEADLESS, READY, SAVE_DATA, SECONDS, STEP, choose
from helpers.firefox import FIREFOX, Firefox
from helpers.songs import RATE, noise, write_song
from helpers.static_site import serving

from hiphopss import SOURCES


@pytest.fixture(scope="module")
def demo(published):
    from hiphopss.demo.service import Demo

    with Demo(weights=["generated", published], seconds=4.0, limits=LIMITS) as demo:
        yield demo


@pytest.fixture(scope="module")
def client(demo):
    from starlette.testclient import TestClient

    from hiphopss.demo.app import create_app

    with TestClient(create_app(demo), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture(scope="session")
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
    from hiphopss.demo.limits import Limits
    from hiphopss.demo.server import web_server
    from hiphopss.demo.service import Demo

    limits = Limits(max_bytes=3_000_000)
    with (
        Demo(weights=["generated", published], songs=songs, seconds=SECONDS, limits=limits) as demo,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        service = web_server(demo, host="127.0.0.1")
        thread = threading.Thread(target=service.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        service.should_exit = True
        thread.join()


# Not of the session: while Playwright runs, no other test of this thread could use asyncio.
@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not Path(HEADLESS).exists():
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=HEADLESS, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """Opens pages; in the end none has asked another host, or met an error."""
    faults, hosts = [], set()
    with contextlib.ExitStack() as stack:

        def open_page(url, *, width=1280, height=900, first=False, **options):
            """Open an address; ``first`` has the first song on offer opened, as by default."""
            options = {"service_workers": "block", **options}  # what they ask can't be rerouted
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            stack.callback(context.close)
            if not first:  # most tests choose a song, and needn't wait for another
                context.add_init_script(SAVE_DATA)
            page = context.new_page()
            page.set_default_timeout(60_000)  # on a machine with much else to do
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
        choose(page, title)
        page.wait_for_selector(READY)
        page.click("#listen button:has-text('True stems')")
        page.wait_for_selector("#listen button:has-text('True stems')[aria-pressed=true]")
        return page

    return studio


@pytest.fixture(scope="session")
def exported(songs, tmp_path_factory):
    """A static site with the own songs."""
    from hiphopss.demo.catalogue import GeneratedSongs
    from hiphopss.demo.export import export_site

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GeneratedSongs, "songs", lambda self: [])  # it takes long to make them
        folder = tmp_path_factory.mktemp("export") / "site"
        return export_site(folder, songs=songs, seconds=SECONDS, progress=False)


@pytest.fixture(scope="module")
def exported_url(exported):
    """The address of that site."""
    with serving(exported) as url:
        yield url


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    """Firefox without a window; in the end, its pages have met no error."""
    pytest.importorskip("websockets", reason="websockets is not installed")
    if FIREFOX is None:
        pytest.skip("Firefox is not installed (Debian: apt-get install firefox-esr)")
    with Firefox(tmp_path_factory.mktemp("firefox"), service_workers=True) as firefox:
        yield firefox
        assert not firefox.faults
