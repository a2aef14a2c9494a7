"""A site that has the page's engine and weights for it, and nothing else."""

import contextlib
import shutil
from importlib.resources import files

from helpers.static_site import serving

from hiphopss.weights.exporting.export import export_weights


@contextlib.contextmanager
def engine_site(folder, weights="generated"):
    """Serve a folder; gives its address. It gets the engine in ``engine/``, and ``weights.bin``."""
    shutil.copytree(str(files("hiphopss.demo") / "static" / "engine"), folder / "engine")
    (folder / "index.html").write_text(
        "<!doctype html><title>Engine</title><link rel=icon href=data:>"
    )
    export_weights(weights, folder / "weights.bin")
    with serving(folder) as url:
        yield url
