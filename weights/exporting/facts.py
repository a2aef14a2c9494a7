"""What an exported network says of itself, so that programs can use it without hiphopss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hiphopss import __version__
from hiphopss.config import SOURCES
from hiphopss.weights.files import WeightsInfo

INPUT, OUTPUT = "mixture", "masks"
"""Names of the network's input and output, where a format has names."""


def facts_of(info: WeightsInfo, weights: Path) -> dict[str, Any]:
    """The facts about an exported network, as documented in docs/export.md.

    Parameters
    ----------
    info : WeightsInfo
        Record of the weight file.
    weights : path-like
        The weight file, of which the name is told.

    Returns
    -------
    dict
        What JSON can hold, by name. The names are those that the documentation lists.
    """
    config, provenance = info.config, info.provenance
    return {
        "sources": list(SOURCES),
        "sample_rate": config.sample_rate,
        "fft_size": config.frame,
        "hop": config.hop,
        "window": config.window,
        "window_symmetric": True,
        # A feature file has |STFT| / sqrt(frame), and the network sees that times `scale`.
        "magnitude_scale": config.scale / math.sqrt(config.frame),
        "patch_frames": config.context,
        "patch_overlap": config.overlap,
        "weights": weights.name,
        "weights_sha256": info.sha256,
        "preset": info.fidelity.name,
        "trained_on": provenance.get("data", []),
        "trained_on_test_songs": bool(provenance.get("released_test_leak", False)),
        "made_by": f"hiphopss {__version__}",
    }
