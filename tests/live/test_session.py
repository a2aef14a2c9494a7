"""The live remix: sessions from file, pipe and device."""

import os
import select
import subprocess
import sys
from io import BytesIO
from time import perf_counter

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE
from helpers.streams import STEREO, stream

from hiphopss.live import ends
from hiphopss.live.session import LiveSettings, Pcm, run_live
from hiphopss.live.stream import StreamingSeparator
from hiphopss.remixing.mixing import Mix


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


def test_quiet_still_tells_what_is_wrong_with_a_command(song, tmp_path, published, run):
    commands = tmp_path / "commands.txt"
    commands.write_text("mute horn\nmute drums\n")
    status, _, error = run("live", "--input", song, "--output", tmp_path / "out.wav", "--weights",
                           published, "--control", commands, "-q")  # fmt: skip
    assert status == 0
    assert error.count("\n") == 1
    assert error.startswith("hiphopss: warning: no source named 'horn'")


def test_commands_of_a_file_count_at_their_time(song, tmp_path, published, network, lines):
    commands = tmp_path / "commands.txt"
    commands.write_text("# comment\n@0.5 solo bass\nbogus\n@0.7 unsolo\n@x mute bass\n@0.8 q")
    run_live(str(song), str(tmp_path / "out.wav"), Mix(muted=frozenset({"other"})),
             LiveSettings(published), control=commands, listen=False)  # fmt: skip
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
    assert len(lines.wrong) == 2
    assert any("'bogus': no command" in line for line in lines.wrong)
    assert any("time 'x': give a number" in line for line in lines.wrong)
    assert "0 overruns, 0 underruns, 0 late" in lines.told[-1]


@pytest.mark.parametrize(
    ("commands", "told"),
    [
        ("@0.5 mute bass\n@5 unmute bass\n@1e9 reset\n@9 quit\n", "2 commands"),
        ("@0.95 mute bass", "1 command"),
        ("@0.5 quit\n@5 mute bass\n", None),  # who ends it knows
        ("@0.5 mute bass\n@5 quit\n", None),
    ],
)
def test_commands_after_the_end_are_told(song, tmp_path, published, lines, commands, told):
    file = tmp_path / "commands.txt"
    file.write_text(commands)
    tally = run_live(
        str(song), str(tmp_path / "out.wav"), Mix(), LiveSettings(published), control=file,
        listen=False,
    )  # fmt: skip
    assert tally.n_left == (int(told.split()[0]) if told else 0)
    end = "not carried out: the audio ended before, at 0.9 s"
    assert lines.wrong == ([f"{told} {end}"] if told else [])


@pytest.mark.parametrize(("short", "heard"), [("karaoke", (1, 2, 3)), ("acapella", (0,))])
def test_karaoke_and_acapella(song, tmp_path, published, network, run, short, heard):
    commands = tmp_path / "commands.txt"
    commands.write_text("@0.3 solo drums\n@0.6 reset\n")
    out = tmp_path / "out.wav"
    status, *_ = run("live", "--input", song, "--output", out, "--weights", published,
                     f"--{short}", "--control", commands)  # fmt: skip
    assert status == 0
    stems = stream(StreamingSeparator(network), STEREO)
    expected = stems[list(heard)].sum(axis=0).T
    found, _ = soundfile.read(out)
    for start, stop in (0, 0.3), (0.63, None):  # a block and a ramp later it is as it was
        span = slice(round(start * RATE), stop and round(stop * RATE))
        np.testing.assert_allclose(found[span], expected[span], atol=1e-6)
    assert not np.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("stream", "told"),
    [("stdin", "pipe raw audio into it, or give --input a file"),
     ("stdout", "pipe the raw audio on, or give --output a file")],
)  # fmt: skip
def test_raw_audio_is_not_for_terminals(song, tmp_path, run, monkeypatch, stream, told):
    named = {"stdin": ("-", tmp_path / "out.wav"), "stdout": (song, "-")}[stream]
    master, terminal = os.openpty()
    os.set_blocking(terminal, False)
    with os.fdopen(terminal, "r" if stream == "stdin" else "w") as file:
        monkeypatch.setattr(sys, stream, file)
        status, _, error = run("live", "--input", named[0], "--output", named[1])
        monkeypatch.undo()
        assert not select.select([master], [], [], 0)[0]  # nothing was written
    os.close(master)
    assert (status, error.count("\n")) == (2, 1)
    assert f"standard {stream[3:]}put is a terminal: {told}" in error
    assert not (tmp_path / "out.wav").exists()


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
    assert error.count(b"raw audio: f32le, 44100 Hz, 2 channels: pipe it into") == 1


@pytest.mark.parametrize(
    ("kind", "stereo", "told"),
    [
        ("f32le", False, ["f32le, 48000 Hz, 1 channel:", "-f f32le -ar 48000 -ac 1 -i -",
                          "play -t f32 -r 48000 -c 1 -"]),
        ("s16le", True, ["s16le, 48000 Hz, 2 channels:", "-f s16le -ar 48000 -ac 2 -i -",
                         "play -t s16 -r 48000 -c 2 -"]),
    ],
)  # fmt: skip
def test_what_raw_audio_is_is_told(tmp_path, published, monkeypatch, lines, kind, stereo, told):
    out = BytesIO()
    monkeypatch.setattr(ends, "standard", lambda name: out)
    soundfile.write(tmp_path / "mono.wav", STEREO[0, :4800], 48000, subtype="FLOAT")
    settings = LiveSettings(published, pcm=Pcm(kind=kind), stereo=stereo)
    run_live(str(tmp_path / "mono.wav"), "-", Mix(), settings, listen=False)
    (line,) = [line for line in lines.told if line.startswith("raw audio: ")]
    assert all(part in line for part in told)
    samples = np.frombuffer(out.getvalue(), ends.RAW_FORMATS[kind])
    assert len(samples) == 4800 * (1 + stereo)


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


def test_samples_that_are_not_finite_are_muted_and_told(tmp_path, published, monkeypatch, lines):
    broken = STEREO.T.copy()
    broken[20000:20002, 1] = np.inf
    broken[20002, 1] = 1e35  # finite, but its masks are not
    data, out = BytesIO(broken.astype("<f4").tobytes() + b"xyz"), BytesIO()
    monkeypatch.setattr(ends, "standard", lambda name: data if name == "stdin" else out)
    tally = run_live("-", "-", Mix(), LiveSettings(published))
    assert (tally.n_mended, tally.n_in, tally.n_out) == (3, 40000, 40000)
    broken[20000:20003, 1] = 0
    found = np.frombuffer(out.getvalue(), "<f4").reshape(-1, 2)
    np.testing.assert_allclose(found, broken, atol=1e-6)
    assert "3 samples not finite: muted" in lines.told[-1]


def test_real_time_takes_as_long_as_the_music(song, tmp_path, published):
    begin = perf_counter()
    settings = LiveSettings(published, realtime=True)
    run_live(str(song), str(tmp_path / "o.wav"), Mix(), settings, listen=False)
    assert perf_counter() - begin > 40000 / RATE


class FakeCard:
    """What is used of sounddevice: a card that hears a signal.

    Then comes an interrupt; or it is unplugged, whether it hears or plays.
    """

    PortAudioError = RuntimeError

    def __init__(self, heard, *, unplugged=False):
        self.heard, self.played, self.opened = heard, [], []
        self.unplugged = unplugged

    def InputStream(self, **options):
        return self._stream("in", options)

    def OutputStream(self, **options):
        return self._stream("out", options)

    def fail(self):
        if self.unplugged:
            raise self.PortAudioError("Unanticipated host error\n[PaErrorCode -9999]")

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
            self._card.fail()
            import signal

            signal.raise_signal(signal.SIGINT)  # as Ctrl-C
            block = np.zeros((n, 2), np.float32)
        return block, len(self._card.played) == 5

    def write(self, samples):
        if len(self._card.played) == 30:
            self._card.fail()
        self._card.played.append(samples)
        return len(self._card.played) in (7, 8)


def test_devices_with_the_least_latency_until_an_interrupt(published, monkeypatch, lines):
    card = FakeCard(STEREO.T[: 512 * 70])
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    run_live("device:3", "device:Big Speaker", Mix(), LiveSettings(published), listen=False)
    assert card.opened == [("in", 3, 2, 512), ("out", "Big Speaker", 2, 512)]
    played = np.concatenate(card.played)
    assert not played[:1024].any()  # in hand, against underruns
    np.testing.assert_allclose(played[1024:], STEREO.T[: len(played) - 1024], atol=1e-6)
    assert len(played) >= 1024 + 68 * 512
    assert "separation 11.6 ms, block 11.6 ms, devices 20.0 ms, buffer 23.2 ms" in lines.told[0]
    assert "1 overruns, 2 underruns" in lines.told[-1]


def test_a_recording_is_kept_when_the_card_goes_away(tmp_path, published, run, monkeypatch):
    heard = STEREO.T[: 512 * 20]
    monkeypatch.setitem(sys.modules, "sounddevice", FakeCard(heard, unplugged=True))
    status, _, error = run(
        "live", "--input", "device:3", "--output", tmp_path / "out.wav", "--weights", published,
        "-q",
    )  # fmt: skip
    assert (status, error.count("\n")) == (2, 1)
    assert "device:3: the device stopped (Unanticipated host error [PaErrorCode -9999])" in error
    found, _ = soundfile.read(tmp_path / "out.wav")
    np.testing.assert_allclose(found, heard, atol=1e-6)


def test_a_speaker_that_goes_away_is_told_in_one_line(song, published, run, monkeypatch):
    card = FakeCard(STEREO.T, unplugged=True)
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    status, _, error = run(
        "live", "--input", song, "--output", "device", "--weights", published, "-q"
    )
    assert (status, error.count("\n")) == (2, 1)
    assert "device: the device stopped" in error
    assert len(card.played) == 30


def test_mistakes_are_told_in_one_line(song, tmp_path, published, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # not installed
    out, high, six = (tmp_path / name for name in ("out.wav", "high.wav", "six.wav"))
    soundfile.write(high, np.zeros((100, 2)), 96000)
    soundfile.write(six, np.zeros((100, 6)), RATE)
    for arguments, told in [
        (("--input", song), "give --output"),
        (("--input", song, "--output", song), "is the input"),
        (
            ("--input", song, "--output", "device"),
            "needs the extra 'live' of hiphopss: pip install",
        ),
        (("--list-devices",), "needs the extra 'live' of hiphopss: pip install"),
        (("--input", tmp_path / "none.wav", "--output", out), "no such file"),
        (("--input", song, "--output", tmp_path / "out.xyz"), "name a file that ends in"),
        (("--input", song, "--output", out, "--lookahead", 30), "0 to 29"),
        (("--input", song, "--output", out, "--block", 0), "give 1 to"),
        (("--input", song, "--output", out, "--block", 10**15), "give 1 to"),
        (("--input", "-", "--output", "-", "--channels", 9999999), "channels 9999999: give 1 to"),
        (("--input", "-", "--output", "-", "--rate", 0), "give a positive number"),
        (("--input", song, "--output", out, "--control", tmp_path), f"{tmp_path}: can't read"),
        (("--input", high, "--output", tmp_path / "o.mp3"), "o.mp3: MP3 has no rate of 96000 Hz"),
        (("--input", six, "--output", out, "--stereo"), "leave --stereo out"),
        (("--input", song, "--output", out, "--control", tmp_path / "no"), "can't read commands"),
        (("--input", song, "--output", out, "--solo", "guitar"), "no source named 'guitar'"),
        (("--input", song, "--output", out, "--karaoke", "--acapella"), "not allowed with"),
    ]:
        status, _, error = run("live", "--weights", published, "-q", *arguments)
        assert status == 2, arguments
        assert told in error
        assert error.count("\n") == 1, error
    assert sorted(p.name for p in tmp_path.iterdir()) == ["high.wav", "six.wav", "song.wav"]
