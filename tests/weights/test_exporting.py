"""Networks for other programs: the formats, and the programs of their page."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.networks import masks_of

from hiphopss import PRESETS, SOURCES, HiphopssError, SignalConfig, separate
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import array_shapes
from hiphopss.util.keras_backend import import_keras
from hiphopss.weights.exporting import onnx_format, web_format
from hiphopss.weights.exporting.export import export_weights
from hiphopss.weights.exporting.facts import facts_of
from hiphopss.weights.exporting.formats import FORMATS
from hiphopss.weights.exporting.parity import difference_db, sample_patches
from hiphopss.weights.files import WeightsInfo, network_arrays, save_weights

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
SMALL = SignalConfig(frame=256, hop=128, window="hann", scale=0.5, context=20, overlap=15)


def require(name):
    """Skip where what a format needs isn't installed; the extra `dev` has it."""
    missing = [package for package in FORMATS[name].needs if find_spec(package) is None]
    if missing:
        pytest.skip(f"{name}: {', '.join(missing)} not installed")
    if name == "litert" and import_keras().backend.backend() != "tensorflow":
        pytest.skip("litert: TensorFlow makes it, and is not Keras's backend here")


@pytest.fixture(scope="module")
def small(keras, tmp_path_factory):
    """Weights with both wirings of the released code (Q1, Q8), and what a record can tell."""
    from hiphopss.network.model import build_model

    model = build_model("released", config=SMALL, seed=3)
    rng = np.random.default_rng(4)
    model.set_weights(
        [w if w.any() else rng.uniform(-0.05, 0.1, w.shape) for w in model.get_weights()]
    )
    path = tmp_path_factory.mktemp("small") / "é.weights.h5"
    made = {"data": [{"set": "MUSDB18", "licence": "non-commercial"}], "released_test_leak": True}
    info = save_weights(path, model, config=SMALL, fidelity=PRESETS["released"], provenance=made)
    return path, info, NumpyNetwork(network_arrays(model), SMALL, PRESETS["released"])


def programs():
    """The page's programs: the one for ONNX, and what others change in it."""
    first, *others = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found = {"onnx": first}
    for name, other in zip(("litert", "keras"), others, strict=True):
        imported, load = other.split("\n\n\n")
        text = first.replace("import onnxruntime", imported)
        found[name] = re.sub(r"def load\(.*?\n\n\n", f"{load}\n\n", text, flags=re.DOTALL)
    return found


@pytest.mark.parametrize("name", ["onnx", "litert", "keras"])
def test_the_page_says_how_to_separate_without_hiphopss(
    name, keras, published, tmp_path, monkeypatch
):
    require(name)
    rng = np.random.default_rng(1)
    song = 0.1 * rng.standard_normal((50000, 2)) * np.linspace(0, 1, 50000)[:, None] ** 2
    song += 0.2 * np.sin(np.outer(np.arange(50000), (0.02, 0.05)))
    soundfile.write(tmp_path / "song.wav", song, 44100, subtype="FLOAT")
    weights = published if name == "litert" else "default"  # three decoders, and four
    path = tmp_path / f"net{FORMATS[name].suffix}"
    export_weights(weights, path)

    program = programs()[name]
    assert "hiphopss" not in program
    assert program.count("def load(") == 1
    arguments = [str(path), str(tmp_path / "song.wav")]
    if name == "onnx":  # the others would take seconds to import their libraries again
        subprocess.run([sys.executable, "-c", program, *arguments], cwd=tmp_path, check=True)
    else:
        monkeypatch.setattr(sys, "argv", ["separate.py", *arguments])
        exec(program, {"__name__": "__main__"})
    song = soundfile.read(tmp_path / "song.wav", dtype="float32")[0]
    for source, expected in separate(song, 44100, weights=weights, loops="off").items():
        stem = soundfile.read(tmp_path / f"song.{source}.wav", dtype="float32")[0]
        # Both compute in single precision: -120 dB here; a patch that is a frame late gives -40.
        assert 10 * np.log10(np.mean((stem - expected) ** 2) / np.mean(song**2)) < -100
    assert len(list(tmp_path.glob("song.*.wav"))) == len(SOURCES)


@pytest.mark.parametrize("name", ["onnx", "keras", "web"])
def test_other_settings_and_wirings_have_the_engines_masks(name, small, tmp_path):
    require(name)
    weights, info, engine = small
    form = FORMATS[name]
    made = export_weights(weights, tmp_path / f"net{form.suffix}", format=name)
    patches = np.random.default_rng(5).gamma(0.3, 0.5, (3, 20, 129)).astype(np.float32)
    found, expected = form.writer().masks_of(made.path)(patches), masks_of(engine, patches)
    assert found.shape == (3, 4, 20, 129)
    assert difference_db(found, expected, patches) < -110  # rounding gives some -140
    assert made.difference_db < -110

    if name == "onnx":
        told = {key: json.loads(text) for key, text in onnx_facts(made.path).items()}
        assert made.facts is None
    elif name == "web":
        told = web_header(made.path)
        assert made.facts is None
        assert told.pop("config") == asdict(SMALL)
        assert told.pop("fidelity") == asdict(PRESETS["released"])
        assert told.pop("decoders") == [0, 1, 2, 1]  # Q1
        assert told.pop("loops") is None  # as the released code
        assert all(array["offset"] % 4 == 0 for array in told.pop("arrays"))
    else:
        assert made.facts == tmp_path / "net.keras.json"
        told = json.loads(made.facts.read_text("utf-8"))
    assert told.pop("made_by").startswith("hiphopss ")
    assert told == {
        **{"sources": list(SOURCES), "sample_rate": 44100, "fft_size": 256, "hop": 128},
        **{"window": "hann", "window_symmetric": True, "magnitude_scale": 0.5 / 16},
        **{"patch_frames": 20, "patch_overlap": 15, "preset": "released"},
        **{"weights": "é.weights.h5", "weights_sha256": info.sha256},
        **{"trained_on": info.provenance["data"], "trained_on_test_songs": True},
    }


def web_header(path):
    """As the page's documentation describes it."""
    content = path.read_bytes()
    assert content[:12] == b"HIPHOPSS\1\0\0\0"
    assert content[12:44] == hashlib.sha256(content[44:]).digest()
    n_bytes = int.from_bytes(content[44:48], "little")
    assert n_bytes % 16 == 0
    return json.loads(content[48 : 48 + n_bytes])


def onnx_facts(path):
    import onnx

    model = onnx.load(path)
    assert (model.ir_version, model.opset_import[0].version) == (7, 13)
    return {entry.key: entry.value for entry in model.metadata_props}


def test_equal_weights_give_equal_files_without_the_time(small, tmp_path):
    require("onnx")
    for number in range(2):
        export_weights(small[0], tmp_path / f"{number}.onnx")
        export_weights(small[0], tmp_path / f"{number}.bin")
    assert (tmp_path / "0.onnx").read_bytes() == (tmp_path / "1.onnx").read_bytes()
    assert (tmp_path / "0.bin").read_bytes() == (tmp_path / "1.bin").read_bytes()
    export_weights(small[0], tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as archive:
        assert set(json.loads(archive.read("metadata.json"))) == {"keras_version"}
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        assert b"hiphopss>" not in archive.read("config.json")  # a layer that Keras lacks


WRONG = {
    "three sources": lambda masks: masks[:, :3],
    "one patch, whatever the batch": lambda masks: masks[:1],
    "not finite": lambda masks: masks * np.nan,
    "sources swapped": lambda masks: masks[:, [1, 0, 2, 3]],
    "slightly off": lambda masks: masks * 1.001,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_network_that_computes_something_else_is_not_written(wrong, small, tmp_path, monkeypatch):
    require("onnx")
    masks_of = onnx_format.masks_of

    def changed(path):
        masks = masks_of(path)
        return lambda patches: WRONG[wrong](masks(patches))

    monkeypatch.setattr(onnx_format, "masks_of", changed)
    with pytest.raises(HiphopssError, match=r"net\.onnx: not written, as its masks "):
        export_weights(small[0], tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_differences_are_those_of_the_worst_estimate():
    patches = sample_patches(SMALL)[-2:]  # the last one is silence
    masks = np.full((2, 4, 20, 129), 0.25)
    assert difference_db(masks, masks, patches) == -200
    other = masks.copy()
    other[:, 2] += 0.01
    other[1] = 7  # can't be heard
    assert difference_db(other, masks, patches) == pytest.approx(-40, abs=2)
    masks[0, 3, 7, 20:22] = 1  # two of 2580 points
    assert difference_db(other, masks, patches) == pytest.approx(-40, abs=2)
    masks[0, 3, 7] = 1  # a whole frame
    assert difference_db(other, masks, patches) > -30
    other[1, 0, 0, 0] = np.nan
    assert difference_db(other, masks, patches) == np.inf


def test_what_hinders_an_export_is_one_line(small, tmp_path, monkeypatch, run):
    def refused(file, *options):
        status, out, told = run("weights", "export", small[0], "-o", file, *options)
        assert (status, out) == (2, "")
        return told.removeprefix("hiphopss: error: ")

    assert refused("net.h5") == ("net.h5: rename it to end in .keras or .onnx or .tflite or .bin\n")
    assert refused("net.onnx", "--format", "keras") == "net.onnx: rename it to end in .keras\n"
    with pytest.raises(HiphopssError, match="'h5': choose one of keras, onnx, litert, web"):
        export_weights(small[0], tmp_path / "net.onnx", format="h5")
    told = refused("net.onnx", "--format", "h5")
    assert f"choose one of {', '.join(FORMATS)}: " in told
    for there, asked in (("a.onnx", "a.onnx"), ("a.keras.json", "a.keras")):
        (tmp_path / there).write_text("mine")
        told = refused(tmp_path / asked)
        assert told == f"{tmp_path / there}: is there already: name another file, or remove it\n"
    monkeypatch.setattr("hiphopss.util.extras.is_installed", lambda name: False)
    told = refused(tmp_path / "b.tflite")
    assert told.startswith("exporting .tflite files: needs the extra 'export' of hiphopss: pip ")
    for package in ("keras", "tensorflow", "ai-edge-litert"):
        assert f' "{package}>=' in told
    assert "onnxruntime" in refused(tmp_path / "b.onnx")


@pytest.mark.parametrize(
    ("config", "fidelity", "said"),
    [
        (replace(SMALL, frame=200, hop=100), PRESETS["corrected"], "power of two, .* 200 samples"),
        (SMALL, replace(PRESETS["corrected"], standalone_separation=True), r"script \(Q6\): use"),
    ],
)
def test_what_the_page_can_not_compute_is_refused(config, fidelity, said, tmp_path):
    rng = np.random.default_rng(6)
    shapes = array_shapes(config, fidelity)
    arrays = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    path = tmp_path / "net.bin"
    with pytest.raises(HiphopssError, match=rf"net\.bin: not written, as the page .*{said}"):
        web_format.write(path, NumpyNetwork(arrays, config, fidelity), {})
    assert not path.exists()


def test_the_command_tells_how_close_it_is(small, tmp_path, run):
    require("onnx")
    status, out, told = run("weights", "export", small[0], "-o", tmp_path / "net.onnx")
    assert (status, told) == (0, "")
    path, difference = out.splitlines()
    assert path == str(tmp_path / "net.onnx")
    assert -200 < float(re.search(r"at most (-\d+\.\d) dB apart", difference)[1]) < -100


def test_the_page_lists_the_facts_with_their_values(small):
    page = PAGE.read_text("utf-8")
    info = WeightsInfo(SignalConfig(), PRESETS["corrected"])
    for name, value in facts_of(info, small[0]).items():
        (row,) = re.findall(rf"^\|.*`{name}`.*", page[page.index("| name |") :], re.MULTILINE)
        if not name.startswith(("weights", "preset", "trained", "made")):
            assert json.dumps(value) in row
