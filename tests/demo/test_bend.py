"""Another tempo and pitch in the demo's page, in headless Chromium."""

import pytest
from helpers.demo_page import player

from hiphopss.demo.service import SHIFTER, static_files

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        SHIFTER not in static_files(), reason="the library isn't fetched (python tests/vendor.py)"
    ),
]

# A tone from half a second on, rendered: its length, when it begins, and its frequency.
RENDER = """async ([tempo, pitch]) => {
  const { neutralMix, renderMix } = await import("/graph.js");
  const rate = 44100;
  const tone = new AudioBuffer({ length: 3 * rate, sampleRate: rate });
  const samples = tone.getChannelData(0);
  for (let n = rate / 2; n < samples.length; n++) {
    samples[n] = 0.5 * Math.sin((2 * Math.PI * 440 * n) / rate);
  }
  const mix = { ...neutralMix(["bass"]), tempo, pitch };
  const heard = (await renderMix({ bass: tone }, mix)).getChannelData(0);
  const begin = heard.findIndex((sample) => Math.abs(sample) > 0.25);
  let waves = 0;
  for (let n = begin + rate / 2; n < begin + (3 * rate) / 2; n++) {
    if (heard[n - 1] < 0 && heard[n] >= 0) waves++;
  }
  return [heard.length / rate, begin / rate, waves];
}"""


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
        const [begin, from] = [p.context.currentTime, p.position];
        await wait(800);
        return (p.position - from) / (p.context.currentTime - begin);""",
    )
    assert rate == pytest.approx(0.5, abs=0.05)
    page.click("#reset")  # while it plays
    page.wait_for_function("() => !location.hash.includes('tempo')")
    page.wait_for_timeout(300)
    assert player(page, "return p.playing && p.mix.tempo === 1 && p.mix.pitch === 0")
