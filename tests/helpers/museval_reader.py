"""museval for tests: its BSS Eval alone, or all of it, which needs ffmpeg on the PATH."""

import importlib.util
from pathlib import Path

import pytest


def museval_metrics():
    """The module with museval's BSS Eval, without the rest of museval, which imports slowly."""
    package = importlib.util.find_spec("museval")
    if package is None:
        pytest.skip("museval is not installed here")
    path = Path(package.origin).with_name("metrics.py")
    spec = importlib.util.spec_from_file_location("museval_metrics", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def whole_museval(folder, monkeypatch):
    """museval; ``folder`` gets links to a program that stands for ffmpeg and ffprobe."""
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    for name in ("ffmpeg", "ffprobe"):
        (folder / name).symlink_to(program)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return pytest.importorskip("museval")
