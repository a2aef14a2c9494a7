"""Workers that end, memory that is refused, and tabs that break down, in headless Chromium."""

import numpy as np
import pytest
from helpers.demo_client import encoded
from helpers.demo_page import ARGUMENTS, HEADLESS, READY
from helpers.songs import noise
from helpers.static_site import serving

pytestmark = pytest.mark.browser

SHORT = encoded(0.1 * noise(4000, 1))
LONG = encoded(0.1 * np.stack([noise(600_000, seed) for seed in (1, 2)], axis=1))
# Pages of 64 kB that a module may have: enough for the short song only.
MEMORY = "--js-flags=--wasm-max-mem-pages=350 --max-old-space-size=64"
# A worker that ends while it works, of which a browser says nothing.
END = "self.close(); return new Promise(() => {});"
# One that takes all the memory of its tab, which ends by that.
TAKE_ALL = "const kept = []; for (;;) kept.push(Array.from({ length: 1e5 }, (_, n) => ({ n })));"
# What each worker does first with a song.
BEGINS = {
    "engine/worker.js": "  separate({ channels, offset, start, stop, nSamples }) {\n",
    "device/job.js": "async function takeSong(source, tell) {\n",
}
KEPT = """async () => {
    const top = await navigator.storage.getDirectory();
    const songs = await top.getDirectoryHandle("hiphopss-songs");
    return (await Array.fromAsync(songs.keys())).length; }"""


@pytest.fixture
def scripts():
    return {}


@pytest.fixture
def page(browser, exported, scripts):
    """The exported page in a browser with little memory."""
    chromium = browser.browser_type.launch(executable_path=HEADLESS, args=[*ARGUMENTS, MEMORY])
    with serving(exported, scripts) as url:
        page = chromium.new_context(service_workers="block").new_page()
        page.set_default_timeout(60_000)
        page.goto(url)
        page.wait_for_selector(READY)
        yield page
        chromium.close()


def drop(page, name, content):
    page.set_input_files("#file", {"name": name, "mimeType": "audio/wav", "buffer": content})


def separated(page, name):
    drop(page, f"{name}.wav", SHORT)
    page.wait_for_selector(f"#song-title:text-is('{name}')")
    page.wait_for_selector(READY)


def code_that(site, worker, act):
    """The code of a worker that does something else with a song."""
    code = (site / worker).read_text("utf-8")
    assert code.count(BEGINS[worker]) == 1
    return code.replace(BEGINS[worker], BEGINS[worker] + act)


def test_page_works_on_after_a_crash(page, exported, scripts):
    drop(page, "long.wav", LONG)
    page.wait_for_selector("#problem:has-text('needs more memory than the browser gives')")
    for worker in BEGINS:
        scripts[worker] = code_that(exported, worker, END)
        drop(page, "short.wav", SHORT)
        page.wait_for_selector("#problem:has-text('The browser stopped the separation')")
        assert page.locator("#job").is_hidden()
        scripts.clear()
    separated(page, "One")

    scripts["engine/worker.js"] = code_that(exported, "engine/worker.js", TAKE_ALL)
    with page.expect_event("crash"):
        drop(page, "short.wav", SHORT)
    scripts.clear()
    again = page.context.new_page()
    again.goto(page.url)
    again.wait_for_selector(READY)
    assert again.inner_text("#song-title") == "One"
    separated(again, "Two")
    assert again.evaluate(KEPT) == 2  # nothing is left of those that broke off
