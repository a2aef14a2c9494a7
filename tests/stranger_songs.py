"""Make ten songs that neither the generated sets nor the training of the default weights resemble.

    python tests/stranger_songs.py ROOT

Five are rapped and five sung, 30 s each, in DSD100's layout (subset Test), for ``hiphopss
evaluate``. Voices (flite: awb, rms, slt), drum kits (Hydrogen's, GPL) and soundfonts (TimGM6mb,
MuseScore's) are not among what the default weights heard, and the writing is another: Euclidean
rhythms, other progressions, other levels. It needs Debian's packages flite, hydrogen-drumkits,
timgm6mb-soundfont and musescore-general-soundfont, and the extra ``train-default``. The sound of
these songs isn't part of the project, because of the kits' licence.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfilt

from hiphopss.weights.default.soundfont import Played, play

RATE, SECONDS = 44100, 30
N = RATE * SECONDS
KITS = Path("/usr/share/hydrogen/data/drumkits")
FONTS = (
    Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
    Path("/usr/share/sounds/sf3/MuseScore_General_Full.sf3"),
)
BEATS = (  # kick, snare, hat, other hits
    ("TR808EmulationKit", ("Kick", "Snare", "Hat_Closed", "Conga")),
    ("HardElectro1", ("PowR_BD", "Clap_1", "CHH_1", "PowR_SN")),
    ("ElectricEmpireKit", ("Kick_Low", "Snare", "Hat_Cl", "Conga")),
    ("VariBreaks", ("Kick", "Snare", "Hat", "Tom")),
)
ACOUSTIC = (
    ("The Black Pearl 1.0", ("PearlKick-Hard", "PearlSnare-Hard", "PaisteRide-Med", "Cowbell-Med")),
    ("GMRockKit", ("Kick", "Snare", "HatClosed-Med", "Tom")),
    ("ColomboAcousticDrumkit", ("bassdrum", "snare", "hihat-closed", "tom")),
    ("Millo-Drums_v.1", ("bd", "snare", "closehihat", "tom")),
)
VOICES = ("awb", "rms", "slt")
# "The Raven" (1845) and "The Tyger" (1794)
LINES = [
    "Once upon a midnight dreary, while I pondered, weak and weary",
    "Over many a quaint and curious volume of forgotten lore",
    "While I nodded, nearly napping, suddenly there came a tapping",
    "As of some one gently rapping, rapping at my chamber door",
    "Ah, distinctly I remember it was in the bleak December",
    "And each separate dying ember wrought its ghost upon the floor",
    "Deep into that darkness peering, long I stood there wondering, fearing",
    "Doubting, dreaming dreams no mortal ever dared to dream before",
    "Tiger, tiger, burning bright in the forests of the night",
    "What immortal hand or eye could frame thy fearful symmetry",
    "In what distant deeps or skies burnt the fire of thine eyes",
    "On what wings dare he aspire, what the hand dare seize the fire",
]
CHORDS = ((9, 5, 0, 7), (0, 9, 2, 7), (2, 7, 0, 0), (9, 9, 4, 4), (0, 10, 5, 0))
LEVELS = {  # dB of the rapped and the sung songs' stems, and how much they vary
    "vocals": (0.0, 0.0),
    "bass": (1.5, -1.0),
    "drums": (2.0, 1.5),
    "other": (-4.0, 0.5),
}
SPREAD = 2.0


def euclid(n_hits, n_steps=16, shift=0):
    """The steps of a rhythm as even as it can be."""
    return [(i * n_steps // n_hits + shift) % n_steps for i in range(n_hits)]


def add(out, x, seconds, gain=1.0):
    start = max(int(seconds * RATE), 0)
    n = min(len(x), N - start)
    if n > 0:
        out[start : start + n] += gain * x[:n]


def low_pass(x, hz):
    return sosfilt(butter(2, hz, "lowpass", fs=RATE, output="sos"), x)


def at_speed(x, factor):
    return np.interp(np.arange(0, len(x) - 1, factor), np.arange(len(x)), x)


def say(text, voice, stretch):
    """Speech at 44.1 kHz without the silence at its ends."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch}"]
        subprocess.run([*command, "-t", text, "-o", file.name], check=True, capture_output=True)
        x, rate = soundfile.read(file.name)
    x = at_speed(x, rate / RATE)
    loud = np.flatnonzero(np.abs(x) > 0.02 * np.abs(x).max())
    return x[loud[0] : loud[-1] + 1] / np.abs(x).max()


def pitch_of(x):
    """Hz of a voice, from the autocorrelation of a word's loudest tenth of a second."""
    n = RATE // 10
    start = int(np.argmax(np.convolve(x**2, np.ones(n), "valid"))) if len(x) > n else 0
    piece = x[start : start + n] * np.hanning(len(x[start : start + n]))
    spectrum = np.abs(np.fft.rfft(piece, 4 * n)) ** 2
    likeness = np.fft.irfft(spectrum)
    first, last = RATE // 300, RATE // 70
    return RATE / (first + int(np.argmax(likeness[first:last])))


def rapped(rng, bar, voice):
    out = np.zeros(N)
    speed = rng.uniform(0.88, 1.1)
    for i, start in enumerate(np.arange(bar * rng.integers(1, 3), SECONDS, bar)):
        if i % 8 == 7:
            continue
        x = at_speed(say(LINES[(i + rng.integers(2)) % len(LINES)], voice, 0.72), speed)
        x = at_speed(x, max(1.0, len(x) / RATE / bar * 0.97))
        add(out, x, start)
    return out


def sung(rng, bar, voice, root):
    """Every word a note: each is held by repeating its loudest period, and tuned by its speed."""
    out = np.zeros(N)
    scale = [root + step for step in (0, 2, 4, 7, 9, 12)]
    for i, start in enumerate(np.arange(bar, SECONDS, 2 * bar)):
        words = LINES[i % len(LINES)].split()[:9]
        place = 2
        for word, time in zip(words, np.linspace(0, 1.75 * bar, len(words)), strict=True):
            x = say(word.strip(","), voice, 1.5)
            place = int(np.clip(place + rng.integers(-1, 2), 0, len(scale) - 1))
            hz = 440 * 2 ** ((scale[place] + 45 - 69) / 12)
            ratio = 2 ** ((np.log2(hz / pitch_of(x)) + 0.5) % 1 - 0.5)  # the nearest octave
            vibrato = 1 + 0.012 * np.sin(2 * np.pi * 5.3 * np.arange(int(len(x) / ratio)) / RATE)
            places = np.minimum(np.cumsum(ratio * vibrato), len(x) - 1)
            add(out, np.interp(places, np.arange(len(x)), x), start + time)
    return out


def shots_of(kit, names):
    folder = KITS / kit
    found = []
    for name in names:
        x, rate = soundfile.read(sorted(folder.glob(f"*{name}*"))[0], always_2d=True)
        x = at_speed(x.mean(axis=1), rate / RATE)
        found.append(x / np.abs(x).max())
    return found


def drums(rng, bar, kit, played):
    kick, snare, hat, extra = shots_of(*kit)
    out = np.zeros(N)
    kicks = euclid(int(rng.choice([2, 3, 5])))
    hats = euclid(int(rng.choice([8, 11, 16])))
    extras = euclid(int(rng.choice([3, 5, 7])), shift=int(rng.integers(16)))
    for i, start in enumerate(np.arange(0, SECONDS, bar)):
        late = rng.normal(0, 0.006 if played else 0.0, 64)
        for sound, steps, gain in (
            (kick, kicks, 1.0),
            (snare, (4, 12), 0.8),
            (hat, hats, 0.3),
            (extra, extras if i % 4 == 3 else (), 0.4),
        ):
            for step in steps:
                add(out, sound, start + step * bar / 16 + late[step], gain * rng.uniform(0.8, 1))
    return np.tanh(1.5 * out)


def accompaniment(rng, bar, root, played):
    """Bass and chords of a soundfont."""
    font = FONTS[int(rng.integers(2))]
    chords = CHORDS[int(rng.integers(len(CHORDS)))]
    low, high, second = [], [], []
    rhythm = sorted(euclid(int(rng.choice([3, 5, 6]))))
    for i, start in enumerate(np.arange(0, SECONDS, bar)):
        chord = root + chords[i % 4]
        third = 3 if chords[i % 4] in (9, 2, 4) else 4
        for step in rhythm:
            low.append(Played(start + step * bar / 16, bar / 7, 28 + chord % 12, 100))
        for step in euclid(int(2 + i % 3), shift=2):
            for above in (0, third, 7, 10 if not played else 12):
                time = start + step * bar / 16
                high.append(
                    Played(time, bar / 4, 55 + chord % 12 + above, int(rng.uniform(60, 100)))
                )
        second += [
            Played(start + k * bar / 6, bar / 6, 67 + (chord + (0, third, 7)[k % 3]) % 12, 70)
            for k in range(6)
        ]
    bass = play(font, low, int(rng.choice([33, 34] if played else [38, 39, 32])))
    programs = [29, 27, 18, 0, 48] if played else [4, 11, 7, 89, 26]
    chosen = rng.choice(programs, 2, replace=False)
    other = play(font, high, int(chosen[0])) + 0.7 * play(font, second, int(chosen[1]))
    return bass, other if played else low_pass(other, rng.uniform(2500, 9000))


def level_of(x):
    power = np.mean(x[: N // 4410 * 4410].reshape(-1, 4410) ** 2, axis=1)
    return np.sqrt(power[power > 1e-3 * power.max()].mean())


def room(x, rng):
    n = int(RATE * rng.uniform(0.3, 1.0))
    tail = rng.standard_normal(n) * np.exp(-6.9 * np.arange(n) / n)
    wet = np.fft.irfft(np.fft.rfft(x, 2**21) * np.fft.rfft(low_pass(tail, 6000), 2**21))[:N]
    return x + 0.15 * wet * np.sqrt(np.mean(x**2) / np.mean(wet**2))


def make_song(number):
    rng = np.random.default_rng([77, number])
    played = number >= 5
    bar = 240 / rng.uniform(*((95, 150) if played else (78, 104)))
    root = int(rng.integers(12))
    voice = VOICES[number % len(VOICES)]
    kits = ACOUSTIC if played else BEATS
    vocals = sung(rng, bar, voice, root) if played else rapped(rng, bar, voice)
    bass, other = accompaniment(rng, bar, root, played)
    stems = {
        "vocals": room(vocals, rng),
        "bass": bass,
        "drums": drums(rng, bar, kits[number % len(kits)], played),
        "other": room(other, rng),
    }
    for stem, levels in LEVELS.items():
        gain = 10 ** ((-21 + levels[played] + rng.normal(0, SPREAD)) / 20)
        stems[stem] = stems[stem] / level_of(stems[stem]) * gain
    peak = np.abs(sum(stems.values())).max()
    return {stem: x * min(1, 0.98 / peak) for stem, x in stems.items()}


def main(root):
    for number in range(10):
        stems = make_song(number)
        name = f"{number:03d} - Stranger"
        sources, mixtures = (root / kind / "Test" / name for kind in ("Sources", "Mixtures"))
        sources.mkdir(parents=True)
        mixtures.mkdir(parents=True)
        for stem, x in stems.items():
            soundfile.write(sources / f"{stem}.wav", x, RATE, subtype="PCM_16")
        soundfile.write(mixtures / "mixture.wav", sum(stems.values()), RATE, subtype="PCM_16")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
