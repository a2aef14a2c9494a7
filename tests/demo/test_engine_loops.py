"""The loop stage of the page's engine, in the browsers, against the same stage in Python."""

from dataclasses import dataclass

import numpy as np
import pytest
from helpers.engine_site import engine_site
from helpers.looped_song import BEAT, RATE, looped_song
from helpers.songs import noise

from hiphopss.loops.found import Found
from hiphopss.separation.listening import SongSeparator
from hiphopss.separation.separator import Separator

pytestmark = pytest.mark.browser

BAR = 4 * BEAT
CLOSE = 80.0  # dB, which is below what 16 bits resolve of a stem of -18 dB

# Separates a song, and compares the stems with others.
COMPARE = """async ([name, nChannels]) => {
    const { separateSong } = await import("./engine/client.js");
    const read = async (file) => new Float32Array(await (await fetch(file)).arrayBuffer());
    const split = (all, n) => Array.from({ length: n }, (_, k) =>
        all.subarray((k * all.length) / n, ((k + 1) * all.length) / n));
    const channels = split(await read(`${name}.song`), nChannels);
    const told = [];
    const { stems, loop, beatsAMinute } = await separateSong({ channels, sampleRate: 44100 }, {
        weights: "weights.bin", told: (stage, fraction) => told.push(fraction) });
    const expected = split(await read(`${name}.stems`), 4);
    const closeness = Object.values(stems).map((stem, source) => {
        let [power, error] = [0, 0];
        split(expected[source], nChannels).forEach((samples, c) => samples.forEach((value, n) => {
            power += value ** 2;
            error += (value - stem[c][n]) ** 2;
        }));
        return Math.min(10 * Math.log10(power / error), 999);
    });
    const off = Math.max(...channels.map((song, c) => song.reduce((most, value, n) =>
        Math.max(most, Math.abs(Object.values(stems).reduce(
            (left, stem) => left - stem[c][n], value))), 0)));
    return { names: Object.keys(stems), loop, beatsAMinute, closeness, off, told };
}"""

DESCRIBE = """async (facts) => {
    const { Found } = await import("./engine/loops/found.js");
    return facts.map(([loopSeconds, beatsAMinute, copies, covered]) =>
        new Found({ loopSeconds, beatsAMinute, copies, covered }).describe());
}"""


@dataclass
class Song:
    """What Python makes of a song."""

    name: str
    n_channels: int
    loop: str | None
    beats_a_minute: float | None


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of a site with the engine and songs; and these."""
    root = tmp_path_factory.mktemp("engine")
    separator = Separator.from_weights("generated")
    # Without noise, what is in high frequencies would be rounding, whose masks are anything.
    mixture = looped_song(4)[0] + noise(4 * BAR, 0, 0.002)
    loops = np.stack([mixture, 0.8 * mixture + noise(4 * BAR, 1, 0.01)], axis=1)
    once = noise(2 * RATE, 2, 0.1)[:, None]
    songs = [put(root, separator, name, song) for name, song in (("loops", loops), ("once", once))]
    with engine_site(root) as url:
        yield url, songs


def put(root, separator, name, song):
    """Write a song [shape=(n_samples, n_channels)] and its stems, one channel after another."""
    song = song.astype(np.float32)
    listening = SongSeparator(separator, "auto")
    stems = np.concatenate(list(listening.stems([song])), axis=1)
    (root / f"{name}.song").write_bytes(song.T.tobytes())
    (root / f"{name}.stems").write_bytes(stems.swapaxes(1, 2).tobytes())
    return Song(name, song.shape[1], listening.loop, listening.beats_a_minute)


def check(evaluate, songs):
    loops, once = [(song, evaluate(COMPARE, [song.name, song.n_channels])) for song in songs]
    for song, found in (loops, once):
        assert found["loop"] == song.loop
        assert found["names"] == ["vocals", "bass", "drums", "other"]
        assert min(found["closeness"]) > CLOSE
        assert found["off"] < 1e-6  # a sum of four floating-point numbers below 1
        assert found["told"] == sorted(found["told"])
        assert found["told"][-1] == pytest.approx(1)
    song, found = loops
    assert "loop of 1 bar, " in song.loop
    assert found["beatsAMinute"] == pytest.approx(song.beats_a_minute, rel=1e-9)
    assert once[0].loop is None
    assert once[1]["beatsAMinute"] is None


def test_stems_are_those_of_python_in_chromium(browser, site):
    url, songs = site
    page = browser.new_page()
    page.goto(url)
    check(page.evaluate, songs)
    # Halves, which Python rounds to even digits, and one bar.
    facts = [(2.0, 120.0, 2.25, 0.125), (1.0, 92.75, 5.75, 0.375), (16.3, 92.25, 35.05, 1.0)]
    words = [
        Found(loop, beats, 0.5, copies, covered, ()).describe()
        for loop, beats, copies, covered in facts
    ]
    assert page.evaluate(DESCRIBE, facts) == words
    page.close()


def test_stems_are_those_of_python_in_firefox(firefox, site):
    url, songs = site
    firefox.goto(url)
    check(firefox.evaluate, songs)
