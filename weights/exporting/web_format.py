"""The network as one file for the web page, which computes it itself.

A file is ``HIPHOPSS``, the version of the format (4 bytes, like all integers the least significant
byte first), the SHA-256 of all that follows, the length of the header (4 bytes), the header in
JSON, padded with spaces to a multiple of 16 bytes, and the arrays in single precision. The header
has the settings, the constants of the loop stage (null for weights that separate without loops),
and name, shape and place of each array, in bytes from the header's end.
``hiphopss/demo/static/engine/weights.js`` reads it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hiphopss.config import Fidelity, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.loops.beat import Constants
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import N_FILTERS, TIME_FILTER
from hiphopss.weights.exporting.formats import Masks, decoders_of_sources

_MAGIC, _VERSION, _ALIGNED = b"HIPHOPSS", 1, 16


def why_not(config: SignalConfig, fidelity: Fidelity) -> str | None:
    """Why the page can't compute with these settings; None if it can."""
    frame = config.frame
    if frame < 8 or frame & (frame - 1):
        return (
            f"as the page needs frames of a power of two, and these weights have {frame} samples: "
            "use other weights"
        )
    if fidelity.standalone_separation:
        return (
            "as the page doesn't separate like the stand-alone script (Q6): use weights without "
            "that switch"
        )
    return None


def write(path: Path, network: NumpyNetwork, facts: dict[str, Any]) -> None:
    """Write the network with its facts and settings.

    Raises
    ------
    HiphopssError
        If the page can't compute with its settings.
    """
    reason = why_not(network.config, network.fidelity)
    if reason is not None:
        raise HiphopssError(f"{path}: not written, {reason}")
    arrays = _arrays(network)
    places, at = [], 0
    for name, array in arrays.items():
        places.append({"name": name, "shape": array.shape, "offset": at})
        at += array.nbytes
    header = json.dumps(
        {
            **facts,
            "config": asdict(network.config),
            "fidelity": asdict(network.fidelity),
            "decoders": decoders_of_sources(network),
            "loops": asdict(Constants()) if network.fidelity.listens else None,
            "arrays": places,
        },
        ensure_ascii=False,
    ).encode()
    header += b" " * (-len(header) % _ALIGNED)
    hashed = b"".join([_integer(len(header)), header, *(a.tobytes() for a in arrays.values())])
    path.write_bytes(_MAGIC + _integer(_VERSION) + hashlib.sha256(hashed).digest() + hashed)


def _integer(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _arrays(network: NumpyNetwork) -> dict[str, np.ndarray]:
    """Arrays of the network by name, ready for products with frames as rows."""
    arrays = {
        "conv1/kernel": network.conv1_kernel,
        "conv1/bias": network.conv1_bias,
        "conv2/kernel": network.conv2_kernel.reshape(TIME_FILTER, N_FILTERS, N_FILTERS),
        "conv2/bias": network.conv2_bias,
        "bottleneck/kernel": network.bottleneck_kernel,
        "bottleneck/bias": network.bottleneck_bias,
        "decoders/kernel": network.decoder_kernel,
        "decoders/bias": network.decoder_bias,
        "output/bias": (network.lift - network.floor)[:, 0, 0],
        "masks/noise": network.floor[:, : network.config.bins],
    }
    return {name: np.ascontiguousarray(array, "<f4") for name, array in arrays.items()}


def masks_of(path: Path) -> Masks:
    """Load such a file and compute its masks by nothing but NumPy, as plainly as can be."""
    content = path.read_bytes()
    start = len(_MAGIC) + 4 + hashlib.sha256().digest_size
    end = start + 4 + int.from_bytes(content[start : start + 4], "little")
    header = json.loads(content[start + 4 : end])
    arrays = {
        place["name"]: np.frombuffer(
            content, "<f4", int(np.prod(place["shape"])), end + place["offset"]
        ).reshape(place["shape"])
        for place in header["arrays"]
    }

    def masks(patches: np.ndarray) -> np.ndarray:
        n, frames, _ = patches.shape
        n_encoded = frames - TIME_FILTER + 1
        conv1 = patches @ arrays["conv1/kernel"] + arrays["conv1/bias"]  # (n, frames, filters)
        conv2 = sum(
            (
                conv1[:, at : at + n_encoded] @ arrays["conv2/kernel"][at]
                for at in range(TIME_FILTER)
            ),
            start=arrays["conv2/bias"],
        )
        code = conv2.reshape(n, -1) @ arrays["bottleneck/kernel"] + arrays["bottleneck/bias"]
        hidden = np.maximum(code, 0) @ arrays["decoders/kernel"] + arrays["decoders/bias"]
        hidden = np.maximum(hidden, 0).reshape(n, -1, n_encoded, N_FILTERS)
        decoded = np.zeros((*hidden.shape[:2], frames, N_FILTERS), np.float32)
        for at in range(TIME_FILTER):
            decoded[:, :, at : at + n_encoded] += hidden @ arrays["conv2/kernel"][at].T
        outputs = (decoded @ arrays["conv1/kernel"].T)[:, header["decoders"]]
        outputs = np.maximum(outputs + arrays["output/bias"][:, None, None], 0)
        outputs += arrays["masks/noise"]
        return outputs / outputs.sum(axis=1, keepdims=True)

    return masks
