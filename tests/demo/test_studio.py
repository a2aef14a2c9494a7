"""The demo's page in headless Chromium: playing and mixing the song that is open."""

import functools
import re

import numpy as np
import pytest
from helpers.demo_page import (
    FADED_IN,
    SECONDS,
    STEP,
    in_one_of_three,
    player,
    position_in,
    record,
    recorded,
    rendered,
    slide,
    truth,
)
from helpers.songs import RATE

from hiphopss import SOURCES

pytestmark = pytest.mark.browser

# The songs and their stems are on steps of 16 bits, and so are their files: what is heard and
# rendered differs by roundings of sums in single precision, and for mono songs of two gains.
ROUNDING = STEP / 100


@pytest.mark.parametrize("title", ["mono", "stereo"])
def test_faders_at_zero_give_the_mixture(studio, songs, title):
    page = studio(title)
    assert np.abs(rendered(page) - truth(songs, title)).max() <= ROUNDING


def test_mute_and_solo(studio, songs):
    page = studio()
    stems = {s: truth(songs, "stereo", s) for s in SOURCES}
    page.click("button[aria-label='Mute drums']")
    mix = rendered(page)
    assert np.allclose(mix, sum(stems.values()) - stems["drums"], atol=2.6 * STEP)
    page.click("button[aria-label='Solo bass']")
    page.keyboard.press("Shift+Digit4")  # solo other
    assert np.allclose(rendered(page), stems["bass"] + stems["other"], atol=2.6 * STEP)
    assert page.get_attribute("button[aria-label='Solo other']", "aria-pressed") == "true"
    assert page.inner_text("#status") == "Other solo"
    page.click("#reset")
    assert np.allclose(rendered(page), sum(stems.values()), atol=2.6 * STEP)


def test_what_repeats_is_said_of_the_version_that_is_heard(studio):
    page = studio()
    assert page.inner_text("#version-note") == ""  # of the true stems
    page.click("#listen button[data-id=generated]")
    page.wait_for_selector("#listen button[data-id=generated][aria-pressed=true]")
    assert page.inner_text("#version-note").startswith("Loops: ")
    page.click("#listen button:has-text('Original')")
    page.wait_for_selector("#listen button:has-text('Original')[aria-pressed=true]")
    assert page.inner_text("#version-note") == ""


def test_versions_change_without_a_gap(studio, songs):
    """The true stems sum to the original, so that nobody may hear a change between them."""
    song = truth(songs, "stereo")[0]

    def hear():
        page = studio(bypass_csp=True)
        page.keyboard.press("o")
        page.wait_for_selector("#listen button:has-text('Original')[aria-pressed=true]")
        page.keyboard.press("Space")
        page.wait_for_selector("button[aria-label=Pause]")
        record(page)
        page.wait_for_timeout(300)
        for _ in range(2):
            page.keyboard.press("o")
            page.wait_for_timeout(250)
        # The page has much else to do, just when the change should come.
        page.evaluate(
            """async () => { const { studio } = await import("/app.js"); studio.original();
            for (const end = performance.now() + 200; performance.now() < end; ); }"""
        )
        page.wait_for_timeout(250)
        heard = recorded(page)[FADED_IN:]
        page.keyboard.press("Space")
        page.wait_for_selector("button[aria-label=Play]")
        assert len(heard) > 0.8 * RATE
        expected = song[position_in(song, heard[:4000]) :][: len(heard)]
        # A cross-fade of both is the same signal once more.
        assert np.abs(heard - expected).max() <= ROUNDING

    in_one_of_three(hear)


def test_seek_and_loop_by_pointer(studio, songs):
    page = studio(bypass_csp=True)
    lane = page.locator("[data-name=vocals]").bounding_box()
    at = functools.partial(lambda x, y: (lane["x"] + x * lane["width"], y), y=lane["y"] + 30)
    page.mouse.click(*at(0.75))
    page.wait_for_function("() => document.querySelector('#now').textContent === '0:03.0'")
    assert page.get_attribute("#ruler", "aria-valuetext") == "3.0 of 4.0 seconds"
    page.mouse.move(*at(0.25))
    page.mouse.down()
    page.mouse.move(*at(0.3))
    page.mouse.move(*at(0.375))
    page.mouse.up()
    assert page.get_attribute("#loop", "aria-pressed") == "true"
    assert abs(player(page, "return p.loop.start") - 1.0) < 0.02  # a dot is 4 ms
    page.fill("#loop-start", "1")
    page.fill("#loop-end", "1.25")
    page.press("#loop-end", "Enter")
    page.keyboard.press("Tab")
    song = truth(songs, "stereo")[0]
    period = RATE // 4

    def hear():
        player(page, "p.pause(); p.setLoop({ on: true }); p.seek(1.1); await p.play()")
        record(page)
        page.wait_for_timeout(900)
        assert 1 <= player(page, "return p.position") <= 1.25
        heard = recorded(page)
        # From the second time on, each round is the first one, on the sample.
        assert np.array_equal(heard[period:-period], heard[2 * period :])
        region = song[RATE : RATE + period]
        start = position_in(np.tile(region, 3), heard[period : 2 * period])
        assert np.abs(np.roll(region, -start) - heard[period : 2 * period]).max() <= ROUNDING
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("l")  # on it goes behind the region
        page.wait_for_function("() => document.querySelector('#now').textContent > '0:01.4'")
        heard = recorded(page)[-8000:]
        place = position_in(song, heard)
        assert np.abs(song[place : place + len(heard)] - heard).max() <= ROUNDING

    in_one_of_three(hear)


def test_loop_by_minutes_and_seconds(studio):
    page = studio()
    start, end = page.locator("#loop-start"), page.locator("#loop-end")
    assert (start.input_value(), end.input_value()) == ("0:00", "0:04")
    page.click("#loop")
    for written, shown in [("0:01.5", "0:01.5"), (" 1,25 ", "0:01.25"), ("2", "0:02")]:
        start.fill(written)
        start.press("Enter")
        assert start.input_value() == shown
        assert player(page, "return p.loop.start") == float(shown.removeprefix("0:"))
    assert page.inner_text("#status") == "Loop from 0:02 to 0:04"
    end.fill("1:00")  # behind the end of the song
    end.press("Enter")
    assert end.input_value() == "0:04"
    for wrong in ("", "two", "0:75", "-1", "1:2:3"):
        end.fill(wrong)
        end.press("Enter")
        assert end.input_value() == "0:04"
        assert page.inner_text("#loop-note") == (
            f'"{" ".join(wrong.split())}" is no time: write it as 1:05.3 or 65.3. '
            "The loop still ends at 0:04."
        )
        assert end.get_attribute("aria-invalid") == "true"
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        end.press(key)
    assert end.input_value() == end.get_attribute("aria-valuetext") == "0:03.9"
    assert (end.get_attribute("aria-valuenow"), end.get_attribute("aria-valuemax")) == ("3.90", "4")
    minutes = page.evaluate(
        """async ([seconds, texts]) => {
        const { readTime, timeText } = await import("/times.js");
        return [seconds.map(timeText), texts.map(readTime)]; }""",
        [[59.994, 59.996, 65.3, 3600, 600.05], ["12:05.5", "1:5", "725,5"]],
    )
    assert minutes == [["0:59.99", "1:00", "1:05.3", "60:00", "10:00.05"], [725.5, 65, 725.5]]


def test_changes_are_heard_and_do_not_click(studio, songs):
    song = truth(songs, "stereo")[0]

    def hear():
        page = studio(bypass_csp=True)
        page.keyboard.press("Space")
        page.wait_for_selector("button[aria-label=Pause]")
        record(page)
        page.wait_for_timeout(300)
        slide(page, "Master level", -60)
        page.wait_for_timeout(300)
        heard = recorded(page)[FADED_IN:]
        expected = song[position_in(song, heard[:4000]) :][: len(heard)]
        loud = np.flatnonzero(np.abs(expected) > 0.1)
        gains = heard[loud] / expected[loud]
        assert gains[0] == pytest.approx(1, abs=0.002)  # roundings of 4 steps, of 0.1
        assert gains[-1] < 1e-3
        # A time constant of 10 ms is 441 samples: no gain falls by more than 1/441 a sample.
        assert (-np.diff(gains) <= 1.1 / 441 * np.diff(loud) + 0.002).all()
        return page

    page = in_one_of_three(hear)
    page.click("#reset")
    page.wait_for_timeout(200)
    assert np.abs(recorded(page)[-2000:]).max() > 0.05
    for digit in range(1, 5):
        page.keyboard.press(f"Digit{digit}")
    page.wait_for_timeout(400)
    assert np.abs(recorded(page)[-2000:]).max() < 1e-4  # -80 dB


def test_keyboard(studio):
    page = studio()
    assert page.locator("#remove").is_hidden()  # a bundled song is everybody's
    position = functools.partial(player, page, "return p.position")
    page.keyboard.press("ArrowRight")
    assert position() == SECONDS  # 5 s are more than the song
    page.keyboard.press("Shift+ArrowLeft")
    assert position() == SECONDS - 1
    page.focus("#loop-start")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Digit1")
    assert position() == SECONDS - 1  # the field took the keys
    assert page.get_attribute("button[aria-label='Mute vocals']", "aria-pressed") == "false"
    page.focus("input[aria-label='Bass level']")
    page.keyboard.press("ArrowLeft")
    assert page.get_attribute("input[aria-label='Bass level']", "aria-valuetext") == "-0.5 decibels"
    assert position() == SECONDS - 1
    page.focus("#ruler")
    page.keyboard.press("Home")
    assert position() == 0
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Digit1")  # behind the dialog
    page.keyboard.press("Escape")
    assert page.get_attribute("button[aria-label='Mute vocals']", "aria-pressed") == "false"
    page.click("button[aria-label='Mute vocals']")
    page.keyboard.press("Space")  # plays, and does not press the button again
    page.wait_for_selector("button[aria-label=Pause]")
    assert page.get_attribute("button[aria-label='Mute vocals']", "aria-pressed") == "true"


def test_another_model_joins_while_it_plays(studio):
    page = studio("mono")
    assert re.fullmatch(
        r"Bass (very good|good|fair|rough|more wrong than right)( -?\d+\.\d){3}",
        scores(page, "generated"),
    )
    page.click("#listen button:has-text('True stems')")
    page.wait_for_selector("#scores", state="hidden")  # the truth has no score
    player(page, "p.setLoop({ on: true }); await p.play()")
    page.click("#more-go")
    page.wait_for_selector("#listen button:has-text('model_hh_fft_1024')[aria-pressed=true]")
    assert page.locator("#more-models").is_hidden()
    assert player(page, "return p.playing")
    assert page.locator("#listen button").count() == 4


def scores(page, version):
    page.click(f"#listen button[data-id={version}]")
    page.wait_for_selector(f"#listen button[data-id={version}][aria-pressed=true]")
    cells = page.locator("#scores-table [data-source=bass]").locator("th, td").all_text_contents()
    text = " ".join(cells)
    return text.replace("\N{MINUS SIGN}", "-")


def test_every_control_has_a_name(studio):
    page = studio()
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    controls = [
        (node["role"]["value"], node["name"]["value"])
        for node in tree
        if not node["ignored"]
        and node["role"]["value"] in ("button", "slider", "link", "spinbutton", "combobox")
    ]
    assert all(name.strip() for _, name in controls)
    names = [name for _, name in controls]
    assert len(set(names)) == len(names)
    for source in SOURCES:
        assert {f"Mute {source}", f"Solo {source}"} <= set(names)
    sliders = {name for role, name in controls if role == "slider"}
    assert {"Position in the song", "Master level", "Vocals level", "Vocals pan"} <= sliders


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_narrow_window(studio, scheme):
    page = studio(width=360, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    grounds = ("panel", "ground", "lane")
    pairs = [(text, ground) for text in ("ink", "dim") for ground in grounds]
    pairs += [(text, ground) for text in ("bad", *SOURCES, "original") for ground in ("panel",)]
    pairs += [("on-strong", "strong"), ("on-mute", "mute"), ("on-solo", "solo"), ("panel", "loop")]
    for text, ground in pairs:
        light, dark = sorted((luminance(page, text), luminance(page, ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)  # WCAG 2.2, 1.4.3


def luminance(page, name):
    """Relative luminance of one of the page's colours (WCAG 2.2)."""
    colour = page.evaluate(
        "n => getComputedStyle(document.documentElement).getPropertyValue('--' + n)", name
    ).strip()
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)
