"""Draw the pictures of docs/listening.md, and make its table. By hand, since it takes minutes.

    hiphopss generate songs --set loops
    python tests/listening.py songs --before OLD.weights.h5 -o docs

separates generated songs with older weights and with the shipped ones, each without loops and with
them, and writes ``listening-stems.png`` and ``listening-attack.png``, an excerpt of one song, and
``listening.txt``, the table of measures as Markdown.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from helpers.listening import looped_stems, plain_stems

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.datasets.songs import read_songs
from hiphopss.datasets.stems import read_exact, read_mixture
from hiphopss.demo.drawing import spectrogram
from hiphopss.eval.artefacts import clicks, level_steps, musical_noise
from hiphopss.eval.baselines.bounds import ideal_ratio_masked
from hiphopss.separation.separator import Separator

RATE = SignalConfig().sample_rate
BEFORE, BEFORE_LOOPS = "weights before", "weights before, with loops"
AFTER, AFTER_LOOPS = "weights now", "weights now, with loops"
IDEAL, TRUE, MIXTURE = "ideal ratio mask", "true stems", "mixture"
RANGE_DB = 60
HOP_WITHOUT_LOOPS = 2048  # samples; borders of songs without loops are as far apart as with
ATTACK_S = 0.4
STYLE = {"font.family": "DejaVu Sans", "font.size": 8, "axes.linewidth": 0.6}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("songs", type=Path, help="generated songs, in the layout of DSD100")
    parser.add_argument("--before", type=Path, required=True, help="the older weights")
    parser.add_argument("--after", type=Path, help="newer weights; by default the shipped ones")
    parser.add_argument("-n", type=int, help="number of songs in the table (all)")
    parser.add_argument("--song", type=int, default=4, help="number of the song drawn, from 1")
    parser.add_argument("--start", type=float, default=30.0, help="of the excerpt, in seconds")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of the excerpt")
    parser.add_argument("-o", "--out", type=Path, default=Path("docs"))
    args = parser.parse_args()
    networks = [Separator.from_weights(args.before), Separator.from_weights(args.after)]
    songs = read_songs(args.songs, ["Test"])
    rows = {}
    for number, song in enumerate(songs, 1):
        measured = args.n is None or number <= args.n
        if not measured and number != args.song:
            continue
        mixture, stems, borders = separated(song, networks)
        if number == args.song:
            span = slice(round(args.start * RATE), round((args.start + args.seconds) * RATE))
            draw_stems(mixture[span], {name: x[:, span] for name, x in stems.items()}, args)
            draw_attack({name: x[SOURCES.index("drums"), span] for name, x in stems.items()}, args)
        if measured:
            for name in stems:
                rows.setdefault(name, []).append(
                    measures(stems[name], stems[TRUE], mixture, borders)
                )
            print(f"{number}/{len(songs)} {song.name}", flush=True)
    if rows:
        (args.out / "listening.txt").write_text(table(rows), "utf-8")
        print(table(rows))


def separated(song, networks):
    """The mixture, stems by name `[shape=(4, n_samples)]`, and borders of blocks."""
    mixture = read_mixture(song).waveform
    true = read_exact(song.stems, *mixture.shape)
    mixture, true = mixture.mean(axis=1), true.mean(axis=2)
    ideal = ideal_ratio_masked(true[:, :, None], mixture[:, None], SignalConfig())[:, :, 0]
    stems = {MIXTURE: np.broadcast_to(mixture, true.shape)}
    for network, alone, looped in zip(
        networks, (BEFORE, AFTER), (BEFORE_LOOPS, AFTER_LOOPS), strict=True
    ):
        stems[alone] = plain_stems(network, mixture)
        stems[looped], borders = looped_stems(network, mixture)
    if not len(borders):
        borders = np.arange(1, len(mixture) // (16 * HOP_WITHOUT_LOOPS)) * 16 * HOP_WITHOUT_LOOPS
    return mixture, stems | {IDEAL: ideal, TRUE: true}, borders


# the table


def measures(stems, true, mixture, borders):
    """Clicks, musical noise, excess of steps and its standard error `[shape=(4, 4)]`."""
    found = []
    for stem, wanted in zip(stems, true, strict=True):
        itself = stem is wanted or np.array_equal(stem, wanted)
        others = [mixture] if itself else [mixture, wanted]
        steps = level_steps(stem, mixture if itself else wanted, borders)
        minutes = len(stem) / RATE / 60
        noise = musical_noise(stem, wanted, mixture)
        found.append(
            (len(clicks(stem, *others)) / minutes, noise, steps.excess, steps.standard_error)
        )
    return np.array(found).T


def table(rows):
    lines = [
        f"| | clicks a minute | musical noise, {', '.join(SOURCES)} | level steps, dB |",
        "|---|---:|---:|---:|",
    ]
    for name, songs in rows.items():
        clicked, noise, excess, error = np.stack(songs, axis=1)
        noise = " ".join(f"{x:+.2f}" for x in np.nanmean(noise, axis=0))
        error = np.sqrt(np.square(error).sum()) / error.size
        clicked = "" if name == TRUE else f"{clicked.sum(axis=1).mean():.1f}"
        lines.append(f"| {name} | {clicked} | {noise} | {excess.mean():+.2f} ± {error:.2f} |")
    return "\n".join(lines) + "\n"


# the pictures


def draw_stems(mixture, stems, args):
    """The mixture, and each stem before, after and true."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    columns = [BEFORE, AFTER, AFTER_LOOPS, TRUE]
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 9.5), layout="constrained")
        panels = figure.subplots(1 + len(SOURCES), len(columns), sharex=True, sharey=True)
        for axes in panels[0]:
            axes.set_axis_off()
        panels[0, 0].set_axis_on()
        panels[0, 0].set_title(MIXTURE)
        panels[0, 0].set_ylabel("Hz")
        show(panels[0, 0], mixture, args)
        for row, source in enumerate(SOURCES):
            top = None  # that of the true stem, for all columns
            for axes, name in zip(panels[1 + row, ::-1], columns[::-1], strict=True):
                top = show(axes, stems[name][row], args, top)
                if row == 0:
                    axes.set_title(name)
            panels[1 + row, 0].set_ylabel(f"{source}, Hz")
        for axes in panels[-1]:
            axes.set_xlabel("seconds")
        save(figure, args.out / "listening-stems.png")


def save(figure, path):
    """Write a PNG of few colours, a quarter as large as one of all."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=100, format="png", metadata={"Software": None})
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(96).save(path, optimize=True)


def show(axes, samples, args, top=None):
    """Draw a spectrogram over mel frequency; returns its brightest level, or that given."""
    levels = spectrogram([samples[:, None]], len(samples), RATE)
    top = levels.max() if top is None else top
    place = (args.start, args.start + args.seconds, 0, levels.shape[1])
    look = {"cmap": "magma", "aspect": "auto", "origin": "lower", "extent": place}
    axes.imshow(levels.T, vmin=top - RANGE_DB, vmax=top, **look)
    hertz = np.array([100, 500, 1000, 2000, 5000, 10000])
    mel = 2595 * np.log10(1 + np.array([30, RATE / 2, *hertz]) / 700)
    axes.set_yticks((mel[2:] - mel[0]) / (mel[1] - mel[0]) * levels.shape[1], hertz)
    return top


def draw_attack(drums, args):
    """The waveform of the drums around their strongest attack."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    power = np.square(drums[TRUE]).reshape(-1)
    frames = power[: len(power) // 441 * 441].reshape(-1, 441).sum(axis=1)
    rise = frames[3:-100] / (frames[:-103] + frames[1:-102] + 0.01 * frames.max())
    first = max(0, (int(rise.argmax()) + 3) * 441 - round(0.06 * RATE))
    span = slice(first, first + round(ATTACK_S * RATE))
    names = [BEFORE, AFTER, AFTER_LOOPS, TRUE]
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 5.2), layout="constrained")
        panels = figure.subplots(len(names), 1, sharex=True, sharey=True)
        at = args.start + np.arange(span.start, span.stop) / RATE
        for axes, name in zip(panels, names, strict=True):
            axes.plot(at, drums[name][span], linewidth=0.5, color="#0072B2")
            axes.set_title(f"drums: {name}", loc="left")
        panels[-1].set_xlabel("seconds")
        save(figure, args.out / "listening-attack.png")


if __name__ == "__main__":
    main()
