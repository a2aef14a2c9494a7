"""The page's engine in the browsers: stems of the network alone, and what can't be separated."""

import numpy as np
import pytest
from helpers.engine_site import engine_site
from helpers.songs import noise

from hiphopss import PRESETS, SOURCES, SignalConfig, separate
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import array_shapes
from hiphopss.separation.separator import Separator
from hiphopss.weights.exporting import web_format
from hiphopss.weights.exporting.export import export_weights

pytestmark = pytest.mark.browser

CLOSE = -80.0  # dB relative to the mixture, which is below what 16 bits resolve
SMALL = SignalConfig(frame=256, hop=128, window="hann", scale=0.5, context=20, overlap=15)
SONGS = {  # rate, channels, seconds, weights
    "stereo": (44100, 2, 9.0, "weights"),  # more than a worker gets at once
    "mono": (44100, 1, 1.0, "published"),
    "fast": (48000, 2, 3.0, "weights"),
    "slow": (22050, 1, 1.0, "weights"),
    "short": (44100, 2, 0.01, "weights"),
    "small": (44100, 1, 1.0, "small"),
}

# Separates songs; by how many dB each stem is off, and by how much the stems' sum is.
COMPARE = """async (songs) => {
    const { separateSong } = await import("./engine/client.js");
    const read = async (file) => new Float32Array(await (await fetch(file)).arrayBuffer());
    const split = (all, n) => Array.from({ length: n }, (_, k) =>
        all.subarray((k * all.length) / n, ((k + 1) * all.length) / n));
    const power = (signals) => signals.reduce((sum, samples) =>
        samples.reduce((all, value) => all + value ** 2, sum), 0);
    const less = (one, other) => one.map((samples, c) => samples.map((v, n) => v - other[c][n]));
    const found = {};
    for (const [name, [sampleRate, nChannels, , weights]] of Object.entries(songs)) {
        const channels = split(await read(`${name}.song`), nChannels);
        const expected = split(await read(`${name}.stems`), 4);
        const told = [];
        const { stems, loop } = await separateSong({ channels, sampleRate }, {
            weights: `${weights}.bin`, loops: "off", told: (...news) => told.push(news) });
        const off = Object.values(stems).map((stem, source) => 10 * Math.log10(
            power(less(split(expected[source], nChannels), stem)) / power(channels)));
        const rest = Object.values(stems).reduce(less, channels);
        found[name] = { names: Object.keys(stems), off, told, loop: loop === undefined,
            rest: Math.max(10 * Math.log10(power(rest) / power(channels)), -300) };
    }
    return found;
}"""

# What is said, and how soon, of a song of a second that can't be separated.
REFUSED = """async ({ sampleRate, weights, stop, loops = "off", memory = true }) => {
    const { DeviceError, separateSong } = await import("./engine/client.js");
    const { grow } = WebAssembly.Memory.prototype;
    if (!memory) WebAssembly.Memory.prototype.grow = () => { throw new RangeError("no"); };
    const channels = [new Float32Array(44100), new Float32Array(44100)];
    const leaving = new AbortController();
    let begin = performance.now();
    const told = (stage, fraction) => {
        if (stage !== stop) return;
        begin = performance.now();
        leaving.abort();
    };
    const options = { weights, loops, told, signal: leaving.signal };
    const error = await separateSong({ channels, sampleRate }, options).catch((e) => e);
    WebAssembly.Memory.prototype.grow = grow;
    return { name: error.name, said: error instanceof DeviceError ? error.message : null,
        seconds: (performance.now() - begin) / 1000 };
}"""


@pytest.fixture(scope="module")
def site(published, tmp_path_factory):
    """The address of a site with the engine, several weights and songs, and damaged weights."""
    root = tmp_path_factory.mktemp("engine")
    export_weights(published, root / "published.bin")
    small = random_network()
    web_format.write(root / "small.bin", small, {"sources": list(SOURCES)})
    separators = {
        "weights": Separator.from_weights("generated"),
        "published": Separator.from_weights(published),
        "small": Separator(small, small.config, small.fidelity),
    }
    for name, (rate, n_channels, seconds, used) in SONGS.items():
        song = a_song(rate, n_channels, seconds)
        stems = separate(song, rate, weights=separators[used], loops="off")
        (root / f"{name}.song").write_bytes(song.T.tobytes())
        (root / f"{name}.stems").write_bytes(b"".join(stems[s].T.tobytes() for s in SOURCES))
    with engine_site(root) as url:
        content = bytearray((root / "weights.bin").read_bytes())
        (root / "cut.bin").write_bytes(content[:-1000])
        (root / "other.bin").write_text("<!doctype html>")
        content[-1000] ^= 1
        (root / "damaged.bin").write_bytes(content)
        yield url


def random_network():
    """A network of other settings than the shipped weights have, with both quirks of its wiring."""
    rng = np.random.default_rng(3)
    fidelity = PRESETS["released"]
    arrays = {
        name: rng.normal(0.02, 0.1, shape).astype(np.float32)
        for name, shape in array_shapes(SMALL, fidelity).items()
    }
    return NumpyNetwork(arrays, SMALL, fidelity)


def a_song(rate, n_channels, seconds):
    """Noise and a tone that come and go, other ones in each channel."""
    n_samples = round(rate * seconds)
    at = np.arange(n_samples) / rate
    channels = [
        noise(n_samples, seed, 0.1) * (np.sin(3 * at + seed) > -0.5)
        + 0.2 * np.sin(2 * np.pi * 220 * (seed + 1) * at) * np.sin(2 * at)
        for seed in range(n_channels)
    ]
    # At the very beginning, soxr leaves out what its filter would ring before the first sample.
    return (np.stack(channels, axis=1) * np.minimum(at * 100, 1)[:, None]).astype(np.float32)


def check_stems(evaluate):
    for name, found in evaluate(COMPARE, SONGS).items():
        assert found["names"] == list(SOURCES)
        assert max(found["off"]) < CLOSE, name
        if SONGS[name][0] == 44100:  # elsewhere the song loses its highest frequencies
            assert found["rest"] < -120, name
        assert found["told"][0] == ["loading", 0]
        assert found["told"][-1] == ["separating", pytest.approx(1)]
        assert found["loop"]  # it wasn't looked for


@pytest.fixture
def page(browser, site):
    page = browser.new_page()
    page.goto(site)
    yield page
    page.close()


def test_stems_are_those_of_python_in_chromium(page):
    check_stems(page.evaluate)


def test_stems_are_those_of_python_in_firefox(firefox, site):
    firefox.goto(site)
    check_stems(firefox.evaluate)


def test_what_can_not_be_separated_is_said_and_a_song_can_be_left(page):
    def said(sample_rate=44100, weights="weights.bin", **options):
        task = {"sampleRate": sample_rate, "weights": weights, "stop": None, **options}
        return page.evaluate(REFUSED, task)["said"]

    for file in ("damaged.bin", "cut.bin", "other.bin"):
        assert said(weights=file) == (
            "The model didn't arrive whole: reload the page to get it again."
        )
    assert said(weights="no.bin") == (
        "The model can't be loaded: check the connection and try again."
    )
    assert said(44099) == "A song of 44099 samples a second can't be separated."
    assert said(loops="auto", memory=False) == (
        "This song needs more memory than the browser gives: try a shorter one."
    )
    for stage in ("loading", "separating"):
        asked = {"sampleRate": 44100, "weights": "weights.bin", "stop": stage}
        left = page.evaluate(REFUSED, asked)
        assert left["name"] == "AbortError"
        assert left["seconds"] < 5  # it takes milliseconds, on a machine that does nothing else
