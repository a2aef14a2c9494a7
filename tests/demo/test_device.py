"""Songs that are separated on the visitor's device, by an exported page in headless Chromium."""

import base64
import io
import shutil
import subprocess
import time
import zipfile

import numpy as np
import pytest
import soundfile
from helpers.demo_client import encoded
from helpers.demo_page import KEPT, PACK, READY, STEP, rendered, truth, unpack
from helpers.refusals import FILES
from helpers.songs import noise, read_json
from helpers.static_site import serving
from PIL import Image

from hiphopss import SOURCES
from hiphopss.demo.device.offline import integrity

pytestmark = pytest.mark.browser

# What is in the page's own files, as names of folders.
FOLDERS = """async () => {
  const top = await navigator.storage.getDirectory();
  const songs = await top.getDirectoryHandle("hiphopss-songs", { create: true });
  const ids = [];
  for await (const id of songs.keys()) ids.push(id);
  return ids; }"""
# Decodes a file as a job does: its rate, the bits that it needs, and its channels.
DECODE = f"""async ([name, text]) => {{ {PACK}
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const {{ readSong }} = await import("/device/decoding.js");
  const {{ readSamples }} = await import("/device/wav-file.js");
  const {{ source, bits }} = await readSong(new File([bytes], name));
  const channels = source.channels ?? (await readSamples(source.file, source.wav, 0, 1e6));
  const rate = source.sampleRate ?? source.wav.sampleRate;
  return [rate, bits, channels.map(pack)]; }}"""


def drop(page, name, content):
    """Give the page a file."""
    page.set_input_files("#file", {"name": name, "mimeType": "audio/wav", "buffer": content})


def separated(page, name, content):
    """Have a song separated on the device, and wait until it can be played."""
    drop(page, name, content)
    page.wait_for_selector(f"#song-title:has-text('{name.split('.')[0]}')")
    page.wait_for_selector(READY)


def told(page, text):
    page.wait_for_selector(f"#problem:has-text({text!r})")


def saved(page, selector):
    """What is downloaded by a click, and its name."""
    with page.expect_download() as waiting:
        page.click(selector)
    return waiting.value.path().read_bytes(), waiting.value.suggested_filename


def test_stems_are_those_of_hiphopss_and_stay_on_the_device(
    open_page, exported_url, exported, songs
):
    mixture = (songs / "Mixtures/Test/stereo/mixture.wav").read_bytes()
    page = open_page(exported_url)
    assert "sends it nowhere" in page.inner_text("#promise")
    separated(page, "Löwe: one.wav", mixture)

    archive, name = saved(page, "#save-zip")
    assert name == "Löwe_ one - hiphopss.zip"
    site = exported / "results" / "stereo"
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        assert members.testzip() is None
        assert members.namelist() == [f"Löwe_ one - {source}.wav" for source in SOURCES]
        for member, source in zip(members.namelist(), SOURCES, strict=True):
            stem, rate = soundfile.read(io.BytesIO(members.read(member)), dtype="int16")
            server, _ = soundfile.read(site / f"generated.{source}.flac", dtype="int16")
            # where a value is between two steps, rounding decides
            assert np.abs(stem.astype(int) - server).max() <= 1
            assert rate == 44100
    original, name = saved(page, "button[aria-label='Download the original']")
    assert name == "Löwe_ one - original.wav"
    samples = soundfile.read(io.BytesIO(original), dtype="int16")[0]
    np.testing.assert_array_equal(samples, soundfile.read(io.BytesIO(mixture), dtype="int16")[0])
    assert np.abs(rendered(page) - truth(songs, "stereo")).max() <= 2.6 * STEP

    drawn = page.evaluate(
        """async () => { const { result } = (await import("/app.js")).studio.player;
        const track = result.versions[0].stems.drums;
        const peaks = await (await fetch(track.peaks)).json();
        const image = new Uint8Array(await (await fetch(track.spectrogram)).arrayBuffer());
        return [peaks, Array.from(image)] }"""
    )
    peaks = read_json(site / "generated.drums.peaks.json")
    assert drawn[0]["samples_per_peak"] == peaks["samples_per_peak"]
    np.testing.assert_allclose(drawn[0]["max"], peaks["max"], atol=1.1e-3)  # it has 3 decimals
    picture = np.asarray(Image.open(io.BytesIO(bytes(drawn[1]))).convert("RGB"), int)
    server = np.asarray(Image.open(site / "generated.drums.png").convert("RGB"), int)
    assert np.abs(picture - server).mean() < 1  # of 255

    page.reload()
    page.wait_for_selector(READY)  # the address names the song
    assert page.inner_text("#song-title") == "Löwe: one"
    page.click("#change")
    assert "Löwe: one" in page.inner_text("#kept")
    assert len(page.evaluate(FOLDERS)) == 1
    page.click("#remove")
    told(page, "is removed from this device")
    assert page.locator("#kept").is_hidden()
    assert page.evaluate(FOLDERS) == []


def test_files_of_all_kinds_are_read_at_their_own_rate(open_page, exported_url, tmp_path):
    page = open_page(exported_url)
    sine = 0.5 * np.sin(2 * np.pi * 440 / 48000 * np.arange(24000))
    stereo = np.stack([sine, -sine], axis=1)
    kinds = [("a.wav", "WAV", subtype) for subtype in ("PCM_U8", "PCM_24", "PCM_32", "FLOAT")]
    kinds += [
        ("a.rf64", "RF64", "PCM_16"),
        ("b.wav", "WAVEX", "DOUBLE"),
        ("a.flac", "FLAC", "PCM_24"),
    ]
    kinds += [("a.mp3", "MP3", None), ("a.ogg", "OGG", "VORBIS"), ("a.opus", "OGG", "OPUS")]
    files = [(name, encoded(stereo, 48000, subtype, kind)) for name, kind, subtype in kinds]
    if shutil.which("ffmpeg"):
        soundfile.write(tmp_path / "a.wav", stereo, 48000)
        command = ["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", tmp_path / "a.m4a"]
        subprocess.run(command, check=True)
        files.append(("a.m4a", (tmp_path / "a.m4a").read_bytes()))
    for name, content in files:
        read = page.evaluate(DECODE, [name, base64.b64encode(content).decode()])
        rate, bits, samples = read[0], read[1], np.array([unpack(text) for text in read[2]])
        assert rate == 48000, name
        assert bits == (24 if name in ("b.wav", "a.flac") or len(content) > 100_000 else 16), name
        lossy = name.split(".")[1] in ("mp3", "ogg", "opus", "m4a")
        tone = samples[:, 6000:18000]  # codecs add some samples around the song
        assert abs(np.sqrt((tone**2).mean()) - 0.5 / np.sqrt(2)) < (0.02 if lossy else 0.003), name
        np.testing.assert_allclose(tone[0], -tone[1], atol=0.05 if lossy else 0.01)
        if not lossy:
            assert samples.shape == stereo.T.shape
            np.testing.assert_allclose(samples, stereo.T, atol=1 / 127 if "U8" in name else 0.01)


def flac_that_claims(seconds):
    """The beginning of a FLAC file, which promises more than there is."""
    content = bytearray(encoded(noise(9000, 1), kind="FLAC"))
    n_samples = int(seconds * 44100)
    content[21] = content[21] & 0xF0 | n_samples >> 32
    content[22:26] = (n_samples & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(content)


def test_what_can_not_be_separated_here_is_told_and_the_page_works_on(open_page, exported_url):
    page = open_page(exported_url)
    short = encoded(0.1 * noise(20000, 1))
    for name, content, reason in [
        *(
            (name, content, words.format(reader="browser"))
            for name, (content, words) in FILES.items()
        ),
        ("tag.mp3", b"ID3\4\0\0\0\0\0\0", "tag.mp3 is no song that this browser can read"),
        ("day.flac", flac_that_claims(86000), "day.flac is 24 hours long, and this page takes 21"),
        ("stream.flac", flac_that_claims(0), "stream.flac doesn't say how long it is"),
    ]:
        drop(page, name, content)
        told(page, reason)
        assert page.locator("#job").is_hidden()

    def damaged(route):
        body = bytearray(route.fetch().body())
        body[-1] ^= 1
        route.fulfill(body=bytes(body))

    refused = "export class Track { static create() { throw new RangeError('no memory') } }"
    for pattern, answer, reason in [
        ("**/weights/*.bin", damaged, "The model didn't arrive whole"),
        ("**/weights/*.bin", lambda route: route.abort(), "The model can't be loaded"),
        ("**/device/job.js", lambda route: route.abort(), "A part of this page can't be loaded"),
        (
            "**/device/track.js",
            lambda route: route.fulfill(body=refused, content_type="text/javascript"),
            "There is not enough memory for this song",
        ),
    ]:
        page.route(pattern, answer)
        drop(page, "short.wav", short)
        told(page, reason)
        page.unroute(pattern)
    page.wait_for_function(f"async () => (await ({FOLDERS})()).length === 0")  # nothing is left
    for name, content in [
        ("Silence.wav", encoded(np.zeros((5000, 2)))),
        ("One.wav", encoded(np.full(1, 0.5))),
        ("Cut.wav", encoded(0.1 * noise(30000, 2))[:40000]),
    ]:
        separated(page, name, content)
        assert ("cut off" in page.inner_text("#song-facts")) == (name == "Cut.wav")


def test_cancel_leaves_nothing(open_page, exported_url):
    page = open_page(exported_url)
    waiting = []
    page.route("**/weights/*.bin", lambda route: waiting.append(route))  # which it waits for
    drop(page, "Long.wav", encoded(0.1 * noise(40000, 3)))
    page.wait_for_selector("#job-text:has-text('Long.wav')")
    while not waiting:
        page.wait_for_timeout(20)
    assert len(page.evaluate(FOLDERS)) == 1
    page.click("#job-cancel")
    page.wait_for_selector("#job", state="hidden")
    page.wait_for_function(f"async () => (await ({FOLDERS})()).length === 0")
    assert page.inner_text("#problem") == ""


def test_song_stays_in_memory_where_the_browser_keeps_no_files(open_page, exported_url):
    page = open_page(exported_url)
    page.evaluate("StorageManager.prototype.getDirectory = undefined")
    separated(page, "Mine.wav", encoded(0.1 * noise(20000, 5)))
    with zipfile.ZipFile(io.BytesIO(saved(page, "#save-zip")[0])) as members:
        assert members.testzip() is None
    page.click("#change")
    assert "Mine" in page.inner_text("#kept")
    page.click("#change")
    page.reload()
    told(page, "not on this device, or not any more")


def test_page_works_without_a_network_and_takes_new_versions(open_page, exported, tmp_path):
    site = shutil.copytree(exported, tmp_path / "host" / "below")
    with serving(site.parent) as url:
        page = open_page(f"{url}below/", first=True, service_workers="allow")
        page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        page.wait_for_selector(READY)
        page.wait_for_function(KEPT)
        page.context.set_offline(True)
        page.reload()
        page.wait_for_selector(READY)  # the song that was open
        separated(page, "Mine.wav", encoded(0.1 * noise(20000, 4)))
        page.context.set_offline(False)

        script = site / "service-worker.js"
        html = site / "index.html"
        html.write_text(html.read_text("utf-8").replace("<html", "<html data-new"), "utf-8")
        code = script.read_text("utf-8").replace('"version": "', '"version": "new-')
        code = code.replace(integrity(exported / "index.html"), integrity(html))
        script.write_text(code, "utf-8")
        page.reload()
        assert page.evaluate(
            """async () => { const known = await navigator.serviceWorker.getRegistration();
            await known.update();
            while (!known.waiting) await new Promise((done) => setTimeout(done, 20));
            return document.documentElement.dataset.new === undefined }"""
        )  # until all its tabs are closed
        context = page.context
        page.close()
        for _ in range(20):  # the browser sees in a moment that no tab has the old version
            page = context.new_page()
            page.goto(f"{url}below/")
            if page.locator("html[data-new]").count():
                break
            page.close()
            time.sleep(0.2)
        page.wait_for_selector(READY)
        keys = page.evaluate("caches.keys()")
        assert len({key for key in keys if " page " in key}) == 1
