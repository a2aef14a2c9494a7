"""The exported page in Firefox, which plays nothing where a machine has no sound card."""

import numpy as np
import pytest
from helpers.demo_page import PACK, READY, STEP, truth, unpack

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
        const mix = await player.render(); return pack(mix.getChannelData(0)) }}"""
    )
    assert np.abs(unpack(mix) - truth(songs, title)[0]).max() <= 2.6 * STEP
