"""The demo's presets, pads, tempo, and the address that holds the mix, in headless Chromium."""

import numpy as np
import pytest
import soundfile
from helpers.demo_page import PACK, READY, SECONDS, STEP, choose, player, rendered, slide, truth
from helpers.songs import RATE

from hiphopss import SOURCES
from hiphopss.demo.service import SHIFTER, static_files

pytestmark = pytest.mark.browser

STATE = "return [p.result.title, p.mix, p.loop, p.listening, p.version]"


def pressed(page, preset):
    return page.get_attribute(f"[data-preset={preset}]", "aria-pressed") == "true"


def test_presets_names_and_pads(studio, songs):
    page = studio()
    stems = {s: truth(songs, "stereo", s) for s in SOURCES}
    song = sum(stems.values())
    mixes = {
        "karaoke": song + (10 ** (-18 / 20) - 1) * stems["vocals"],
        "instrumental": song - stems["vocals"],
        "acappella": stems["vocals"],
        "drumless": song - stems["drums"],
    }
    assert page.locator("#listen button").all_inner_texts() == ["Stems", "Original", "True stems"]
    for preset, expected in mixes.items():
        page.click(f"[data-preset={preset}]")
        assert [other for other in mixes if pressed(page, other)] == [preset]
        assert np.abs(rendered(page) - expected).max() <= 2.6 * STEP, preset
    page.click("[data-preset=drumless]")  # once more: off
    assert not any(pressed(page, preset) for preset in mixes)
    page.click("[data-preset=acappella]")
    assert page.inner_text("#status") == "A cappella: the voice alone"
    slide(page, "Bass level", 3)
    assert not pressed(page, "acappella")
    page.click("#reset")
    assert np.abs(rendered(page) - song).max() <= 2.6 * STEP
    page.click("#listen button:has-text('Original')")
    page.wait_for_selector("[data-id=original][aria-pressed=true]")
    page.click("button[aria-label='Bass alone']")  # the stems are heard again
    page.wait_for_selector("#listen button:has-text('True stems')[aria-pressed=true]")
    assert np.abs(rendered(page) - stems["bass"]).max() <= 2.6 * STEP
    page.click("button[aria-label='Vocals alone']")
    assert np.abs(rendered(page) - stems["vocals"]).max() <= 2.6 * STEP
    page.click("button[aria-label='Vocals alone']")
    page.click("button[aria-label='Mute bass']")
    assert page.inner_text("#status") == "Bass muted"
    hold = "[data-source={}].pad"
    page.dispatch_event(hold.format("bass"), "pointerdown")
    page.wait_for_timeout(400)
    assert np.abs(rendered(page) - stems["bass"]).max() <= 2.6 * STEP
    page.dispatch_event(hold.format("bass"), "pointerup")
    page.dispatch_event(hold.format("bass"), "click")  # the end of holding is no tap
    page.dispatch_event(hold.format("drums"), "click")
    expected = stems["vocals"] + stems["other"]
    assert np.abs(rendered(page) - expected).max() <= 2.6 * STEP
    assert page.get_attribute(hold.format("drums"), "aria-checked") == "false"


def test_address_holds_the_mix(studio, open_page):
    page = studio(permissions=["clipboard-read", "clipboard-write"])
    assert page.title() == "stereo \N{EN DASH} hiphopss"
    slide(page, "Vocals level", -6)
    slide(page, "Other pan", 35)
    slide(page, "Master level", 2.5)
    page.click("button[aria-label='Mute drums']")
    page.fill("#loop-end", "3.25")
    page.press("#loop-end", "Enter")
    page.click("#loop")
    page.click("#share")
    page.wait_for_selector("#status:has-text('Link copied')")
    link = page.evaluate("navigator.clipboard.readText()")
    settings = "vocals=-6&other-pan=35&mute=drums&master=2.5&version=true&loop=0-3.25"
    assert link.endswith(f"/result.json?{settings}")
    address = page.evaluate(
        """async () => { const { readAddress } = await import("/share.js");
        const { url, settings } = readAddress("#device:a-b?mute=bass"); // the visitor's own
        return [url, String(settings), readAddress("#studio")] }"""
    )
    assert address == ["device:a-b", "mute=bass", None]
    state = player(page, STATE)
    page.reload()
    page.wait_for_selector(READY)
    page.wait_for_selector("#listen button:has-text('True stems')[aria-pressed=true]")
    page.wait_for_function("() => document.querySelector('#loop').ariaPressed === 'true'")
    assert player(page, STATE) == state

    other = studio("mono")
    mono = other.url
    other.evaluate("link => { location.hash = new URL(link).hash }", link)  # pasted
    other.wait_for_selector("#song-title:has-text('stereo')", state="attached")
    other.wait_for_selector(f"{READY} #loop[aria-pressed=true]")
    other.wait_for_selector("#listen button:has-text('True stems')[aria-pressed=true]")
    assert player(other, STATE) == state
    assert other.title().startswith("stereo")
    other.go_back()
    other.wait_for_selector("#song-title:has-text('mono')", state="attached")
    other.wait_for_selector(READY)
    other.wait_for_function("url => location.href.startsWith(url)", arg=mono.split("?")[0])
    assert other.title().startswith("mono")
    other.evaluate("document.querySelector('.skip').focus()")
    other.keyboard.press("Enter")
    assert other.evaluate("document.activeElement.id") == "studio"
    other.evaluate("location.hash = '#nothing'")
    other.wait_for_function("url => location.href.startsWith(url)", arg=mono.split("?")[0])
    assert player(other, "return p.result.title") == "mono"
    before = player(other, STATE)
    other.evaluate(
        "location.hash = location.hash.split('?')[0] + "
        "'?vocals=x&bass=99&mute=voice&loop=3-1&version=9'"
    )
    other.wait_for_function("() => location.hash.endsWith('?bass=12')")
    before[1]["stems"]["bass"]["gain"] = 12
    before[3] = before[4] = "generated"
    assert player(other, STATE) == before


def test_small_windows(studio):
    """On a phone the first fader is seen at once; at 200 % nothing with the focus is covered."""
    page = studio(width=390, height=844)
    box = page.evaluate(
        """() => ["[data-source=vocals] .level", ".transport"].map((selector) =>
        document.querySelector(selector).getBoundingClientRect().toJSON())"""
    )
    assert 0 <= box[0]["top"] < box[0]["bottom"] < box[1]["top"]
    assert page.inner_text("#status").startswith("Listening to")
    page.hover("[data-name=drums]")
    page.mouse.down()  # on the lanes, which the line covers
    assert page.inner_text("#status") == ""
    page.mouse.up()
    page.set_viewport_size({"width": 640, "height": 450})
    page.evaluate("document.querySelector('#to-start').focus()")
    for key in ["Tab"] * 40 + ["Shift+Tab"] * 40:
        page.keyboard.press(key)
        covered = page.evaluate(
            """() => { const bar = document.querySelector(".transport");
            const here = document.activeElement, { top, bottom } = here.getBoundingClientRect();
            return !bar.contains(here) && (top < 0 || bottom > bar.getBoundingClientRect().top)
              ? here.outerHTML : ""; }"""
        )
        assert not covered


# A tone from half a second on, rendered: its length, when it begins, and its frequency.
RENDER = f"""async ([tempo, pitch]) => {{ {PACK}
  const {{ neutralMix }} = await import("/graph.js");
  const {{ renderMix }} = await import("/rendering.js");
  const rate = 44100;
  const {{ Sound }} = await import("/sound.js");
  const samples = new Float32Array(3 * rate);
  for (let n = rate / 2; n < samples.length; n++) {{
    samples[n] = 0.5 * Math.sin((2 * Math.PI * 440 * n) / rate);
  }}
  const format = {{ length: samples.length, channels: 1, sampleRate: rate }};
  const tone = new Sound(format, async (first, count) => [samples.subarray(first, first + count)]);
  const mix = {{ ...neutralMix(["bass"]), tempo, pitch }};
  const [heard] = await joined(renderMix({{ bass: tone }}, mix));
  const begin = heard.findIndex((sample) => Math.abs(sample) > 0.25);
  let waves = 0;
  for (let n = begin + rate / 2; n < begin + (3 * rate) / 2; n++) {{
    if (heard[n - 1] < 0 && heard[n] >= 0) waves++;
  }}
  return [heard.length / rate, begin / rate, waves];
}}"""


@pytest.mark.skipif(
    SHIFTER not in static_files(), reason="the library isn't fetched (python tests/vendor.py)"
)
def test_tempo_and_pitch(studio):
    page = studio()
    # As it is, nothing is between the mix and the file: see the downloads in test_studio.
    for tempo, pitch, frequency in ((0.8, 0, 440), (1, 12, 880), (1.25, -5, 330)):
        seconds, begin, waves = page.evaluate(RENDER, [tempo, pitch])
        assert seconds == pytest.approx(3 / tempo, abs=1e-4)
        assert begin == pytest.approx(0.5 / tempo, abs=0.06)  # half a block of the library
        assert waves == pytest.approx(frequency, abs=2)  # -5 semitones: 329.6 Hz
    page.get_by_role("slider", name="Tempo", exact=True).fill("50")
    page.get_by_role("slider", name="Pitch", exact=True).fill("-3")
    assert page.get_attribute("input[aria-label=Pitch]", "aria-valuetext") == "-3 semitones"
    page.wait_for_function("() => location.hash.includes('tempo=0.5&pitch=-3')")
    page.click("#play")
    page.wait_for_selector("button[aria-label=Pause]")
    rate = player(
        page,
        """const wait = (ms) => new Promise((done) => setTimeout(done, ms));
        await wait(400);
        for (const tempo of [0.9, 0.5]) { // there and back, before the first is heard
          p.mix.tempo = tempo;
          p.mixChanged();
        }
        await wait(400);
        const [begin, from] = [p.context.currentTime, p.position];
        await wait(800);
        return (p.position - from) / (p.context.currentTime - begin);""",
    )
    assert rate == pytest.approx(0.5, abs=0.05)
    page.click("#reset")  # while it plays
    page.wait_for_function("() => !location.hash.includes('tempo')")
    page.wait_for_timeout(300)
    assert player(page, "return p.playing && p.mix.tempo === 1 && p.mix.pitch === 0")


@pytest.mark.skipif(
    SHIFTER not in static_files(), reason="the library isn't fetched (python tests/vendor.py)"
)
def test_what_did_not_arrive_is_told_and_can_be_tried_again(open_page, server):
    page = open_page(server)
    page.route("**/*.flac", lambda route: route.abort())
    choose(page, "stereo")
    page.wait_for_selector("#problem:has-text('The server does not answer')")
    page.unroute("**/*.flac")
    page.click("#play")  # its sounds have never been there
    page.wait_for_selector("button[aria-label=Pause]")
    page.wait_for_function("() => document.querySelector('#now').textContent > '0:00.2'")
    page.route("**/signalsmith-stretch.js", lambda route: route.abort())
    page.get_by_role("slider", name="Tempo", exact=True).fill("50")  # while it plays
    page.wait_for_selector("button[aria-label=Play]")  # rather than playing silence
    page.click("#save-mix")
    page.wait_for_selector("#problem:has-text('part of this page')")
    page.click("#reset")
    with page.expect_download() as download:  # what failed is not waited for
        page.click("#save-mix")
    assert soundfile.info(download.value.path()).frames == SECONDS * RATE
