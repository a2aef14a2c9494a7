"""Live separation: equal to the offline one, any blocks, constant delay; and the live remix."""

import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from conftest import RATE, noise

from hiphopss import PRESETS, SOURCES, HiphopssError, SignalConfig
from hiphopss.controls import Controls, Keys, Quit, apply_command
from hiphopss.engines import ENGINES, KerasNetwork, load_network
from hiphopss.forward import NumpyNetwork, array_shapes, fit_arrays
from hiphopss.live import StreamingSeparator
from hiphopss.live_session import run_live
from hiphopss.mixing import Mix
from hiphopss.separation import Separator
from hiphopss.streaming_network import StreamingNetwork, position_weights
from hiphopss.transform import istft, magnitude, stft
from hiphopss.weights import load_model, read_weights

CONFIG = SignalConfig()
HOP_1 = replace(CONFIG, overlap=CONFIG.context - 1)  # a patch begins at every frame
STEREO = np.stack([noise(40000, 1), noise(40000, 2)]).astype(np.float32)


@pytest.fixture(scope="module")
def network(published):
    return load_network(published)[0]


@pytest.fixture(scope="module")
def hop_1(published):
    """By engine, the offline network with a patch at every frame."""
    info, arrays = read_weights(published)
    fitted = fit_arrays(arrays, array_shapes(info.config, info.fidelity), origin="")
    return {
        "numpy": NumpyNetwork(fitted, HOP_1, info.fidelity),
        "keras": KerasNetwork(load_model(published)[0], HOP_1),
    }


def offline(network, waveform, lookahead, average):
    """All patches of the whole signal, each weighted by position; silence before and after."""
    spectrum = stft(waveform, CONFIG)  # (n_channels, n_frames, n_bins)
    frames = magnitude(spectrum.mean(axis=0), CONFIG) * np.float32(CONFIG.scale)
    before, n_frames = CONFIG.context - 1, len(frames)
    frames = np.pad(frames, [(before, 0), (0, 0)])
    weights = position_weights(CONFIG, lookahead, average=average)
    masks = network.joined_masks(frames, np.tile(weights, (n_frames + lookahead, 1)))
    masks = masks[:, None, before : before + n_frames]
    return istft(masks * spectrum, waveform.shape[-1], CONFIG)


def stream(separator, waveform, sizes=(512,)):
    """All of a signal, block by block, and the tail; less the latency."""
    parts, start, turn = [], 0, 0
    while start < waveform.shape[-1]:
        size = sizes[turn % len(sizes)]
        block = waveform[:, start : start + size]
        parts.append(separator.process(block))
        assert parts[-1].shape == (4, *block.shape)
        start, turn = start + size, turn + 1
    return np.concatenate([*parts, separator.flush()], axis=-1)[..., separator.latency :]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("lookahead", [0, 3, 29])
def test_equals_the_offline_separation_with_the_same_lookahead(
    network, hop_1, lookahead, average, engine
):
    separator = StreamingSeparator(network, lookahead=lookahead, average=average)
    expected = offline(hop_1[engine], STEREO, lookahead, average)
    found = stream(separator, STEREO)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(STEREO).max())
    assert np.abs(expected).max(axis=(1, 2)).min() > 0.01  # no stem is silent


def test_full_lookahead_weighted_as_the_cross_fade_is_the_separator(network, hop_1, monkeypatch):
    """The one recursive cross-fade of patches at every frame, seen from both sides."""
    from hiphopss import streaming_network
    from hiphopss.patches import crossfade_weights

    faded = crossfade_weights(HOP_1, n_before=29, n_patches=1, n_after=29)[0]
    monkeypatch.setattr(streaming_network, "position_weights", lambda *_, **__: faded)
    # A patch says nothing of its first frame: the fade begins with 0. So 28 frames are enough.
    found = stream(StreamingSeparator(network, lookahead=28), STEREO)
    separator = Separator(hop_1["numpy"], HOP_1, PRESETS["released"])
    blocks = list(separator.stems([STEREO.T]))
    expected = np.concatenate(blocks, axis=1).swapaxes(1, 2)
    # The first and last frames of a song have fewer patches there, here some that hear silence.
    inside = slice(30 * 512, -31 * 512)
    assert expected[..., inside].shape[-1] > 5000
    np.testing.assert_allclose(found[..., inside], expected[..., inside], atol=1e-6)


@pytest.mark.parametrize("fidelity", ["released", "corrected"])
def test_a_step_gives_the_masks_of_the_last_patch(fidelity):
    from test_forward import both_networks, magnitudes, masks_of

    _, network = both_networks(PRESETS[fidelity])
    frames = magnitudes(45, CONFIG.bins)
    for lookahead in (0, 7, 29):
        streaming = StreamingNetwork(network, lookahead=lookahead, average=False)
        for frame in frames:
            masks = streaming.step(frame)
        expected = masks_of(network, frames[None, -30:])[0, :, -1 - lookahead]
        # masks of nearly silent outputs are ill-determined, and few
        errors = np.abs(masks - expected)
        assert np.quantile(errors, 0.99) < 1e-5
        np.testing.assert_allclose(masks.sum(axis=0), 1, atol=1e-6)


def test_the_way_a_stream_is_cut_does_not_matter(network):
    for lookahead in (0, 4):
        separator = StreamingSeparator(network, lookahead=lookahead)
        expected = stream(separator, STEREO, [512])
        for sizes in ([1, 7, 512, 3000, 1023], [100000], [513]):
            np.testing.assert_array_equal(stream(separator, STEREO, sizes), expected)
    few = StreamingSeparator(network).process(STEREO[:, :0])
    assert few.shape == (4, 2, 0)
    one = StreamingSeparator(network)
    singly = np.concatenate([one.process(STEREO[:, i : i + 1]) for i in range(3000)], axis=-1)
    np.testing.assert_array_equal(singly, StreamingSeparator(network).process(STEREO[:, :3000]))


@pytest.mark.parametrize(
    ("lookahead", "multiple", "latency"),
    [(0, 1, 1023), (0, 512, 512), (0, 256, 768), (5, 1, 3583), (29, 1024, 15360)],
)
def test_the_latency_is_what_is_reported(network, lookahead, multiple, latency):
    separator = StreamingSeparator(
        network, lookahead=lookahead, channels=1, block_multiple=multiple
    )
    assert separator.latency == latency
    assert separator.latency_seconds == pytest.approx(latency / 44100)
    impulse = np.zeros((1, 32768), np.float32)
    impulse[0, 5000] = 1
    blocks = np.split(impulse, 32768 // max(multiple, 128), axis=1)
    total = np.concatenate([separator.process(b) for b in blocks], axis=-1).sum(axis=0)[0]
    assert np.argmax(total) == 5000 + latency
    assert total.max() == pytest.approx(1, abs=1e-4)
    assert np.abs(np.delete(total, 5000 + latency)).max() < 1e-4


def test_stems_sum_to_the_delayed_mixture(network):
    for lookahead in (0, 10):
        total = stream(StreamingSeparator(network, lookahead=lookahead), STEREO).sum(axis=0)
        # -120 dB: sums and transforms in single precision
        np.testing.assert_allclose(total, STEREO, atol=1e-6)


def test_silence_stays_silence_and_a_reset_forgets(network):
    separator = StreamingSeparator(network, lookahead=2)
    assert not stream(separator, np.zeros((2, 20000), np.float32)).any()
    expected = stream(separator, STEREO)
    separator.process(STEREO[::-1, :3333])
    separator.reset()
    np.testing.assert_array_equal(stream(separator, STEREO), expected)


def test_bad_blocks_are_refused_and_the_stream_goes_on(network):
    separator = StreamingSeparator(network, block_multiple=512)
    expected = StreamingSeparator(network, block_multiple=512).process(STEREO[:, :2048])
    first = separator.process(STEREO[:, :1024])
    broken = STEREO[:, 1024:2048].copy()
    broken[1, 700] = np.nan
    for block, told in [
        (broken, "not finite"),
        (STEREO[:, :511], "multiples of 512"),
        (STEREO[:1], r"shape \(2, n\)"),
        (STEREO[0], r"shape \(2, n\)"),
        (np.zeros((2, 512), np.int16), "floating-point"),
    ]:
        with pytest.raises(HiphopssError, match=told):
            separator.process(block)
    again = separator.process(STEREO[:, 1024:2048])
    np.testing.assert_array_equal(np.concatenate([first, again], axis=-1), expected)


@pytest.mark.parametrize("options", [{"lookahead": 30}, {"lookahead": -1}, {"lookahead": 1.5},
                                     {"channels": 0}, {"block_multiple": 0}])  # fmt: skip
def test_numbers_out_of_range_are_refused(network, options):
    with pytest.raises(HiphopssError, match="give"):
        StreamingSeparator(network, **options)


@pytest.mark.slow
def test_an_hour_without_drift():
    """The same few seconds, over and over: the last time they sound as the second, to the bit.

    With long frames, so that an hour has fewer of them, and without the network, which is not
    under test.
    """
    config = SignalConfig(frame=16384, hop=8192)
    fidelity = PRESETS["released"]
    shapes = array_shapes(config, fidelity)
    zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    separator = StreamingSeparator(NumpyNetwork(zeros, config, fidelity), lookahead=1, channels=1)
    fixed = np.random.default_rng(0).dirichlet(np.ones(4), config.bins).T.astype(np.float32)
    separator._network.step = lambda magnitudes: fixed
    period = 8192 * 31
    loop = np.tile(STEREO[:1], 7)[:, :period]
    blocks = np.array_split(loop, 5, axis=1)
    n_in = n_out = 0
    while n_in < 3600 * RATE:
        stems = [separator.process(block) for block in blocks]
        if n_in == period:
            second = np.concatenate(stems, axis=-1)
        n_in += period
        n_out += sum(s.shape[-1] for s in stems)
    assert n_out == n_in
    np.testing.assert_array_equal(np.concatenate(stems, axis=-1), second)
    # The masks sum to 1, so what comes out is what went in, a latency ago.
    np.testing.assert_allclose(
        second.sum(axis=0), np.roll(loop, separator.latency, axis=1), atol=1e-6
    )


def test_memory_does_not_grow_with_the_stream(network):
    separator = StreamingSeparator(network, lookahead=5)
    held = []
    tracemalloc.start()
    for turn in range(1500):
        separator.process(STEREO[:, :700])
        if turn in (50, 1499):
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] - held[0] < 10_000  # bytes; one hop of the stems is 16,384


# --- commands ---------------------------------------------------------------------------------


def test_commands_change_the_mix():
    mix = Mix()
    for line, expected in [
        ("vocals -6", {"gains": {"vocals": -6}}),
        ("vocals=-6", {"gains": {"vocals": -6}}),
        ("  gain vocals +2.5 ", {"gains": {"vocals": 2.5}}),
        ("vocals +=1", {"gains": {"vocals": 3.5}}),
        ("vocals +=-0.5", {"gains": {"vocals": 3}}),
        ("pan bass -0.2", {"pans": {"bass": -0.2}}),
        ("mute drums", {"muted": frozenset({"drums"})}),
        ("solo vocals", {"soloed": frozenset({"vocals"})}),
        ("unmute drums", {"muted": frozenset()}),
        ("unsolo vocals", {"soloed": frozenset()}),
    ]:
        before, mix = mix, apply_command(line, mix)
        assert mix == before.changed(**expected)
    start = Mix(gains={"bass": 1})
    assert apply_command("reset", mix, start=start) == start
    assert apply_command("unsolo", Mix(soloed=frozenset(SOURCES))) == Mix()
    with pytest.raises(Quit):
        apply_command("quit", mix)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("louder", "'louder': no command"),
        ("guitar -6", "no command"),
        ("gain guitar -6", "no source named 'guitar'"),
        ("mute guitar", "no source named"),
        ("vocals loud", "gain of vocals 'loud': give a number"),
        ("vocals 90", "at most 40"),
        ("pan bass 2", "give -1"),
    ],
)
def test_bad_commands_are_told(line, told):
    with pytest.raises(HiphopssError, match=told):
        apply_command(line, Mix())


def test_keys_are_commands_for_the_chosen_source():
    keys, mix = Keys(), Mix()
    pressed = "+1b--s<<4d>mr"
    expected = [
        Mix(gains={"vocals": 1}),
        Mix(gains={"vocals": 1}, muted=frozenset({"vocals"})),
    ]
    seen = []
    for key in pressed[:-1] + "zb":
        command = keys.command(key, mix)
        mix = apply_command(command, mix) if command else mix
        seen.append(mix)
    assert seen[:2] == expected
    assert mix == Mix(
        gains={"vocals": 1, "bass": -2},
        pans={"bass": -0.2, "drums": 0.1},
        muted=frozenset({"vocals", "other", "drums"}),
        soloed=frozenset({"bass"}),
    )
    assert (keys.command("r", mix), keys.command("q", mix)) == ("reset", "quit")


def test_keys_of_a_terminal_which_is_restored(monkeypatch):
    termios = pytest.importorskip("termios")
    master, terminal = os.openpty()
    monkeypatch.setattr(sys, "stdin", os.fdopen(terminal))
    before, told = termios.tcgetattr(terminal), []
    with Controls(Mix(), stdin=True, tell=told.append) as controls:
        assert not termios.tcgetattr(terminal)[3] & termios.ICANON
        os.write(master, b"b-?")
        mix = controls.update(Mix(), 0)
    assert mix == Mix(gains={"bass": -1})
    assert termios.tcgetattr(terminal) == before
    assert [line.split(":")[0] for line in told] == ["keys", mix.describe(), "keys"]
    sys.stdin.close()
    os.close(master)


# --- sessions ---------------------------------------------------------------------------------


@pytest.fixture
def song(tmp_path):
    soundfile.write(tmp_path / "song.wav", STEREO.T, RATE, subtype="FLOAT")
    return tmp_path / "song.wav"


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_a_file_is_aligned_and_as_long(tmp_path, published, run, rate):
    # below the lower Nyquist frequency, where resampling there and back is exact to -80 dB
    time = np.arange(40001) / rate
    waveform = np.stack([np.sin(2 * np.pi * f * time) for f in (440, 3000)], axis=1)
    soundfile.write(tmp_path / "in.flac", 0.3 * waveform, rate, subtype="PCM_24")
    status, _, error = run(
        "live", "--input", tmp_path / "in.flac", "--output", tmp_path / "out.wav",
        "--weights", published, "--lookahead", 4, "--block", 1000,
    )  # fmt: skip
    assert status == 0, error
    assert "latency: separation 69.6 ms" in error
    found, found_rate = soundfile.read(tmp_path / "out.wav")
    assert (found.shape, found_rate) == (waveform.shape, rate)
    inside = slice(2000, -2000)
    np.testing.assert_allclose(found[inside], 0.3 * waveform[inside], atol=1e-4)


def test_commands_of_a_file_count_at_their_time(song, tmp_path, published, network):
    commands = tmp_path / "commands.txt"
    commands.write_text("# comment\n@0.5 solo bass\nbogus\n@0.7 unsolo\n@x mute bass\n@0.8 quit")
    told = []
    run_live(str(song), str(tmp_path / "out.wav"), Mix(muted=frozenset({"other"})),
             weights=published, control=commands, listen=False, tell=told.append)  # fmt: skip
    vocals, bass, drums, _ = stream(StreamingSeparator(network), STEREO)
    found, _ = soundfile.read(tmp_path / "out.wav")
    assert len(found) == pytest.approx(0.8 * RATE, abs=512)
    for start, stop, expected in [
        (0, 0.5, vocals + bass + drums),
        (0.53, 0.7, bass),  # a block and a ramp later
        (0.73, 0.79, vocals + bass + drums),
    ]:
        span = slice(round(start * RATE), round(stop * RATE))
        np.testing.assert_allclose(found[span], expected[:, span].T, atol=1e-6)
    assert any("'bogus': no command" in line for line in told)
    assert any("time 'x': give a number" in line for line in told)
    assert "0 overruns, 0 underruns, 0 late" in told[-1]


def command(*arguments, published):
    return [sys.executable, "-m", "hiphopss", "live", "--weights", str(published),
            *map(str, arguments)]  # fmt: skip


def test_raw_audio_through_pipes_and_commands_through_a_fifo(tmp_path, published, network):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        command("--input", "-", "--output", "-", "--control", fifo, "--block", 1000,
                published=published),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        # What a pipe holds; when all of it has come out, it waits for more.
        process.stdin.write(STEREO.T[:6000].astype("<f4").tobytes())
        process.stdin.flush()
        first = process.stdout.read((6000 - 1023) * 8)
        fifo.write_text("mute vocals\n")
        fifo.write_text("solo drums\n")
        rest, error = process.communicate(STEREO.T[6000:].astype("<f4").tobytes(), timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, error
    found = np.frombuffer(first + rest, "<f4").reshape(-1, 2).T
    assert found.shape == STEREO.shape
    stems = stream(StreamingSeparator(network), STEREO)
    np.testing.assert_allclose(found[:, :4977], STEREO[:, :4977], atol=1e-6)
    np.testing.assert_allclose(found[:, 5500:], stems[2, :, 5500:], atol=1e-6)
    assert b"latency: separation 23.2 ms" in error


def test_16_bit_pipes_and_lines_on_standard_input(song, tmp_path, published):
    done = subprocess.run(
        command("--input", song, "--output", "-", "--format", "s16le", "-q", published=published),
        input=b"@0 vocals -40\n@0 mute bass\n@0 mute drums\n@0 mute other\n@0.3 reset\n",
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == b""
    found = np.frombuffer(done.stdout, "<i2").reshape(-1, 2) / 32767
    assert found.shape == STEREO.T.shape
    before, after = slice(2000, 13000), slice(14000, None)
    np.testing.assert_allclose(found[after], STEREO.T[after], atol=1 / 32767)
    assert np.abs(found[before]).max() < 0.05 * np.abs(STEREO).max()


def test_samples_that_are_not_finite_are_muted_and_told(tmp_path, published, monkeypatch):
    from io import BytesIO

    from hiphopss import live_ends

    broken = STEREO.T.copy()
    broken[20000:20003, 1] = np.inf
    data, out = BytesIO(broken.astype("<f4").tobytes() + b"xyz"), BytesIO()
    monkeypatch.setattr(live_ends, "standard", lambda name: data if name == "stdin" else out)
    told = []
    tally = run_live("-", "-", Mix(), weights=published, tell=told.append)
    assert (tally.n_mended, tally.n_in, tally.n_out) == (3, 40000, 40000)
    broken[20000:20003, 1] = 0
    found = np.frombuffer(out.getvalue(), "<f4").reshape(-1, 2)
    np.testing.assert_allclose(found, broken, atol=1e-6)
    assert "3 samples not finite: muted" in told[-1]


def test_real_time_takes_as_long_as_the_music(song, tmp_path, published):
    from time import perf_counter

    begin = perf_counter()
    run_live(str(song), str(tmp_path / "o.wav"), Mix(), weights=published, realtime=True,
             listen=False, tell=lambda line: None)  # fmt: skip
    assert perf_counter() - begin > 40000 / RATE


class FakeCard:
    """What is used of sounddevice: a card that hears a signal, then is unplugged."""

    PortAudioError = RuntimeError

    def __init__(self, heard):
        self.heard, self.played, self.opened = heard, [], []

    def InputStream(self, **options):
        return self._stream("in", options)

    def OutputStream(self, **options):
        return self._stream("out", options)

    def _stream(self, kind, options):
        self.opened.append((kind, options["device"], options["channels"], options["blocksize"]))
        return _FakeStream(self)


class _FakeStream:
    latency = 0.01

    def __init__(self, card):
        self._card = card

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, n):
        block, self._card.heard = self._card.heard[:n], self._card.heard[n:]
        if len(block) < n:
            import signal

            signal.raise_signal(signal.SIGINT)  # as Ctrl-C
            block = np.zeros((n, 2), np.float32)
        return block, len(self._card.played) == 5

    def write(self, samples):
        self._card.played.append(samples)
        return len(self._card.played) in (7, 8)


def test_devices_with_the_least_latency_until_an_interrupt(published, monkeypatch):
    card = FakeCard(STEREO.T[: 512 * 70])
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    told = []
    run_live("device:3", "device:Big Speaker", Mix(), weights=published, listen=False,
             tell=told.append)  # fmt: skip
    assert card.opened == [("in", 3, 2, 512), ("out", "Big Speaker", 2, 512)]
    played = np.concatenate(card.played)
    assert not played[:1024].any()  # in hand, against underruns
    np.testing.assert_allclose(played[1024:], STEREO.T[: len(played) - 1024], atol=1e-6)
    assert len(played) >= 1024 + 68 * 512
    assert "separation 11.6 ms, block 11.6 ms, devices 20.0 ms, buffer 23.2 ms" in told[0]
    assert "1 overruns, 2 underruns" in told[-1]


def test_mistakes_are_told_in_one_line(song, tmp_path, published, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # not installed
    out = tmp_path / "out.wav"
    for arguments, told in [
        (("--input", song), "give --output"),
        (("--input", song, "--output", song), "is the input"),
        (("--input", song, "--output", "device"), "pip install 'hiphopss[live]'"),
        (("--list-devices",), "pip install 'hiphopss[live]'"),
        (("--input", tmp_path / "none.wav", "--output", out), "no such file"),
        (("--input", song, "--output", tmp_path / "out.xyz"), "name a file that ends in"),
        (("--input", song, "--output", out, "--lookahead", 30), "0 to 29"),
        (("--input", song, "--output", out, "--block", 0), "give positive numbers"),
        (("--input", song, "--output", out, "--control", tmp_path / "no"), "can't read commands"),
        (("--input", song, "--output", out, "--solo", "guitar"), "no source named 'guitar'"),
    ]:
        status, _, error = run("live", "--weights", published, "-q", *arguments)
        assert status == 2, arguments
        assert told in error
        assert error.count("\n") == 1, error
    assert [p.name for p in tmp_path.iterdir()] == ["song.wav"]
