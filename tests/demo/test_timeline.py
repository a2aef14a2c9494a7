"""The demo's timeline in headless Chromium: loops, zoom, beats, and the ruler's keys."""

import numpy as np
import pytest
import soundfile
from helpers.demo_page import READY, SECONDS, STEP, choose, player, truth
from helpers.songs import RATE

pytestmark = pytest.mark.browser


def lane(page, name="vocals"):
    """Function from a place in a lane, 0 to 1, to where it is on the screen."""
    box = page.locator(f"[data-name={name}], #{name}").bounding_box()
    return lambda place: (box["x"] + place * box["width"], box["y"] + box["height"] / 2)


def drag(page, at, begin, end):
    page.mouse.move(*at(begin))
    page.mouse.down()
    page.mouse.move(*at((begin + end) / 2))
    page.mouse.move(*at(end))
    page.mouse.up()


def timeline(page, script):
    """Run a script on the page's timeline, ``t``."""
    return page.evaluate(
        f"async () => {{ const t = (await import('/app.js')).studio.timeline; {script} }}"
    )


def shown(page):
    return timeline(page, "return [t.window.from, t.window.length]")


def test_loop_away_from_the_playhead_is_heard(studio):
    page = studio()
    at = lane(page)
    page.mouse.click(*at(0.75))
    drag(page, at, 0.25, 0.375)
    assert abs(player(page, "return p.position") - 1) < 0.02  # a dot is 4 ms
    page.mouse.click(*at(0.75))
    page.keyboard.press("l")  # off
    page.keyboard.press("Space")
    page.wait_for_selector("button[aria-label=Pause]")
    page.keyboard.press("l")  # while it plays behind the loop
    page.wait_for_function("() => /^0:01/.test(document.querySelector('#now').textContent)")
    page.wait_for_timeout(700)  # longer than the loop
    assert 0.99 < player(page, "return p.position") < 1.51
    page.keyboard.press("Space")


def test_values_of_a_loop_that_change_are_told(studio, songs, tmp_path):
    page = studio()
    note = page.locator("#loop-note")
    assert note.get_attribute("role") == "status"
    assert page.locator("#save-loop").is_disabled()
    written = [
        ("end", "9", "0:00", "0:04", "The song ends at 0:04."),
        ("end", "2.5", "0:00", "0:02.5", ""),
        ("start", "1.25", "0:01.25", "0:02.5", ""),
        ("start", "2.6", "0:02.6", "0:03.85", "The end moved along to 0:03.85."),
        ("end", "1", "0:00", "0:01", "The start moved along to 0:00."),
        (
            "start",
            "4",
            "0:03.95",
            "0:04",
            "A loop is at least 0.05 seconds long, and within the song.",
        ),
        ("end", "2", "0:01.95", "0:02", "The start moved along to 0:01.95."),
        ("start", "0.5", "0:00.5", "0:02", ""),
    ]
    for edge, text, start, end, told in written:
        page.fill(f"#loop-{edge}", text)
        page.press(f"#loop-{edge}", "Enter")
        values = page.input_value("#loop-start"), page.input_value("#loop-end")
        assert values == (start, end)
        assert note.inner_text().startswith(told), text
        assert bool(told) == bool(note.inner_text())
    page.press("#loop-end", "ArrowUp")
    assert page.inner_text("#status") == "Loop from 0:00.5 to 0:02.1, not on yet"
    page.click("button[aria-label='Mute bass']")
    with page.expect_download() as download:
        page.click("#save-loop")
    assert download.value.suggested_filename == "stereo - mix of 0.00.5 to 0.02.1.wav"
    download.value.save_as(tmp_path / "loop.wav")
    mix, _ = soundfile.read(tmp_path / "loop.wav", always_2d=True)
    expected = truth(songs, "stereo") - truth(songs, "stereo", "bass")
    part = expected[:, round(0.5 * RATE) : round(2.1 * RATE)]
    assert mix.T.shape == part.shape
    assert np.abs(mix.T - part).max() <= 3 * STEP  # roundings of three stems and of the file


# How often a lane's waveform has another height, from dot to dot.
CHANGES = """(name) => {
    const canvas = document.querySelector(`[data-name=${name}] canvas`);
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const top = (x) => {
      for (let y = 0; y < height; y++) if (data[4 * (y * width + x) + 3]) return y;
    };
    let changes = 0;
    for (let x = 1; x < width; x++) changes += top(x) !== top(x - 1);
    return changes; }"""


def test_zoom(studio):
    page = studio()
    flat = {"samples_per_peak": 89, "min": [-0.5] * 2000, "max": [0.5] * 2000}
    page.route("**/*.peaks.json", lambda route: route.fulfill(json=flat))
    choose(page, "mono")
    page.wait_for_selector("#song-title:text-is('mono')")
    page.wait_for_selector(READY)
    page.wait_for_function(f"() => ({CHANGES})('original') === 0", polling=100)
    page.set_viewport_size({"width": 1280, "height": 600})
    at, ruler = lane(page), lane(page, "ruler")
    page.mouse.move(*at(0.5))
    page.mouse.wheel(0, 200)  # scrolls the page
    page.wait_for_function("() => scrollY > 100")
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_function("() => scrollY === 0")
    assert shown(page) == [0, SECONDS]
    page.mouse.move(*ruler(0.5))
    page.mouse.wheel(0, -300)
    page.wait_for_function("() => document.querySelector('#window-bar').hidden === false")
    begin, length = shown(page)
    assert length == pytest.approx(SECONDS / 2)
    assert begin == pytest.approx(SECONDS / 4, abs=0.01)  # the middle stays there
    page.mouse.click(*lane(page)(0.5))
    assert abs(player(page, "return p.position") - 2) < 0.01
    page.keyboard.down("Control")
    page.mouse.move(*lane(page)(0.01))
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    page.wait_for_function("() => Number(getComputedStyle(desk).getPropertyValue('--zoom')) >= 4")
    assert shown(page)[1] == pytest.approx(1)
    for name in ("original", "vocals"):  # by finer peaks than the server's
        page.wait_for_function(f"(name) => ({CHANGES})(name) > 200", arg=name, polling=100)
    player(page, "p.seek(0.5)")  # what was shown is followed
    page.keyboard.press("Home")
    assert shown(page)[0] == 0
    player(page, "await p.play()")
    page.wait_for_function("() => document.querySelector('#now').textContent > '0:01.2'")
    page.keyboard.press("Space")
    begin, length = shown(page)
    assert begin <= player(page, "return p.position") <= begin + length
    assert begin > 0.8
    bar = lane(page, "window-bar")
    drag(page, bar, 0.4, 0.99)
    assert shown(page)[0] == 3
    drag(page, bar, 0.9, 0.65)
    assert shown(page)[0] == pytest.approx(2, abs=0.02)
    pinch(page, 0.25)
    assert shown(page) == [0, SECONDS]
    for _ in range(2):
        page.click("#zoom-in")
    assert shown(page)[1] == 1
    page.focus("#zoom-out")
    for _ in range(2):
        page.keyboard.press("Enter")
    assert shown(page) == [0, SECONDS]
    assert page.evaluate("document.activeElement.id") == "zoom-out"  # though it does no more


def pinch(page, factor):
    """Move two fingers on a lane apart, or nearer to each other."""
    page.evaluate(
        """factor => {
        const lane = document.querySelector("[data-name=drums]");
        lane.setPointerCapture = () => {};  // these fingers are not the browser's
        const { left, width, top } = lane.getBoundingClientRect();
        const tell = (kind, id, place) => lane.dispatchEvent(new PointerEvent(kind, {
          pointerId: id, isPrimary: id === 11, pointerType: "touch",
          button: kind === "pointermove" ? -1 : 0, clientX: left + place * width,
          clientY: top + 9, bubbles: true }));
        const half = 0.4;
        tell("pointerdown", 11, 0.5 - half);
        tell("pointerdown", 12, 0.5 + half);
        tell("pointermove", 11, 0.5 - half * factor);
        tell("pointermove", 12, 0.5 + half * factor);
        tell("pointerup", 12, 0.5 + half * factor);
        tell("pointerup", 11, 0.5 - half * factor); }""",
        factor,
    )


def test_beats_are_found_and_snapped_to(studio):
    page = studio()
    found = page.evaluate(
        """async () => {
        const { Beats, findBeats } = await import("/beats.js");
        const { findBars } = await import("/bars.js");
        const { Sound } = await import("/sound.js");
        const song = (seconds, period, first) => {
          const samples = new Float32Array(seconds * 44100);
          const format = { length: samples.length, channels: 1, sampleRate: 44100 };
          const read = async (first, count) => [samples.subarray(first, first + count)];
          let state = 1;
          for (let n = 0; n < samples.length; n++) {
            state = (state * 48271) % 2147483647;
            samples[n] = 0.02 * (state / 1073741823 - 1);
          }
          const strike = (at, level) => {
            for (let n = 0; n < 4000; n++) {
              const place = Math.round(at * 44100) + n;
              const wave = level * Math.exp(-n / 900) * Math.sin(n / 5);
              if (place < samples.length) samples[place] += wave;
            }
          };
          for (let beat = 0; period && first + beat * period < seconds; beat++) {
            strike(first + beat * period, 0.5 + 0.3 * (beat % 2));
            strike(first + (beat + 0.56) * period, 0.2); // with swing
          }
          return new Sound(format, read);
        };
        const told = async (audio, tempo) => {
          const beats = await findBeats(audio, tempo);
          return beats && [beats.first, beats.period];
        };
        const low = (levels, first) => { // what is low, by how loud it begins on each beat of a bar
          const samples = new Float32Array(20 * 22050);
          const format = { length: samples.length, channels: 1, sampleRate: 22050 };
          for (let beat = 0; first + beat * 0.64 < 19; beat++) {
            const begin = Math.round((first + beat * 0.64) * 22050);
            for (let n = 0; n < 4000; n++)
              samples[begin + n] += levels[beat % 4] * Math.exp(-n / 900) * Math.sin(n / 60);
          }
          return new Sound(format, async (at, count) => [samples.subarray(at, at + count)]);
        };
        const bars = async (drums, bass, other, first = 0.3) => {
          const stems = { drums: low(drums, first), bass: low(bass, first),
                          other: low(other, first) };
          const bars = await findBars(new Beats(first, 0.64), stems);
          return bars && [bars.first, bars.period];
        };
        const silent = [0, 0, 0, 0];
        const near = [0.55, 0, 0.4, 0]; // certain if all first beats count, and only then
        const swung = song(20, 0.64, 0.3);
        return [[await told(swung, null), await told(swung, 60 / 0.6402),
                 await told(song(20, null, 0), null), await told(song(6, 0.64, 0.3), null)],
                [await bars([0.2, 0, 0.8, 0], [0, 0.1, 0.5, 0.1], silent),
                 await bars([0.7, 0, 0.8, 0], silent, silent), // the first or the third beat
                 await bars([0.2, 0, 0.8, 0], [0.9, 0, 0, 0], [0.5, 0, 0.2, 0]),
                 await bars(near, near, near, 0.01)]]; }"""
    )
    found, bars = found
    for first, period in found[:2]:
        assert period == pytest.approx(0.64, rel=1e-3)
        assert first == pytest.approx(0.3, abs=0.015)  # looked at in steps of 5 ms
    assert found[2:] == [None, None]  # noise, and too short a song
    assert bars[0] == pytest.approx([0.3 + 2 * 0.64, 4 * 0.64])
    assert bars[1:3] == [None, None]  # two beats that are alike, and stems that don't agree
    assert bars[3] == pytest.approx([0.01, 4 * 0.64])  # the song begins on a beat
    assert page.locator("#snap").is_hidden()
    timeline(
        page,
        """const { Beats } = await import("/beats.js");
        t.beats = new Beats(0.1, 0.5); document.querySelector("#snap").hidden = false; t.draw();""",
    )
    at = lane(page)
    loop = "return [p.loop.start, p.loop.end]"
    drag(page, at, 0.28, 0.62)  # from 1.12 s to 2.48 s
    assert player(page, loop) == pytest.approx([1.1, 2.6], abs=2e-5)
    timeline(
        page,
        """const { Beats } = await import("/beats.js");
        t.beats = new Beats(0.1, 0.02);  // too near to each other to be seen
        t.beats.bars = new Beats(0.14, 0.08);
        t.draw();""",
    )
    page.wait_for_selector("#snap:text-is('Snap to bars')")
    drag(page, at, 0.28, 0.62)
    assert player(page, loop) == pytest.approx([1.10, 2.46], abs=2e-5)
    for _ in range(2):
        page.click("#zoom-in")
    page.wait_for_selector("#snap:text-is('Snap to beats')")
    for _ in range(2):
        page.click("#zoom-out")
    page.click("#snap")
    assert page.get_attribute("#snap", "aria-pressed") == "false"
    drag(page, at, 0.28, 0.62)
    assert player(page, loop) == pytest.approx([1.12, 2.48], abs=0.02)


def test_ruler_is_a_slider(studio):
    page = studio()
    page.focus("#ruler")
    keys = [
        ("End", SECONDS),
        ("Shift+ArrowLeft", SECONDS - 1),
        ("Shift+ArrowDown", SECONDS - 2),
        ("Shift+ArrowUp", SECONDS - 1),
        ("PageDown", 0),
        ("PageUp", SECONDS),
        ("Home", 0),
        ("ArrowUp", SECONDS),
    ]
    for key, position in keys:
        page.keyboard.press(key)
        assert player(page, "return p.position") == position, key
    assert page.get_attribute("#ruler", "aria-valuenow") == "4.0"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("PageUp")  # it is the page's
    assert player(page, "return p.position") == SECONDS
