"""A mix that is changed while it plays: commands, keys, files and FIFOs."""

import os
import sys
import tracemalloc

import pytest

from hiphopss import SOURCES, HiphopssError
from hiphopss.live.controls import Controls, Keys, Quit, apply_command
from hiphopss.remixing.mixing import Mix


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


def test_keys_of_a_terminal_which_is_restored(monkeypatch, lines):
    termios = pytest.importorskip("termios")
    master, terminal = os.openpty()
    monkeypatch.setattr(sys, "stdin", os.fdopen(terminal))
    before = termios.tcgetattr(terminal)
    with Controls(Mix(), stdin=True) as controls:
        assert not termios.tcgetattr(terminal)[3] & termios.ICANON
        os.write(master, b"b-?")
        mix = controls.update(Mix(), 0)
    assert mix == Mix(gains={"bass": -1})
    assert termios.tcgetattr(terminal) == before
    assert [line.split(":")[0] for line in lines.all] == ["keys", mix.describe(), "keys"]
    assert not lines.wrong
    sys.stdin.close()
    os.close(master)


@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def send(fifo, data):
    """Write to a FIFO that somebody reads, as much as it has room for."""
    descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    sent = os.write(descriptor, data)
    os.close(descriptor)
    return sent


def test_a_flood_of_commands_is_taken_bit_by_bit(fifo, monkeypatch):
    applied = []

    def counted(line, settings, **options):
        applied.append(line)
        return apply_command(line, settings, **options)

    monkeypatch.setattr("hiphopss.live.controls.apply_command", counted)
    mix, n_lines = Mix(), 2000
    with Controls(mix, path=fifo) as controls:
        assert send(fifo, b"vocals +=-0.01\n" * n_lines) == 15 * n_lines
        mix = controls.update(mix, 0)
        assert 0 < len(applied) <= 64
        for turn in range(n_lines):
            mix = controls.update(mix, turn)
    assert len(applied) == n_lines  # none is lost
    assert mix.gains["vocals"] == pytest.approx(-0.01 * n_lines)


def test_endless_lines_are_refused_and_the_next_one_counts(fifo, lines):
    mix = Mix()
    with Controls(mix, path=fifo) as controls:
        tracemalloc.start()
        for _ in range(30):
            send(fifo, b"x" * 32_000)
            for _ in range(10):
                mix = controls.update(mix, 0)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        send(fifo, b"\nmute bass\n")
        for _ in range(3):
            mix = controls.update(mix, 0)
    assert held < 50_000  # bytes, of the 960,000 that were sent
    assert mix == Mix(muted=frozenset({"bass"}))
    assert [line.partition(": ")[2] for line in lines.all] == [
        "a line of more than 4096 bytes: left out"
    ]
    assert lines.wrong == lines.all


def test_what_the_end_leaves_is_counted(fifo):
    mix = Mix()
    with Controls(mix, path=fifo) as controls:
        assert controls.count_left() == 0
        send(fifo, b"mute bass\n@1 mute drums\n@2 mute other\n@2 quit\n" + 40 * b"vocals -1\n")
        mix = controls.update(mix, 0)  # takes 32 lines
        assert mix == Mix(gains={"vocals": -1}, muted=frozenset({"bass"}))
        send(fifo, b"# not a command\n\nreset\n")
        assert controls.count_left() == 2 + (4 + 40 - 32) + 1


def test_commands_that_wait_are_bounded_and_stay_in_order(fifo, tmp_path, monkeypatch, lines):
    monkeypatch.setattr("hiphopss.live.controls._MOST_DUE", 5)
    mix = Mix()
    commands = b"@2 vocals -1\n@1 vocals -2\n@2 vocals -3\n@1 bass -1\n@9 reset\n@2 mute bass\n"
    with Controls(mix, path=fifo) as controls:
        send(fifo, commands)
        mix = controls.update(mix, 0)
        assert mix == Mix()
        mix = controls.update(mix, 1)
        assert mix == Mix(gains={"vocals": -2, "bass": -1})
        send(fifo, b"mute other\n")  # without a time, it need not wait
        mix = controls.update(mix, 2)
    assert mix == Mix(gains={"vocals": -3, "bass": -1}, muted=frozenset({"other"}))
    assert lines.all == ["'@2 mute bass': 5 commands wait for their time: left out"]
    assert lines.wrong == lines.all
    (tmp_path / "long.txt").write_bytes(commands)
    with (
        pytest.raises(HiphopssError, match=r"long\.txt: 5 commands or more: name a shorter"),
        Controls(Mix(), path=tmp_path / "long.txt"),
    ):
        pass
