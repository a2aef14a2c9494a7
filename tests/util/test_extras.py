"""Packages that are installed only where they are asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hiphopss
from hiphopss import HiphopssError
from hiphopss.util import extras
from hiphopss.util.keras_backend import require_keras

ROOT = Path(__file__).parents[2]


def test_with_the_light_installation_each_verb_works_or_names_its_extra(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "light_check.py", "--without"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("light: ")


@pytest.fixture
def only(monkeypatch):
    """Make all modules of the extras missing, except those that are named."""

    def only(*names):
        monkeypatch.setattr(extras, "is_installed", lambda module: module in names)
        monkeypatch.setattr(
            "hiphopss.util.keras_backend.is_installed", lambda module: module in names
        )

    return only


def test_the_line_names_what_is_missing_and_no_more(only):
    only("starlette", "h11")
    told = (
        "^demo: needs the extra 'demo' of hiphopss: pip install \"uvicorn>=0.30,<1\" "
        '"matplotlib>=3.9,<4", or else$'
    )
    with pytest.raises(HiphopssError, match=told):
        extras.require("demo", *extras.extras()["demo"], otherwise=", or else")
    extras.require("nothing", "starlette", "h11")


def test_several_extras_are_named_together(only):
    only()
    with pytest.raises(HiphopssError, match=r"^a: needs the extras 'train' and 'generate' of"):
        extras.require("a", "keras", "tensorflow", "espeakng_loader")


def test_the_backend_that_is_asked_for_is_named(only, monkeypatch):
    only("keras", "tensorflow")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    require_keras("train")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(HiphopssError, match=r"train: needs the extra 'jax' .*install \"jax>"):
        require_keras("train")
    only("keras", "jax")
    require_keras("train")
    monkeypatch.delenv("KERAS_BACKEND")
    with pytest.raises(HiphopssError, match=r'"tensorflow>.*", or set KERAS_BACKEND=jax$'):
        require_keras("train")


def test_only_what_is_missing_becomes_a_line(only):
    only()
    assert "extra 'dask'" in extras.line_of(ModuleNotFoundError(name="distributed.comm"))
    assert extras.line_of(ModuleNotFoundError(name="numpy")) is None
    assert extras.line_of(ImportError("broken")) is None
    only("distributed")
    assert extras.line_of(ImportError("a part is missing", name="distributed")) is None


def test_public_functions_say_it_too(tmp_path):
    code = (
        "import sys; sys.path.append(sys.argv[1]); import light_check; import hiphopss\n"
        "sys.meta_path.insert(0, light_check.Nothing())\n"
        "[getattr(hiphopss, name) for name in dir(hiphopss)]\n"
        "calls = ('build_model()', 'load_model(\"generated\")', 'serve(port=0)', 'list_devices()',"
        " 'generate(\"new\")', 'export_site(\"new\")', 'reproduce(\"new\")')\n"
        "for call in calls:\n"
        "    try: eval(f'hiphopss.{call}'); print(call)\n"
        "    except hiphopss.HiphopssError as error: assert ': pip install \"' in str(error), error"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, ROOT / "tests"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_extras_are_those_that_are_installed():
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        known = set(metadata("hiphopss").get_all("Provides-Extra"))
    except PackageNotFoundError:
        pytest.skip("hiphopss is not installed here")
    if "generate" not in known:
        pytest.skip("an older hiphopss is installed here")
    assert known == {*extras.extras(), "all", "dev", "docs"}
    assert hiphopss.__version__ == metadata("hiphopss")["Version"]
