"""What a feature file says of itself."""

import json

import numpy as np
import pytest
from helpers.mutations import JUNK, TEXTS, all_refused, mutated, one_line_or_fine

from hiphopss import PRESETS, HiphopssError, SignalConfig
from hiphopss.datasets.features.record import parse_paths, parse_provenance, read_attributes

GOOD = {
    "config": SignalConfig().to_json(),
    "fidelity": PRESETS["released"].to_json(),
    "augmentation": "mix",
    "released_test_leak": np.bool_(True),
    "seed": np.int64(3),
    "source_order": np.array(["vocals"], object),
}
MADE = {
    "version": "0.1",
    "sha256": {"Dev/a/bass": "0" * 64},
    "data": [{"set": "S", "licence": "L"}],
}


def read(changes):
    return read_attributes({**GOOD, **changes}, origin="f.h5")


def test_good_attributes_are_read():
    assert read({"newer": 1}) == (SignalConfig(), PRESETS["released"], "mix", True)


@pytest.mark.parametrize("name", ["config", "fidelity", "augmentation", "released_test_leak"])
def test_attributes_that_are_missing_or_strange_are_one_line(name):
    strange = [
        *JUNK,
        *TEXTS,
        *(text.decode("latin-1") for text in TEXTS),
        np.zeros(3),
        np.void(b"x"),
    ]
    for value in strange:
        if not (name == "released_test_leak" and isinstance(value, bool)):
            all_refused(read, [{name: value}])
    with pytest.raises(HiphopssError, match=f"^f.h5: .*missing required field {name}: make it"):
        read_attributes({k: v for k, v in GOOD.items() if k != name}, origin="f.h5")


def test_settings_of_any_content_are_one_line():
    for name in ("config", "fidelity"):
        for text in mutated(json.loads(GOOD[name])):
            one_line_or_fine(read, {name: text.decode("utf-8", "surrogateescape")})


def test_the_provenance_is_kept_whole_or_refused():
    assert parse_provenance(json.dumps(MADE), origin="f.h5") == MADE
    all_refused(lambda text: parse_provenance(text, origin="f.h5"), [*TEXTS, None, 5, "{}"])
    for text in mutated(MADE):
        told = one_line_or_fine(parse_provenance, text, origin="f.h5")
        assert told is None or isinstance(told["sha256"], dict)


def test_paths_are_text():
    assert parse_paths('{"Dev/a/bass": "/x"}', origin="f.h5") == {"Dev/a/bass": "/x"}
    all_refused(lambda text: parse_paths(text, origin="f.h5"), [*TEXTS, '{"a": 1}', None])
