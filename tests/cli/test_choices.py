"""What the command line offers is what the rooms know: it does not import them to say so."""

import argparse

import pytest

from hiphopss import SOURCES
from hiphopss.cli import build_parser
from hiphopss.config import LOOPS
from hiphopss.datasets.fetch.dataset import DATASETS
from hiphopss.datasets.generated.style import load
from hiphopss.datasets.layouts import SUBSETS
from hiphopss.eval.bss.scores import BSS_ENGINES, MODES
from hiphopss.eval.campaign.tables import AVERAGES, CAMPAIGNS
from hiphopss.eval.protocols import protocol_names
from hiphopss.live.ends import RAW_FORMATS
from hiphopss.separation.engines import ENGINES
from hiphopss.signal.stem_files import CODECS
from hiphopss.signal.writing import OUTPUT_SUBTYPES
from hiphopss.training.settings import TrainingSettings

CHOICES = {
    ("separate", "--engine"): ENGINES,
    ("remix", "--engine"): ENGINES,
    ("separate", "--loops"): LOOPS,
    ("remix", "--loops"): LOOPS,
    ("separate", "--subtype"): OUTPUT_SUBTYPES,
    ("remix", "--subtype"): OUTPUT_SUBTYPES,
    ("watch", "--subtype"): OUTPUT_SUBTYPES,
    ("watch", "--loops"): LOOPS,
    ("separate", "--stem-codec"): CODECS,
    ("watch", "--stem-codec"): CODECS,
    ("evaluate", "--engine"): BSS_ENGINES,
    ("evaluate", "--mode"): MODES,
    ("compare", "--mode"): MODES,
    ("evaluate", "--protocol"): protocol_names(),
    ("compare", "--protocol"): protocol_names(),
    ("evaluate", "--subset"): SUBSETS,
    ("generate", "--set"): tuple(load("collections")),
    ("download", "dataset"): DATASETS,
    ("compare", "--with"): CAMPAIGNS,
    ("compare", "--average"): AVERAGES,
    ("live", "--format"): tuple(RAW_FORMATS),
}


def option(verb, name):
    """An option or an argument of a verb, as the parser has it."""
    (verbs,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return next(a for a in verbs.choices[verb]._actions if name in (*a.option_strings, a.dest))


@pytest.mark.parametrize(("verb", "name"), list(CHOICES))
def test_choices_are_those_of_the_room(verb, name):
    assert tuple(option(verb, name).choices) == CHOICES[verb, name]


def test_defaults_of_training_are_those_of_its_settings():
    for name in ("epochs", "seed", "batch_size", "learning_rate", "patches_per_epoch"):
        found = option("train", f"--{name.replace('_', '-')}").default
        assert found == getattr(TrainingSettings(), name)


def test_sources_are_named_in_the_help_of_gains():
    assert ", ".join(SOURCES) in option("remix", "--gain").help
