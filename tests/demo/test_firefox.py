"""The exported page in Firefox, which plays nothing where a machine has no sound card."""

import socket
import urllib.parse

import numpy as np
import pytest
import soundfile
from helpers.demo_page import KEPT, PACK, READY, STEP, truth, unpack
from helpers.static_site import serving

pytestmark = pytest.mark.browser


def test_exported_site_draws_and_mixes(firefox, exported_url, songs):
    firefox.goto(exported_url)
    firefox.wait_for("(ready) => document.querySelector(ready) !== null", READY)
    painted = """(name) => { const c = document.querySelector(`[data-name=${name}] canvas`);
        const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
        return data.some((value) => value > 0) }"""
    assert all(firefox.evaluate(painted, name) for name in ("original", "vocals", "drums"))
    title = firefox.evaluate("() => document.querySelector('#song-title').textContent")
    mix = firefox.evaluate(
        f"""async () => {{ {PACK} const {{ player }} = (await import("/app.js")).studio;
        return pack((await joined(await player.render()))[0]) }}"""
    )
    assert np.abs(unpack(mix) - truth(songs, title)[0]).max() <= 2.6 * STEP
    wait_until_kept(firefox)  # what is fetched for that while a page is left is told as an error
    # What can't be done is told, and is no error of the page.
    firefox.evaluate("() => { window.fetch = () => Promise.reject(new Error('off')) }")
    firefox.click("#listen button[data-id=original]")
    firefox.wait_for("() => document.querySelector('#problem').textContent.includes('not answer')")


def test_song_is_separated_on_the_device_without_a_network(firefox, exported, songs):
    with serving(exported) as url:
        firefox.goto(url)
        firefox.wait_for("(ready) => document.querySelector(ready) !== null", READY)
        wait_until_kept(firefox)
    place = urllib.parse.urlsplit(url)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((place.hostname, place.port))
    firefox.goto(url)
    firefox.wait_for("(ready) => document.querySelector(ready) !== null", READY)
    firefox.set_input_files("#file", songs / "Mixtures/Test/stereo/mixture.wav")
    opened = "() => document.querySelector('#song-title').textContent === 'mixture'"
    firefox.wait_for(opened, seconds=60)
    stem = firefox.evaluate(
        f"""async () => {{ {PACK} const {{ player }} = (await import("/app.js")).studio;
        const {{ audio }} = player.result.versions[0].stems.drums;
        const bytes = await (await fetch(audio)).arrayBuffer();
        const floats = Float32Array.from(new Int16Array(bytes.slice(44)));
        return pack(floats) }}"""
    )
    server, _ = soundfile.read(exported / "results/stereo/generated.drums.flac", dtype="int16")
    assert np.abs(unpack(stem).reshape(-1, 2) - server).max() <= 1  # where rounding decides
    firefox.goto("about:blank")
    firefox.goto(f"{url}#device:none")
    firefox.wait_for("() => document.querySelector('#problem').textContent.includes('not on this')")
    listed = "() => document.querySelector('#kept').textContent.includes('mixture')"
    firefox.wait_for(listed)  # it is kept


def wait_until_kept(firefox):
    """Wait until the page is kept for visits without a network."""
    firefox.wait_for("() => navigator.serviceWorker.controller?.state === 'activated'")
    firefox.wait_for(KEPT)
