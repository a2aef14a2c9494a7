"""What the demo's page saves, in headless Chromium: mixes, stems, and archives of stems."""

import base64
import io
import zipfile

import numpy as np
import pytest
import soundfile
import soxr
from helpers.demo_page import PACK, STEP, slide, truth, unpack
from helpers.songs import RATE

from hiphopss import SOURCES
from hiphopss.demo.service import MP3, static_files

pytestmark = pytest.mark.browser

# A file of a sound that lasts 4 s, as a download is made of it.
MAKE = f"""async ([rate, channels]) => {{ {PACK}
  const {{ makeFile }} = await import("/downloads/file.js");
  const {{ mp3Rate }} = await import("/downloads/formats.js");
  const samples = Float32Array.from({{ length: 4 * rate + 7 }}, (_, n) => 0.2 * (
    Math.sin(2 * Math.PI * 440 * n / rate) + Math.sin(2 * Math.PI * 440 * (n / rate) ** 2)));
  async function* blocks() {{
    for (let at = 0; at < samples.length; at += 10007)
      yield channels.map((sign) => samples.slice(at, at + 10007).map((x) => sign * x));
  }}
  const signal = new AbortController().signal;
  const kind = {{ format: "mp3", rate, channels: channels.length, title: "Löwe - bass" }};
  const {{ blob }} = await makeFile(kind, blocks(), {{ told: () => {{}}, signal }});
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return [pack(samples), btoa(text), mp3Rate(rate)] }}"""


def snr(mp3, sound):
    """Signal to noise of an MP3 file, in dB; it begins and ends where the sound does."""
    found, _ = soundfile.read(io.BytesIO(mp3), always_2d=True)
    assert found.shape == sound.shape
    return 10 * np.log10((sound**2).sum() / ((found - sound) ** 2).sum())


def test_downloads(studio, songs, tmp_path):
    page = studio()
    slide(page, "Vocals level", -6)
    slide(page, "Bass pan", -50)
    slide(page, "Master level", 3)
    page.keyboard.press("Digit3")  # mute drums, although a fader has the focus
    assert page.get_attribute("input[aria-label='Vocals level']", "aria-valuetext") == "-6 decibels"
    assert page.get_attribute("input[aria-label='Bass pan']", "aria-valuetext") == "50 percent left"
    with page.expect_download() as download:
        page.click("#save-mix")
    assert download.value.suggested_filename == "stereo - mix.wav"
    download.value.save_as(tmp_path / "mix.wav")
    mix, rate = soundfile.read(tmp_path / "mix.wav", always_2d=True)
    assert rate == RATE
    vocals, bass, other = (truth(songs, "stereo", s) for s in ("vocals", "bass", "other"))
    # The law of StereoPannerNode (Web Audio API, 1.31): the right side moves to the left.
    angle = (1 - 0.5) * np.pi / 2
    panned = np.stack([bass[0] + np.cos(angle) * bass[1], np.sin(angle) * bass[1]])
    expected = 10 ** (3 / 20) * (10 ** (-6 / 20) * vocals + panned + other)
    # The stems' roundings, louder by the gains, and the mix's own.
    assert np.abs(mix.T - expected).max() <= 4 * STEP
    for ending in ("wav", "flac"):  # as which the stems are stored
        page.select_option("#format", ending)
        with page.expect_download() as download:
            page.click("#save-zip")
        assert download.value.suggested_filename == "stereo - True stems.zip"
        with zipfile.ZipFile(download.value.path()) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == [f"stereo - {source}.{ending}" for source in SOURCES]
            packed = archive.read(f"stereo - bass.{ending}")
        with page.expect_download() as download:
            page.click("button[aria-label='Download bass (True stems)']")
        assert download.value.suggested_filename == f"stereo - bass.{ending}"
        assert download.value.path().read_bytes() == packed
        stem, _ = soundfile.read(io.BytesIO(packed), dtype="int16")
        np.testing.assert_array_equal(stem, np.round(bass.T / STEP))


@pytest.mark.skipif(
    not set(MP3) <= static_files().keys(),
    reason="the library isn't fetched (python tests/vendor.py)",
)
def test_downloads_as_mp3(studio, songs):
    page = studio()
    page.select_option("#format", "mp3")
    page.route("**/vendor/lame.wasm", lambda route: None)  # which it waits for
    page.click("#save-mix")
    page.click("#saving-cancel")
    assert page.locator("#saving").is_hidden()
    page.unroute("**/vendor/lame.wasm")
    page.route("**/vendor/lame.wasm", lambda route: route.abort(), times=1)
    page.click("#save-mix")
    page.wait_for_selector("#problem:has-text('A part of this page can')")
    files = {}
    for selector in ("#save-zip", "#save-mix", "button[aria-label='Download bass (True stems)']"):
        with page.expect_download() as download:
            page.click(selector)
        files[download.value.suggested_filename] = download.value.path().read_bytes()
    with zipfile.ZipFile(io.BytesIO(files.pop("stereo - True stems.zip"))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"stereo - {source}.mp3" for source in SOURCES]
        assert archive.read("stereo - bass.mp3") == files["stereo - bass.mp3"]
    # Noise is what MP3 keeps worst: with samples that are not aligned, it would be below 0 dB.
    assert snr(files["stereo - bass.mp3"], truth(songs, "stereo", "bass").T) > 10
    assert snr(files["stereo - mix.mp3"], truth(songs, "stereo").T) > 10
    hint = "async (n) => (await import('/downloads/formats.js')).formatHint('mp3', n)"
    told = [page.evaluate(hint, rate).split(". ")[1:] for rate in (44100, 96000, 11025)]
    assert told == [
        [],
        ["They have 48 kHz, as MP3 has no 96 kHz."],
        ["They have 22.05 kHz, as not all players read MP3 of 11.025 kHz."],
    ]
    chosen = "async () => (await import('/downloads/formats.js')).chosenFormat(['wav', 'mp3'])"
    assert page.evaluate(chosen) == "mp3"  # it is remembered
    # MP3 has no rates above 48 kHz, and players differ in those below 16 kHz.
    for rate, channels in ((44100, [1, -1]), (96000, [1, 1]), (11025, [1])):
        samples, made, expected_rate = page.evaluate(MAKE, [rate, channels])
        sound = soxr.resample(unpack(samples), rate, expected_rate)
        assert snr(base64.b64decode(made), np.outer(sound, channels)) > 45  # 53 dB and more
        with soundfile.SoundFile(io.BytesIO(base64.b64decode(made))) as file:
            assert file.samplerate == expected_rate == {96000: 48000, 11025: 22050}.get(rate, rate)
            assert file.copy_metadata()["title"] == "Löwe - bass"
