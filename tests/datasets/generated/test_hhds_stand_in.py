"""The generated data set that stands in for HHDS."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf

from hiphopss import verify
from hiphopss.config import SOURCES
from hiphopss.datasets.generated import effects, generate, song, style
from hiphopss.datasets.generated.collection import load_collection
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.instruments import drums
from hiphopss.datasets.generated.vocals import rap
from hiphopss.datasets.generated.vocals import speech as voices
from hiphopss.errors import HiphopssError

SECONDS = 4.0
SEED = 3

# Of each song: a digest of its facts, and the RMS of its stems in 16-bit steps (order of SOURCES).
VERSION_1 = [
    ("45d63b773d25", 5357.68, 5340.88, 6350.79, 4948.11),
    ("3e62bbb6e498", 6678.10, 5523.57, 5829.27, 3552.86),
    ("5af0205c4a8a", 6297.62, 6530.44, 7173.35, 4761.77),
    ("8df3b49fa4c9", 4064.85, 4176.15, 4632.98, 2717.36),
    ("f611428dd8ef", 5106.51, 4769.00, 5465.10, 4106.41),
    ("f4d867727f39", 4317.32, 4426.17, 5593.16, 3937.64),
    ("29497fee1ac1", 5928.89, 5847.32, 5331.65, 4546.13),
    ("76dce9eade63", 5561.93, 5875.63, 5833.20, 4572.29),
    ("504edd921b8f", 4604.70, 4263.76, 4028.31, 3039.35),
    ("a1e73be22bf4", 5525.78, 4549.20, 6629.97, 4848.05),
    ("60301682991e", 5756.68, 5961.41, 7211.81, 4745.98),
    ("bc5a2f71220e", 6648.14, 5629.29, 7219.91, 4974.71),
    ("b89f74eb1ef8", 5526.03, 4603.07, 6029.29, 4793.44),
    ("63e8e578cc36", 3278.71, 3262.37, 3537.75, 2258.07),
    ("e026113cb9d8", 5649.64, 6081.43, 5591.48, 5157.65),
    ("b4d0c5b7a1ae", 5129.78, 4105.69, 5330.49, 3303.47),
    ("558e1551af97", 7228.53, 6056.92, 7010.49, 5745.06),
    ("80dfe1801a22", 5111.58, 4029.03, 5096.35, 3564.79),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The whole default set, with the shortest songs that are allowed."""
    return generate(
        tmp_path_factory.mktemp("generated") / "set", seconds=SECONDS, seed=SEED, progress=False
    )


@pytest.fixture(scope="module")
def record(root):
    return json.loads((root / "generated.json").read_text("utf-8"))


def read(root, entry, source):
    """A WAV's 16-bit samples."""
    kind, stem = ("Mixtures", "mixture") if source == "mixture" else ("Sources", source)
    path = root / kind / entry["split"] / entry["name"] / f"{stem}.wav"
    return sf.read(path, dtype="int16")[0].astype(int)


def digests(root):
    """SHA-256 of each file below a folder, by its name in it."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_layout_is_that_of_dsd100(root, record):
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    expected = {"generated.json"}
    for entry in record["songs"]:
        expected.add(f"Mixtures/{entry['split']}/{entry['name']}/mixture.wav")
        expected |= {f"Sources/{entry['split']}/{entry['name']}/{s}.wav" for s in SOURCES}
    assert files == expected
    assert [entry["split"] for entry in record["songs"]] == ["Dev"] * 13 + ["Test"] * 5
    names = [entry["name"] for entry in record["songs"]]
    assert len(set(names)) == 18
    assert all(name.isascii() and "/" not in name for name in names)
    assert names[0].startswith("001 - Generated - ")


def test_its_record_has_the_hashes_of_its_files(root):
    found = verify(root, progress=False)
    assert [finding.state for finding in found.findings] == ["ok"] * (1 + 18)


def test_files_are_mono_16_bit_and_equally_long(root):
    for path in root.rglob("*.wav"):
        info = sf.info(path)
        shape = (info.samplerate, info.channels, info.subtype, info.frames)
        assert shape == (44100, 1, "PCM_16", round(SECONDS * 44100)), path


def test_mixture_is_the_gained_sum_of_the_stems(root, record):
    for entry in record["songs"]:
        total = sum(read(root, entry, source) for source in SOURCES)
        mixture = read(root, entry, "mixture")
        assert np.abs(mixture - entry["mixture_gain"] * total).max() <= 0.5 + 1e-6
        assert np.abs(mixture).max() == round(0.95 * 32767)


def test_every_source_sounds_and_none_clips(root, record):
    for entry in record["songs"]:
        rms = {}
        for source in SOURCES:
            x = read(root, entry, source) / 32768
            rms[source] = 10 * np.log10(np.mean(x**2))
            assert np.abs(x).max() < 0.93, (entry["name"], source)
        assert min(rms.values()) > -36, (entry["name"], rms)
        # the voice stands out: within 6 dB of the loudest stem
        assert rms["vocals"] > max(rms.values()) - 6, (entry["name"], rms)


def test_sources_lie_in_their_bands(root, record):
    for entry in record["songs"]:
        share = {}
        for source in SOURCES:
            power = np.abs(np.fft.rfft(read(root, entry, source))) ** 2
            hz = np.fft.rfftfreq(round(SECONDS * 44100), 1 / 44100)
            share[source] = power[hz < 250].sum() / power.sum()
        assert share["bass"] > 0.75, (entry["name"], share)
        assert share["vocals"] < 0.5, (entry["name"], share)
        assert share["other"] < 0.7, (entry["name"], share)


def test_songs_are_documented_and_differ(record):
    songs = record["songs"]
    assert (record["seed"], record["seconds"], record["version"]) == (SEED, SECONDS, 1)
    assert record["collection"] == "hhds"
    assert {entry["style"] for entry in songs} == {"Hip-Hop"}
    assert all(78 <= entry["tempo"] <= 104 for entry in songs)
    assert len({entry["tempo"] for entry in songs}) > 12
    assert len({entry["kit"]["name"] for entry in songs}) == 7
    assert len({entry["pattern"] for entry in songs}) == 9
    assert len({entry["bass"]["name"] for entry in songs}) == 6
    assert len({entry["texture"] for entry in songs}) == 9


def test_a_seed_gives_what_it_gave_in_version_1(root, record):
    added = ("name", "split", "mixture_gain", "style", "sha256")
    for entry, (digest, *levels) in zip(record["songs"], VERSION_1, strict=True):
        facts = {key: value for key, value in entry.items() if key not in added}
        text = json.dumps(facts, sort_keys=True).encode()
        assert hashlib.sha256(text).hexdigest().startswith(digest), entry["name"]
        rms = [np.sqrt(np.mean(read(root, entry, source) ** 2.0)) for source in SOURCES]
        # another machine may round a few samples of a 9-bit sampler differently, which is less than
        # a thousandth; other random numbers change a level by per cents
        np.testing.assert_allclose(rms, levels, rtol=2e-3)


def test_twelve_voices_some_of_them_in_test_only(record):
    heard = {
        split: {entry["voice"]["name"] for entry in record["songs"] if entry["split"] == split}
        for split in ("Dev", "Test")
    }
    assert len(heard["Dev"] | heard["Test"]) == 12
    assert len(heard["Test"]) == 5
    assert len(heard["Test"] - heard["Dev"]) == 3


def test_voices_sound_different():
    spectra = []
    for voice in style.load("spanish")["voices"]:
        grid = Grid(effects.RATE, 90, 0.5, 4 * effects.RATE)
        x = np.concatenate(rap.Rapper(voice, grid).say("Cuento mi historia sin permiso").pieces)
        power = np.abs(np.fft.rfft(x, 8 * effects.RATE)) ** 2
        bands = np.add.reduceat(power, np.geomspace(8 * 60, 8 * 10000, 24).astype(int))[:-1]
        spectra.append(10 * np.log10(bands / bands.sum()))
    for one in range(12):
        for other in range(one):
            assert np.abs(spectra[one] - spectra[other]).mean() > 1.0, (one, other)


def test_same_seed_same_bytes(tmp_path, capfd):
    options = {"seconds": SECONDS, "n_dev": 1, "n_test": 1}
    generate(tmp_path / "a", seed=5, **options)
    out, err = capfd.readouterr()
    assert (out, "2/2" in err) == ("", True)
    generate(tmp_path / "b", seed=5, progress=False, **options)
    generate(tmp_path / "c", seed=6, progress=False, **options)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert not set(digests(tmp_path / "a").values()) & set(digests(tmp_path / "c").values())


def test_a_song_on_its_own_is_the_song_of_the_set(root, record):
    # a breathy voice: espeak-ng would seed its noise with the second of the day
    hhds = load_collection("hhds")
    stems, facts = song.render_song(hhds, hhds.songs(13, 5)[15], seconds=SECONDS, seed=SEED)
    entry = record["songs"][15]
    assert (entry["title"], entry["voice"]["espeak"]) == (facts["title"], "es+f5")
    for source in SOURCES:
        written = np.round(stems[source] * 32767).astype(int)
        np.testing.assert_array_equal(written, read(root, entry, source))


def test_speech_does_not_depend_on_what_was_said_before():
    line = {"voice": "es+f5", "rate": 180, "pitch": 50, "pitch_range": 50}
    first = voices.speak("Vuelve la noche", **line)
    voices.speak("otra cosa", voice="es-419+m3", rate=220, pitch=60, pitch_range=40)
    again = voices.speak("Vuelve la noche", **line)
    np.testing.assert_array_equal(first.samples, again.samples)
    assert [position for _, position in first.words] == [0, 7, 10]
    assert np.abs(first.samples).max() > 0.1


def test_lines_are_many_and_fit_a_bar():
    language = style.load("spanish")
    assert len(set(language["lines"])) >= 60
    grid = Grid(effects.RATE, 104, 0.5, 10 * effects.RATE)  # the fastest beat
    rapper = rap.Rapper(language["voices"][0], grid)
    for text in language["lines"][:24]:
        line = rapper.say(text)
        places = rapper.place(line, STEPS, 0)
        assert all(place in {grid.at(step) for step in range(48)} for place in places)
        assert sorted(set(places)) == places
        assert places[-1] + len(line.pieces[-1]) < grid.at(2 * STEPS + 2), text


def test_swing_delays_every_second_sixteenth():
    grid = Grid(effects.RATE, 90, 0.6, effects.RATE)
    pair = 60 / 90 / 2 * 44100
    places = [grid.at(position) for position in (0, 0.5, 1, 1.5, 2, 3)]
    assert places == [round(share * pair) for share in (0, 0.3, 0.6, 0.8, 1, 1.6)]


def test_drums_hit_on_the_grid():
    facts = style.load("hiphop")
    grid = Grid(effects.RATE, 90, 0.58, 6 * effects.RATE)
    pattern = dict.fromkeys(drums.PARTS, "." * STEPS) | {"kick": "9......9........"}
    kit = facts["kits"][0]
    x, kicks = drums.perform(
        grid,
        [True, False],
        kit=kit,
        pattern=pattern,
        fills=facts["fills"],
        humanise=0.004,
        rng=np.random.default_rng(0),
    )
    pair = 60 / 90 / 2 * 44100
    assert kicks == [0, round(3 * pair + 0.58 * pair)]
    loud = np.abs(x) > 0.3
    assert not loud[kicks[1] - 400 : kicks[1]].any()
    assert loud[kicks[1] : kicks[1] + 400].any()
    assert not loud[grid.at(STEPS) :].any()


def test_strokes_of_rolls():
    assert drums.strokes("9..r") == [(0.0, 1.0), (3.0, 0.7), (3.5, 0.7)]


def test_arrangement_has_an_intro_and_a_break_when_there_is_room():
    facts = style.load("hiphop")
    rng = np.random.default_rng(0)
    for form in facts["forms"]:
        sections, playing = song.arrange(facts, form, 16, rng)
        assert (len(sections), len(playing)) == (16, 16)
        assert sections[0] == "intro"
        assert "vocals" not in playing[0]
        assert {"verse", "hook", "break"} <= set(sections)
        assert song.arrange(facts, form, 2, rng)[1] == [frozenset(SOURCES)] * 2


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(HiphopssError, match="choose a new folder"):
        generate(tmp_path, seconds=SECONDS, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    render = song.render_song

    def fail_on_second(collection, which, **options):
        if which.place == 1:
            raise KeyboardInterrupt
        return render(collection, which, **options)

    monkeypatch.setattr(song, "render_song", fail_on_second)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "set", seconds=SECONDS, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"seconds": 3.9}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": 1e6}, "seconds"),
        ({"n_dev": 0, "n_test": 0}, "0 songs of Dev and 0 of Test"),
        ({"n_test": -1}, "-1 of Test"),
        ({"n_dev": 1000}, "1000 songs of Dev"),
        ({"seed": -1}, "seed"),
    ],
)
def test_nonsense_is_refused(tmp_path, options, named):
    with pytest.raises(HiphopssError) as caught:
        generate(tmp_path / "set", progress=False, **options)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_synthesiser_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(HiphopssError, match='pip install "espeakng-loader>'):
        voices.speak("hola", voice="es", rate=180, pitch=50, pitch_range=50)


def test_an_unknown_voice_is_named():
    with pytest.raises(HiphopssError, match="klingon-x"):
        voices.speak("hola", voice="klingon-x", rate=180, pitch=50, pitch_range=50)


def test_importing_the_package_is_light():
    code = "import sys, hiphopss.datasets.generated; print('scipy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
