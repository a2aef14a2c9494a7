from .files import (
    WeightsInfo,
    convert_weights,
    describe_weights,
    load_model,
    load_published,
    network_arrays,
    read_weights,
    save_weights,
)
from .registry import list_weights, resolve_weights

__all__ = [
    "WeightsInfo",
    "convert_weights",
    "describe_weights",
    "list_weights",
    "load_model",
    "load_published",
    "network_arrays",
    "read_weights",
    "resolve_weights",
    "save_weights",
]
