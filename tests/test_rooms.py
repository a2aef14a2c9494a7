"""The house: rooms, what each may import, and the public names. Read from the source alone."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BESIDE = ("datasets", "eval", "weights")  # rooms at the top level of the checkout
ALWAYS = {"config", "errors"}  # modules that every room may import


def folder_of(room):
    return ROOT / room if room in BESIDE else ROOT / "hiphopss" / room


ROOMS = sorted(
    {path.parent.name for path in (ROOT / "hiphopss").glob("*/__init__.py")} | set(BESIDE)
)


def modules():
    """Every module of the package by its import name, each once, with its file."""
    found = {}
    for room in ROOMS:
        for path in folder_of(room).rglob("*.py"):
            parts = ["hiphopss", room, *path.relative_to(folder_of(room)).with_suffix("").parts]
            found[".".join(part for part in parts if part != "__init__")] = path
    for path in (ROOT / "hiphopss").glob("*.py"):
        found["hiphopss" if path.stem == "__init__" else f"hiphopss.{path.stem}"] = path
    return found


MODULES = modules()


def imports(path):
    """The modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return {name for name in found if name in MODULES and name != "hiphopss"}


def room_of(module):
    return module.split(".")[1]


def allowed(room):
    """What the docstring of a room says that it may import."""
    text = ast.get_docstring(ast.parse((folder_of(room) / "__init__.py").read_text("utf-8")))
    sentence = re.search(r"May import (.*?)(?:\.\s|\.$|, but at)", text, re.DOTALL)[1]
    named = set(re.findall(r":mod:`hiphopss\.(\w+)`", sentence))
    return set(ROOMS) - named if "every" in sentence else named


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_its_docstring_allows(room):
    may = allowed(room) | ALWAYS | {room}
    for module, path in MODULES.items():
        if module.startswith(f"hiphopss.{room}."):
            strange = {name for name in imports(path) if room_of(name) not in may}
            assert not strange, f"{module} imports {sorted(strange)}"


def test_arrows_between_rooms_go_one_way():
    graph = {room: allowed(room) - {room} for room in ROOMS}
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises on a circle
    assert order[-1] == "cli"


def test_modules_import_one_another_in_no_circle():
    graph = {module: imports(path) - {module} for module, path in MODULES.items()}
    # What a package loads lazily from its own modules is no arrow, but importing it is.
    list(graphlib.TopologicalSorter(graph).static_order())


def test_the_keras_network_does_not_import_its_numpy_copy():
    for name in ("spec", "layers", "losses", "model"):
        found = imports(MODULES[f"hiphopss.network.{name}"])
        assert not found & {"hiphopss.network.forward", "hiphopss.network.streaming"}


def test_rooms_are_small():
    beside = [path.stem for path in (ROOT / "hiphopss").glob("*.py")]
    assert len(set(beside) - {"__init__", "__main__"}) <= 6
    for room in (folder_of(room) for room in ROOMS):
        for folder in (room, *(path.parent for path in room.glob("*/__init__.py"))):
            assert len([path for path in folder.glob("*.py") if path.stem != "__init__"]) <= 14


def test_links_make_every_path_an_import_name():
    links = {name: ROOT / "hiphopss" / name for name in BESIDE}
    if not all(link.is_symlink() for link in links.values()):
        pytest.skip("a checkout without links")
    for name, link in links.items():
        assert link.readlink() == Path("..", name)
    code = "import hiphopss.eval, hiphopss.datasets, hiphopss.weights; hiphopss.eval.bss_eval"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_linters_and_test_collection_see_each_file_once():
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed here")
    command = [ruff, "check", "--show-files", "."]
    seen = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [Path(line).resolve() for line in seen.stdout.splitlines()]
    assert len(files) == len(set(files))
    assert ROOT / "eval" / "scoring.py" in files
    # the same folders are looked through, but one module is imported instead of all
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-header"]
    command += ["-o", "python_files=test_rooms.py", "-k", "rooms"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    tests = [line for line in found.stdout.splitlines() if "::" in line]
    assert tests
    assert len(tests) == len(set(tests))
    assert all(line.startswith("tests/") for line in tests)


# public names

PROMISED = (
    *("build_model", "load_published", "compile_model", "separate", "train", "make_features"),
    *("evaluate", "bss_eval", "compare", "reproduce", "remix", "generate", "StreamingSeparator"),
)
OLD_PATHS = (
    *("hiphopss.model.build_model", "hiphopss.weights.load_published"),
    *("hiphopss.training.compile_model", "hiphopss.eval.bss_eval"),
    "hiphopss.live.StreamingSeparator",
)


def test_public_names_are_what_the_stub_and_the_documentation_list():
    import hiphopss

    stub = ast.parse((ROOT / "hiphopss" / "__init__.pyi").read_text("utf-8"))
    listed = next(ast.literal_eval(n.value) for n in stub.body if isinstance(n, ast.Assign))
    assert sorted(hiphopss.__all__) == sorted(listed)
    assert set(PROMISED) <= set(listed)
    documented = re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "api.md").read_text("utf-8"), re.M)
    assert sorted(documented) == sorted(set(listed) - {"__version__"})
    for name in listed:
        assert getattr(hiphopss, name) is not None


@pytest.mark.parametrize("path", OLD_PATHS)
def test_promised_paths_are_the_public_functions(path):
    import importlib

    import hiphopss

    module, _, name = path.rpartition(".")
    assert getattr(importlib.import_module(module), name) is getattr(hiphopss, name)


def test_public_functions_take_few_parameters():
    import inspect

    import hiphopss

    for name in hiphopss.__all__:
        if inspect.isfunction(thing := getattr(hiphopss, name)):
            assert len(inspect.signature(thing).parameters) <= 10, name


def test_importing_the_package_imports_no_backend():
    code = (
        "import sys, hiphopss; from hiphopss.cli import build_parser; build_parser(); "
        "heavy = {'keras', 'tensorflow', 'jax', 'scipy', 'h5py', 'numpy', 'soundfile'}; "
        "sys.exit(bool(heavy & set(sys.modules)) and str(heavy & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_looking_at_all_public_names_imports_no_backend():
    # as Tab does in Python's own prompt
    code = (
        "import sys, hiphopss, hiphopss.model; "
        "[getattr(hiphopss, name) for name in dir(hiphopss)]; "
        "heavy = {'keras', 'tensorflow', 'jax'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.PIPE, text=True)


def test_a_checkout_without_links_says_so(tmp_path):
    (tmp_path / "hiphopss").mkdir()
    for name in ("__init__.py", "__init__.pyi"):
        (tmp_path / "hiphopss" / name).write_text((ROOT / "hiphopss" / name).read_text("utf-8"))
    (tmp_path / "hiphopss" / "eval").write_text("../eval")  # what git writes instead of a link
    code = (  # as if it were not installed
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]; "
        "import hiphopss"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "git made no links in this checkout" in done.stderr
