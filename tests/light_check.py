"""Each verb with the light installation: it works, or names what it lacks in one line.

``python light_check.py`` runs them all in an empty working directory, and tells what is wrong. With
``--without``, the modules of all extras are missing as if they were not installed.
"""

import contextlib
import io
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import numpy as np
import soundfile

WORK = (  # in this order: some read what those before have written
    "separate song.wav -o stems -q",
    "remix stems/song -o mix.wav --mute vocals -q",
    "live --input song.wav --output live.wav -q",
    "evaluate references stems -o scores.csv -q --jobs 2",
    "evaluate references stems -o mdx.csv -q --jobs 1 --protocol mdx",
    "compare stems --references references -o compared.csv -q --jobs 1",
    "weights list",
    "weights info generated",
    "features songs -o f.h5 -q",
    "audition f.h5",
    "verify scores.csv",
    "separate song.wav -o other -q --format flac --two-stems vocals --json",
    "watch references watched --once -q",
    "env",
    "completion bash",
)

NEED = {
    "train f.h5 -o m.weights.h5 -q": ("train", "keras", "tensorflow"),
    "adapt songs -o m.weights.h5 -q": ("train", "keras", "tensorflow"),
    "weights convert model.weights.h5 again.weights.h5": ("train", "keras", "tensorflow"),
    "weights export generated -o net.onnx": ("export", "onnx", "onnxruntime"),
    "reproduce -o run -q": ("train", "tensorflow", "scikit-learn", "matplotlib", "espeakng-loader"),
    "reproduce -o run -q --ablate": ("reproduce", "tensorflow", "scikit-learn", "matplotlib"),
    "demo --port 0 -q": ("demo", "starlette", "uvicorn", "h11", "matplotlib"),
    "demo --export site -q": ("generate", "matplotlib", "espeakng-loader"),
    "generate made -q": ("generate", "espeakng-loader"),
    "download hhds HHDS -q": ("reproduce", "requests"),
    "evaluate references stems -o m.csv --engine mir_eval -q": ("reproduce", "mir_eval"),
    "evaluate references stems -o m.csv --nmf songs -q": ("reproduce", "scikit-learn"),
    "evaluate references stems -o m.csv --dask tcp://127.0.0.1:9 -q": ("dask", "distributed"),
    "compare stems --references references --with sisec2016 -o m.csv": ("reproduce", "matplotlib"),
    "live --list-devices": ("live", "sounddevice"),
    "live --input song.wav --output device -q": ("live", "sounddevice"),
}
"""Commands that need an extra, its name, and packages that the message has to name."""


class Nothing(MetaPathFinder):
    """Finds none of the modules of the extras."""

    def __init__(self):
        from hiphopss.util.extras import extras

        self.names = {name for packages in extras().values() for name in packages}

    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def write_songs():
    """What the commands read: a second of noise as song, as stems, and as a data set."""
    stems = 0.1 * np.random.default_rng(0).standard_normal((4, 44100))
    folders = [Path("references", "song")]
    for subset in ("Dev", "Test"):
        folders += [Path("songs", kind, subset, subset) for kind in ("Sources", "Mixtures")]
    for folder in folders:
        folder.mkdir(parents=True)
        for name, stem in zip(("vocals", "bass", "drums", "other"), stems, strict=True):
            if "Mixtures" not in folder.parts:
                soundfile.write(folder / f"{name}.wav", stem, 44100)
        if "Sources" not in folder.parts:
            soundfile.write(folder / "mixture.wav", stems.sum(axis=0), 44100)
    soundfile.write("song.wav", stems.sum(axis=0), 44100)
    import hiphopss.weights

    shipped = Path(hiphopss.weights.__file__).with_name("generated.weights.h5")
    Path("model.weights.h5").write_bytes(shipped.read_bytes())


def answer(command):
    """Exit status of a command, or what it raised, and what it wrote to standard error."""
    from hiphopss.cli import main

    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        try:
            status = main(command.split())
        except SystemExit as stop:
            status = stop.code
        except Exception as error:
            status = repr(error)
    return status, errors.getvalue()


def wrong():
    """Say of each command that does not do as it should what it does."""
    for command in WORK:
        status, errors = answer(command)
        if status != 0:
            yield f"{command}: {status}: {errors}"
    for command, (extra, *packages) in NEED.items():
        status, errors = answer(command)
        install = errors.partition(": pip install ")[2]
        named = {word.strip('"').partition(">")[0] for word in install.split() if word[0] == '"'}
        lines = all(line.startswith("hiphopss: ") for line in errors.splitlines())
        if status != 2 or not lines or not {*packages} <= named:
            yield f"{command}: {status}: {errors}"
        elif repr(extra) not in errors:
            yield f"{command}: does not name {extra}: {errors}"


if __name__ == "__main__":
    if "--without" in sys.argv:
        sys.meta_path.insert(0, Nothing())
    write_songs()
    found = list(wrong())
    print(f"light: {len(WORK)} commands work, {len(NEED)} name their extra")
    sys.exit("\n".join(found) or 0)
