"""Drums: sampled ("samples"), synthesised ("synth"), of the soundfont ("gm"), played ("played")."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from hiphopss.datasets.generated.effects import RATE, band, crush, normalise
from hiphopss.errors import HiphopssError
from hiphopss.weights.default.effects import (
    add_at,
    colour,
    drive,
    read_mono,
    repitch,
    room,
    squeeze,
)
from hiphopss.weights.default.facts import FACTS, Sources
from hiphopss.weights.default.plan import SECONDS, STEPS, Plan, random_for
from hiphopss.weights.default.soundfont import Played, play

PARTS = ("kick", "snare", "hat", "ohat", "perc", "crash")


@dataclass(frozen=True)
class Hit:
    """When a part is hit (seconds), and how hard (0..1)."""

    start: float
    part: str
    strength: float


def make_drums(number: int, kind: str, sources: Sources) -> np.ndarray:
    """One song's drums of a kind."""
    played = kind == "played"
    plan = Plan(number, "band" if played else "beat")
    rng = random_for(f"drums {kind}", number)
    hits = _groove(plan, rng) if played else _beat(plan, rng)
    mix = {part: rng.uniform(*FACTS["drums"]["levels"][part]) for part in PARTS}
    if kind in ("gm", "played"):
        x = _of_soundfont(hits, mix, kind, sources.soundfont, rng)
    else:
        x = _of_shots(hits, mix, kind, sources, rng)
    if rng.random() < (0.9 if played else 0.5):
        x = room(x, rng, (0.15, 0.9), (-28, -13))
    if not played and rng.random() < 0.3:  # an old sampler
        hold = rng.uniform(1.4, 2.2)
        places = (np.arange(len(x)) / hold).astype(int) * hold
        x = crush(normalise(x), 12)[places.astype(int)]
    if rng.random() < 0.6:
        x = squeeze(
            x,
            threshold=rng.uniform(-2, 8),
            ratio=rng.uniform(2, 6),
            attack=rng.uniform(0.001, 0.02),
            release=rng.uniform(0.05, 0.2),
        )
    return drive(colour(x, rng, 5), rng, (0.1, 2.0))


def _beat(plan: Plan, rng: np.random.Generator) -> list[Hit]:
    """A programmed pattern with fills, rests and ghost notes."""
    trap, every = rng.random() < 0.25, int(rng.choice([1, 2, 2, 2, 4]))
    kicks = {0, *rng.choice(STEPS, int(rng.integers(1, 5)), replace=False).tolist()}
    pattern = {
        "kick": sorted(kicks),
        "snare": [8] if trap and rng.random() < 0.5 else [4, 12],
        "hat": list(range(0, STEPS, every)),
    }
    if rng.random() < 0.35:
        pattern["ohat"] = [int(rng.choice([2, 6, 10, 14]))]
    if rng.random() < 0.4:
        pattern["perc"] = rng.choice(STEPS, int(rng.integers(1, 5)), replace=False).tolist()
    ghosts = [int(rng.choice([7, 9, 15]))] if rng.random() < 0.35 else []
    hits = []
    for bar in range(plan.bars):
        if bar and bar % 8 == 7 and rng.random() < 0.25:
            continue
        fill = bar % 4 == 3 and rng.random() < 0.5
        for part, steps in pattern.items():
            for step in steps:
                if rng.random() < 0.03 or (fill and step >= 12 and rng.random() < 0.5):
                    continue
                weak = part in ("hat", "ohat") and step % 4
                strength = rng.uniform(0.75, 1) * (0.55 if weak else 1)
                hits.append(Hit(plan.at(bar, step) + rng.normal(0, 0.004), part, strength))
                if part == "hat" and trap and rng.random() < 0.12:
                    third = plan.beat / 12
                    rolled = (Hit(plan.at(bar, step) + i * third, part, 0.7) for i in (1, 2))
                    hits += rolled
        hits += [Hit(plan.at(bar, step), "snare", rng.uniform(0.2, 0.45)) for step in ghosts]
        if fill:
            for step in (13, 14, 15):
                if rng.random() < 0.6:
                    part = str(rng.choice(["snare", "perc", "kick"]))
                    hits.append(Hit(plan.at(bar, step), part, rng.uniform(0.4, 0.9)))
        if bar % 8 == 0 and rng.random() < 0.3:
            hits.append(Hit(plan.at(bar, 0), "crash", rng.uniform(0.3, 0.7)))
    return hits


def _groove(plan: Plan, rng: np.random.Generator) -> list[Hit]:
    """What a drummer plays in a band: backbeats, loose timing, accents, fills on the toms."""
    every = int(rng.choice([2, 2, 2, 4]))
    loose = rng.uniform(0.003, 0.012)
    kicks = sorted({0, int(rng.choice([6, 8, 10])), *rng.choice([3, 7, 10, 14], 1).tolist()})
    cymbal = str(rng.choice(["hat", "hat", "ohat", "crash"], p=[0.4, 0.2, 0.3, 0.1]))
    hits = []

    def hit(bar: int, step: int, part: str, strength: float) -> None:
        hits.append(Hit(plan.at(bar, step) + rng.normal(0, loose), part, strength))

    for bar in range(plan.bars):
        fill = bar % 4 == 3 and rng.random() < 0.6
        end = int(rng.choice([8, 12])) if fill else STEPS
        for step in range(0, end, every):
            hit(bar, step, cymbal, rng.uniform(0.7, 1) * (1 if step % 4 == 0 else 0.65))
        for step in kicks:
            if step < end and rng.random() < 0.95:
                hit(bar, step, "kick", rng.uniform(0.75, 1))
        for step in (4, 12):
            if step < end:
                hit(bar, step, "snare", rng.uniform(0.8, 1))
        for step in range(1, end, 2):
            if rng.random() < 0.06:
                hit(bar, step, "snare", rng.uniform(0.15, 0.4))
        for step in range(end, STEPS):
            if rng.random() < 0.8:
                hit(bar, step, "perc" if step % 4 else "snare", rng.uniform(0.6, 1))
        if bar % 4 == 0 and rng.random() < 0.7:
            hit(bar, 0, "crash", rng.uniform(0.6, 1))
    return hits


def _of_soundfont(
    hits: list[Hit], mix: dict[str, float], kind: str, font: Path, rng: np.random.Generator
) -> np.ndarray:
    """Each part alone, so that the mix is the same as that of samples."""
    kit = int(rng.choice(FACTS["drums"][kind]["kits"]))
    x = np.zeros(int(SECONDS * RATE))
    for part in PARTS:
        keys = FACTS["drums"][kind]["keys"][part]
        key = int(rng.choice(keys))
        notes = []
        for hit in hits:
            if hit.part == part:
                if part == "perc" and kind == "played":  # toms, from high to low
                    key = int(rng.choice(keys))
                velocity = max(1, int(127 * hit.strength**0.5))
                notes.append(Played(max(hit.start, 0), 0.2, key, velocity))
        if notes:
            x += mix[part] * normalise(play(font, notes, kit, drums=True))
    return x


def _of_shots(
    hits: list[Hit],
    mix: dict[str, float],
    kind: str,
    sources: Sources,
    rng: np.random.Generator,
) -> np.ndarray:
    """One-shots at two strengths, some layered, some cut short."""
    layered = rng.random() < 0.4
    shots = {}
    for part in PARTS:
        shot = _shot(part, kind, sources, rng)
        if layered and part in ("kick", "snare"):
            second = rng.uniform(0.3, 0.8) * _shot(part, kind, sources, rng)
            n = max(len(shot), len(second))
            shot = np.pad(shot, (0, n - len(shot))) + np.pad(second, (0, n - len(second)))
        if rng.random() < 0.4:
            shot = shot[: int(RATE * rng.uniform(0.06, 0.5))]
            shot = shot * np.minimum(1, np.linspace(4, 0, len(shot)))
        shot = normalise(shot)
        shots[part] = shot, 0.5 * band(shot, high=3500, order=1)
    x = np.zeros(int(SECONDS * RATE))
    for hit in hits:
        hard, soft = shots[hit.part]
        sound = hit.strength * hard + (1 - hit.strength) * soft
        add_at(x, sound, hit.start, mix[hit.part] * hit.strength)
    return x


def _shot(part: str, kind: str, sources: Sources, rng: np.random.Generator) -> np.ndarray:
    if kind == "synth":
        x = _synthesised(part, rng)
    else:
        found = _samples(sources.samples, sources.kits)[part]
        x = found[int(rng.integers(len(found)))]
    return repitch(x, rng.uniform(0.8, 1.25))


@lru_cache(1)
def _samples(samples: Path, kits: Path) -> dict[str, list[np.ndarray]]:
    """The one-shots of each part, from the folders of samples and drum kits."""
    facts = FACTS["drums"]["samples"]
    found: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for part, names in facts["sonic_pi"].items():
        found[part] += [normalise(read_mono(samples / f"{name}.flac")) for name in names]
    for part, names in facts["audiophob"].items():
        found[part] += [normalise(read_mono(kits / "Audiophob" / name)) for name in names]
    unlabelled = sorted((kits / "rumpf_kit_z01_h2").glob("*.flac"))
    if not unlabelled:
        raise HiphopssError(
            f"{kits}: has no rumpf_kit_z01_h2: apt-get install hydrogen-drumkits, or name the "
            "folder of its kits with --kits"
        )
    for path in unlabelled:  # its names don't say what they are
        x = read_mono(path)
        if 2000 <= len(x) <= RATE:
            centre = _centre_of(x)
            part = "kick" if centre < 250 else "snare" if centre < 3500 else "hat"
            found[part].append(normalise(x))
    return found


def _centre_of(x: np.ndarray) -> float:
    """The mean frequency of a sound's first half second."""
    x = x[: RATE // 2]
    power = np.abs(np.fft.rfft(x)) ** 2
    return float(power @ np.fft.rfftfreq(len(x), 1 / RATE) / power.sum())


def _synthesised(part: str, rng: np.random.Generator) -> np.ndarray:
    """A drum of an analogue machine."""
    seconds = {"kick": rng.uniform(0.2, 0.7), "snare": 0.35, "perc": 0.3}
    closed, opened = rng.uniform(0.01, 0.05), rng.uniform(0.08, 0.3)
    decays = {"hat": closed, "ohat": opened, "crash": 0.5}
    n = int(RATE * seconds.get(part, 6 * decays.get(part, 0.0)))
    t = np.arange(n) / RATE
    if part == "kick":
        sweep = rng.uniform(60, 300) * np.exp(-t / rng.uniform(0.008, 0.04))
        phase = 2 * np.pi * np.cumsum(rng.uniform(38, 62) + sweep) / RATE
        x = np.sin(phase) * np.exp(-t / rng.uniform(0.05, 0.3))
        x[:200] += rng.uniform(0, 0.6) * rng.standard_normal(200) * np.linspace(1, 0, 200)
        return np.tanh(x * rng.uniform(1, 4))
    if part == "snare":
        tone = np.sin(2 * np.pi * rng.uniform(140, 260) * t) * rng.uniform(0.1, 1)
        noise = rng.standard_normal(n) * np.exp(-t / rng.uniform(0.03, 0.14))
        noise = band(noise, low=rng.uniform(300, 2500)) * rng.uniform(0.4, 1)
        return np.tanh(tone * np.exp(-t / rng.uniform(0.03, 0.1)) + noise)
    if part == "perc":
        return np.sin(2 * np.pi * rng.uniform(150, 1200) * t) * np.exp(-t / rng.uniform(0.02, 0.1))
    noise = rng.standard_normal(n) * np.exp(-t / decays[part])
    return 0.6 * band(noise, low=rng.uniform(4000, 9000), order=4)
