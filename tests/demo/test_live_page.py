"""Live in the page: the worklet against the stream in Python, and the dialog in Chromium."""

import base64
import contextlib
import itertools
import json
import re
import shutil
from importlib.resources import files

import numpy as np
import pytest
import soundfile
from helpers.demo_page import PACK, slide, unpack
from helpers.engine_site import engine_site
from helpers.songs import RATE, noise
from threadpoolctl import threadpool_limits

from hiphopss import SOURCES, StreamingSeparator
from hiphopss.demo.security import page_policy

pytestmark = pytest.mark.browser

QUANTUM = 128  # samples that browsers process together
N_SAMPLES = 256 * QUANTUM
HOP = 512
LEAST_DB = 80.0  # what the page promises; the engine reaches some 130

# Separates samples of a song's channels offline: the tracks of all stems, and what was told.
OFFLINE = f"""
async (a) => {{ {PACK}
  const at = (address) => import(new URL(address, document.baseURI).href);
  const [{{ liveNode }}, {{ load }}] = [await at("live/node.js"), await at("engine/client.js")];
  const {{ buildMixer, neutralMix }} = await at("graph.js");
  const {{ device }} = await (await fetch("site.json")).json();
  const engine = await load(device.models[0].weights);
  const {{ sources }} = engine.weights;
  const floats = (text) =>
    new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const channels = a.channels.map(floats);
  const length = channels[0].length;
  const nTracks = a.mix ? 2 : sources.length * channels.length;
  const shape = {{ length, sampleRate: 44100 }};
  const context = new OfflineAudioContext({{ numberOfChannels: nTracks, ...shape }});
  const buffer = new AudioBuffer({{ numberOfChannels: channels.length, ...shape }});
  channels.forEach((samples, channel) => buffer.copyToChannel(samples, channel));
  const [[, lookahead], ...later] = a.lookaheads;
  const node = await liveNode(context, engine, {{ lookahead, channels: channels.length }});
  for (const [sample, frames] of later)
    node.parameters.get("lookahead").setValueAtTime(frames, sample / 44100);
  const told = [];
  node.port.onmessage = ({{ data }}) => told.push(data);
  if (a.mix) {{
    const mixer = buildMixer(context, sources, channels.length);
    const mix = neutralMix(sources);
    for (const [source, settings] of Object.entries(a.mix))
      Object.assign(mix.stems[source], settings);
    mixer.set(mix);
    sources.forEach((source, output) => node.connect(mixer.inputs[source], output));
  }} else {{
    context.destination.channelInterpretation = "discrete";
    const merger = new ChannelMergerNode(context, {{ numberOfInputs: nTracks }});
    sources.forEach((source, output) => {{
      const splitter = new ChannelSplitterNode(context, {{ numberOfOutputs: channels.length }});
      node.connect(splitter, output);
      channels.forEach((_, c) => splitter.connect(merger, c, output * channels.length + c));
    }});
    merger.connect(context.destination);
  }}
  const song = new AudioBufferSourceNode(context, {{ buffer }});
  song.connect(node);
  song.start();
  const rendered = await context.startRendering();
  const tracks = Array.from({{ length: nTracks }}, (_, n) => pack(rendered.getChannelData(n)));
  return {{ tracks, told }};
}}"""


def song(n_channels):
    return np.stack([noise(N_SAMPLES, 4 + c) for c in range(n_channels)]).astype(np.float32)


def separated(page, mixture, lookaheads, mix=None):
    """What the worklet puts out `[shape=(n_tracks, n_samples)]`, and what it told.

    ``lookaheads`` holds pairs of the sample from which on, and the number of frames.
    """
    channels = [base64.b64encode(row.tobytes()).decode() for row in mixture]
    given = {"channels": channels, "lookaheads": lookaheads, "mix": mix}
    answer = page.evaluate(OFFLINE, given)
    return np.stack([unpack(track) for track in answer["tracks"]]), answer["told"]


def expected(mixture, lookahead):
    """Stems of the stream in Python `[shape=(n_sources, n_channels, n_samples)]`; their delay."""
    with threadpool_limits(1):
        stream = StreamingSeparator(
            lookahead=lookahead, channels=len(mixture), block_multiple=QUANTUM
        )
        return stream.process(mixture).astype(float), stream.latency


def decibels(found, wanted):
    return 10 * np.log10(np.sum(wanted**2) / np.sum((found - wanted) ** 2))


def check_equal(page, n_channels, lookahead):
    mixture = song(n_channels)
    tracks, _ = separated(page, mixture, [[0, lookahead]])
    stems, latency = expected(mixture, lookahead)
    found = tracks.reshape(stems.shape)
    assert [decibels(*pair) > LEAST_DB for pair in zip(found, stems, strict=True)] == [True] * 4
    told = page.evaluate(
        """async (lookahead) => {
        const at = (address) => import(new URL(address, document.baseURI).href);
        const { liveLatency } = await at("live/node.js");
        const config = { hop: 512, sample_rate: 44100 };
        return 44100 * liveLatency({ weights: { config } }, lookahead) }""",
        lookahead,
    )
    assert round(told) == latency
    assert decibels(found.sum(axis=0)[:, latency:], mixture[:, :-latency]) > LEAST_DB


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of the page with its engine and weights, and without songs."""
    root = tmp_path_factory.mktemp("live")
    with engine_site(root) as url:
        shutil.copytree(str(files("hiphopss.demo") / "static"), root, dirs_exist_ok=True)
        page = root / "index.html"
        policy = f'<head><meta http-equiv="Content-Security-Policy" content="{page_policy()}">'
        page.write_text(page.read_text("utf-8").replace("<head>", policy), "utf-8")
        models = [{"id": "own", "name": "Own", "description": "", "weights": "weights.bin"}]
        limits = {"max_bytes": 1, "max_seconds": 1, "formats": ["WAV"]}
        about = {"static": False, "models": models, "songs": [], "sources": SOURCES}
        about |= {"limits": limits, "device": {"models": models}}
        (root / "site.json").write_text(json.dumps(about))
        yield url


@pytest.fixture(scope="module")
def bare(browser, site):
    """A page of the site that has nothing of its own, so that it is open at once."""
    with contextlib.closing(browser.new_page()) as page:
        page.goto(f"{site}style.css")
        yield page


@pytest.fixture
def page(browser, site):
    """The page itself, which meets no error in the end."""
    faults = []
    with contextlib.closing(browser.new_page()) as page:
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(site)
        page.wait_for_selector("#live-open:not([hidden])")
        yield page
    assert not faults


def test_worklet_separates_as_the_stream_does(bare):
    check_equal(bare, n_channels=2, lookahead=4)
    check_equal(bare, n_channels=1, lookahead=29)


def test_worklet_in_firefox(firefox, site):
    firefox.goto(f"{site}style.css")
    check_equal(firefox, n_channels=2, lookahead=15)


def test_faders_act_and_samples_that_are_no_numbers_are_muted(bare):
    mixture = song(2)
    mixture[1, 700] = np.nan
    mix = {"vocals": {"mute": True}, "drums": {"gain": -6}}
    heard, told = separated(bare, mixture, [[0, 2]], mix)
    mixture[1, 700] = 0
    gains = {"vocals": 0, "bass": 1, "drums": 10 ** (-6 / 20), "other": 1}
    stems, _ = expected(mixture, 2)
    wanted = sum(gains[source] * stem for source, stem in zip(SOURCES, stems, strict=True))
    assert decibels(heard, wanted) > LEAST_DB
    assert told[-1]["mended"] == 1
    assert told[-1]["dropouts"] == 0


def test_lookahead_changes_on_the_way(bare):
    sine = 0.5 * np.sin(2 * np.pi * 100 * np.arange(N_SAMPLES) / RATE, dtype=np.float32)[None]
    changes = [[0, 2], [80 * QUANTUM, 12], [180 * QUANTUM, 0]]
    tracks, _ = separated(bare, sine, changes)
    for (begin, lookahead), (end, _) in itertools.pairwise([*changes, [N_SAMPLES, None]]):
        # from where averages are of as many patches again
        part = slice(begin + (lookahead + 2) * HOP, end)
        stems, _ = expected(sine, lookahead)
        assert decibels(tracks[:, part], stems[:, 0, part]) > LEAST_DB
    # The sine fades into itself, later or earlier, in a hop. Its own steps are at most 0.0072, and
    # the fade's at most some 0.01; a cut would be a step of up to 1.
    heard = tracks.sum(axis=0)[4 * HOP :]
    assert np.abs(np.diff(heard)).max() < 0.03


def test_clock_counts_drop_outs_only(bare):
    told = bare.evaluate(
        """async () => {
        const at = (address) => import(new URL(address, document.baseURI).href);
        const { LiveClock } = await at("live/clock.js");
        const clock = new LiveClock();
        const counted = [];
        let [audio, behind, held] = [0, 0, 0];
        // Audio is made in bursts of ten blocks, and the wall's clock has whole milliseconds.
        const burst = (10 * 128) / 44100;
        const wall = () => behind + Math.ceil(audio / burst) * burst + 2e-4 * audio;
        const play = (seconds) => {
          for (const end = audio + seconds; audio < end; audio += 128 / 44100)
            clock.tick(audio, Math.floor(1000 * Math.max(wall(), held)) / 1000);
          counted.push([clock.dropouts, Math.round(100 * clock.lost)]);
        };
        play(60);
        held = wall() + 0.3; // nothing is made for a while, and then all that is missing at once
        play(3);
        behind += 0.02; // for ever
        play(3);
        behind += 5; // a pause
        play(3);
        held = wall() + 0.1;
        play(3);
        return counted }"""
    )
    assert [dropouts for dropouts, _ in told] == [0, 1, 2, 2, 3]
    lost = np.diff([lost for _, lost in told])
    assert np.abs(lost - [30, 2, 0, 10]).max() <= 3  # hundredths; a burst is as long as that


STATUS = "#live-status"


def test_microphone_starts_and_stops(page):
    page.evaluate(
        """() => { const { mediaDevices } = navigator;
        const ask = mediaDevices.getUserMedia.bind(mediaDevices);
        mediaDevices.getUserMedia = async (wish) => (window.stream = await ask(wish)) }"""
    )
    page.focus("#live-open")
    page.keyboard.press("Enter")
    page.click("#live [data-way=microphone]")
    page.wait_for_selector(f"{STATUS}:has-text('You hear: the microphone')")
    level = """Number(document.querySelector("#live [data-meter=master]").style
        .getPropertyValue("--level"))"""
    page.wait_for_function(f"() => {level} > 0.1")  # it beeps
    delay = page.inner_text("#live-delay")
    assert re.fullmatch(r"\d+ ms: 67 to separate, \d+ to play", delay)
    slide(page, "Lookahead", 0)
    assert " 20 to separate" in page.inner_text("#live-delay")
    page.wait_for_selector("#live-load:has-text('%')")
    slide(page, "Level of all", -60)
    page.wait_for_function(f"() => {level} === 0")
    page.focus("#live-stop")
    page.keyboard.press("Enter")
    assert page.inner_text(STATUS) == "Stopped."
    assert page.evaluate("document.activeElement.dataset.way") == "file"
    assert page.evaluate("stream.getTracks().every((track) => track.readyState === 'ended')")
    page.click("#live [data-way=microphone]")
    page.wait_for_selector(f"{STATUS}:has-text('You hear: the microphone')")
    page.keyboard.press("Escape")
    page.wait_for_function(
        "() => stream.getTracks().every((track) => track.readyState === 'ended')"
    )
    assert page.evaluate("document.activeElement.id") == "live-open"


REFUSALS = {
    "NotAllowedError": "This page may not listen to the microphone",
    "NotFoundError": "No microphone was found",
    "NotReadableError": "The sound of the microphone can't be had just now",
    "SecurityError": "The browser does not let this page listen to the microphone",
}


def test_what_is_refused_is_told_and_the_page_goes_on(page, tmp_path):
    def told(text):
        page.wait_for_selector(f'{STATUS}.wrong[role=alert]:has-text("{text}")')
        assert page.locator("#live-stop").is_hidden()

    page.route("**/weights.bin", lambda route: route.fulfill(body=b"HIPHOPSS" + bytes(99)))
    page.click("#live-open")
    told("The model")
    page.unroute("**/weights.bin")
    for name, text in REFUSALS.items():
        page.evaluate(
            """(name) => { navigator.mediaDevices.getUserMedia = () =>
            Promise.reject(new DOMException("for some reason", name)) }""",
            name,
        )
        page.click("#live [data-way=microphone]")
        told(text)
    page.evaluate(
        """() => { navigator.mediaDevices.getDisplayMedia = async () =>
        document.createElement("canvas").captureStream() }"""
    )
    page.click("#live [data-way=tab]")
    told("No sound was shared")
    text = {"name": "text.mp3", "mimeType": "audio/mpeg", "buffer": b"no song"}
    page.set_input_files("#live-file", text)
    told("text.mp3 can't be played")
    path = tmp_path / "a song.wav"
    soundfile.write(path, song(2).T, RATE, subtype="PCM_16")
    page.set_input_files("#live-file", path)
    page.wait_for_selector(f"{STATUS}:not(.wrong):has-text('You hear: a song.wav')")
    assert page.locator("#live audio").is_visible()
    page.click("#live button:has-text('Instrumental')")
    assert page.get_attribute("#live [aria-label='Mute vocals']", "aria-pressed") == "true"


@pytest.mark.slow
def test_axe_finds_nothing_in_the_dialog(page):
    module = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    page.click("#live-open")
    for width, scheme in ((390, "dark"), (1280, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        found = module.Axe().run(page).response["violations"]
        assert not [(v["id"], [n["target"] for n in v["nodes"]]) for v in found]
