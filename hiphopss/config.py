"""Sources, signal settings, fidelity presets and loss weights, which all stages share.

The quirks of the released code (docs/released-code.md, Q1..Q13) that a preset decides are switches
of :class:`Fidelity`: what depends on which code is mirrored reads a switch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from typing import Literal, TypeVar

from hiphopss.errors import HiphopssError

SOURCES = ("vocals", "bass", "drums", "other")
"""The stems, in the order of the network's output channels (docs/released-code.md, section 3).

``other`` is last: with the preset ``released`` it has no decoder of its own (Q1)."""

WINDOWS = ("blackmanharris", "hann")
"""Names of the windows of the transform."""

LOOPS = ("auto", "off")
"""Whether what repeats in a song helps to separate it, the default first."""

SEPARATION_RECORD = "separation.json"
"""File in a folder of estimates that records what made them (:class:`SeparationRecord`)."""

TRACK_RECORD = "track.json"
"""File beside the stems of a track that says of which file they are (:class:`TrackRecord`)."""

TRACK_RECORDS = ".tracks"
"""Folder of such files, ``<track>.json``, where tracks have no folders of their own."""

LENGTH_TOLERANCE_S = 0.1
"""By how much the files of a song may differ in length by default, in seconds: more than codecs add
(MP3 some 50 ms at 44.1 kHz, AAC some 90) and workstations differ by (some samples)."""


@dataclass(frozen=True)
class SignalConfig:
    """How a waveform becomes patches of magnitudes (docs/released-code.md, sections 1 and 2).

    Attributes
    ----------
    sample_rate : int
        Sampling rate in Hz.
    frame, hop : int
        Frame (also FFT) length and frame period, in samples.
    window : str
        Symmetric analysis and synthesis window, one of :data:`WINDOWS`.
    scale : float
        Factor by which magnitudes are multiplied before they reach the network.
    context, overlap : int
        Number of frames of a patch, and of frames that consecutive patches share.
    block_seconds : float
        Length of the blocks into which training audio is cut before the transform.
    """

    sample_rate: int = 44100
    frame: int = 1024
    hop: int = 512
    window: str = "blackmanharris"
    scale: float = 0.3
    context: int = 30
    overlap: int = 25
    block_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:  # nor is NaN
                raise HiphopssError(
                    f"signal settings: {name} {value:g}: give {least:g} to {most:g}"
                )
        if self.window not in WINDOWS:
            raise HiphopssError(
                f"signal settings: no window named {self.window!r}: choose {', '.join(WINDOWS)}"
            )
        bad_overlap = self.overlap >= self.context or self.context % self.patch_hop
        if self.frame != 2 * self.hop or bad_overlap:
            raise HiphopssError(
                "signal settings: a frame must be two hops, and the context a multiple of "
                "context - overlap"
            )
        if self.context * self.bins > _MOST_OF_A_PATCH:
            raise HiphopssError(
                f"signal settings: a patch of {self.context} frames of {self.bins} bins: give "
                f"settings whose product is {_MOST_OF_A_PATCH:,} at most"
            )

    @property
    def bins(self) -> int:
        """Number of frequency bins of a frame."""
        return self.frame // 2 + 1

    @property
    def patch_hop(self) -> int:
        """Number of frames between the starts of consecutive patches."""
        return self.context - self.overlap

    def to_json(self) -> str:
        """The settings as a JSON object."""
        return json.dumps(asdict(self), sort_keys=True)

    def require_same(self, other: SignalConfig, *, this: str, that: str) -> None:
        """Raise :class:`HiphopssError` if two files were made with different settings."""
        for setting in fields(self):
            mine, theirs = getattr(self, setting.name), getattr(other, setting.name)
            if mine != theirs:
                raise HiphopssError(
                    f"{this}: made with {setting.name} {mine}, but {that} with {theirs}: "
                    "make both with the same settings"
                )


_RANGES = {
    "sample_rate": (1, 768_000),
    "frame": (2, 2**16),
    "hop": (1, 2**15),
    "scale": (1e-6, 1e6),
    "context": (15, 1024),  # the network's filters span 15 frames
    "overlap": (0, 1023),
    "block_seconds": (1e-3, 3600.0),
}
"""Least and largest values of signal settings, so that no file can ask for unbounded work."""

_MOST_OF_A_PATCH = 2**19  # of which separation has some hundred in memory


@dataclass(frozen=True)
class Fidelity:
    """Which quirks of the released code are reproduced (docs/released-code.md, last section).

    Q3 (test songs in the training features) is not a switch here: it has a flag of its own. Q12
    (unseeded choices) and Q13 (16-bit wrap-round) are never reproduced.

    Attributes
    ----------
    shared_other_decoder : bool
        Q1. ``other`` uses the decoder of ``bass``; otherwise it has its own.
    first_patches_only : bool
        Q2. Only the first ~157 of a block's 512 patches are used.
    quarter_augmented_mixture : bool
        Q4. Mixtures of the instrument and mix augmentations are divided by 4, targets are not.
    weak_mix_dissimilarity : bool
        Q5. The weights of the dissimilarity terms are divided by 1,000 for the mix augmentation.
    standalone_separation : bool
        Q6. Separate as the stand-alone script does: Hann window, mask epsilon 1e-18, and no
        patch for the last frames. False in both presets, because the evaluated files were made
        by the training script, which does not do this.
    shift_by_delay : bool
        Q7. The circular shift is a delay by 0.2 s with zeros in front; otherwise it is 0.1 or
        0.2 s, and the end of the song wraps round to its start.
    redundant_biases : bool
        Q8. Each convolution has two biases that add up.
    reconstruct_other : bool
        The opposite of Q9: the loss has a reconstruction term for ``other``.
    absolute_loss : bool
        Q10. The absolute value of the loss is minimised.
    local_shuffle : bool
        Q11. Patches are shuffled only among 6,400 neighbours; otherwise over the whole file.
    mix_drops_remainder : bool
        Section 2. The mix augmentation uses only full blocks.
    skip_songs_without_vocals : bool
        Section 6. Songs without vocals are left out; otherwise their vocals count as silence.
    normalised_mixture : bool
        Mixtures and targets are scaled like the data set's ``mixture.wav``; otherwise the mixture
        is the plain sum of the stems (section 6).

    Examples
    --------
    >>> import dataclasses
    >>> import hiphopss
    >>> hiphopss.PRESETS["released"].shared_other_decoder  # Q1
    True
    >>> without = dataclasses.replace(hiphopss.PRESETS["released"], shared_other_decoder=False)
    >>> without.redundant_biases  # Q8, as before
    True
    """

    shared_other_decoder: bool = True
    first_patches_only: bool = True
    quarter_augmented_mixture: bool = True
    weak_mix_dissimilarity: bool = True
    standalone_separation: bool = False
    shift_by_delay: bool = True
    redundant_biases: bool = True
    reconstruct_other: bool = False
    absolute_loss: bool = True
    local_shuffle: bool = True
    mix_drops_remainder: bool = True
    skip_songs_without_vocals: bool = True
    normalised_mixture: bool = False

    def to_json(self) -> str:
        """The switches as a JSON object."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def listens(self) -> bool:
        """Whether songs are separated with their loops, which the released code doesn't know."""
        return not self.standalone_separation and self.name != "released"

    @property
    def name(self) -> str:
        """The preset's name, ``"released"`` or ``"corrected"``; otherwise ``"custom"``."""
        for name, preset in PRESETS.items():
            if preset == self:
                return name
        return "custom"


Settings = TypeVar("Settings", SignalConfig, Fidelity)

PRESETS = {
    "released": Fidelity(),
    "corrected": Fidelity(
        shared_other_decoder=False,
        first_patches_only=False,
        quarter_augmented_mixture=False,
        weak_mix_dissimilarity=False,
        shift_by_delay=False,
        redundant_biases=False,
        reconstruct_other=True,
        absolute_loss=False,
        local_shuffle=False,
        mix_drops_remainder=False,
        skip_songs_without_vocals=False,
        normalised_mixture=True,
    ),
}
"""The presets: ``released`` copies the released code's bugs, ``corrected`` follows its intent."""


def resolve_preset(preset: str | Fidelity) -> Fidelity:
    """Look up a preset by name; a :class:`Fidelity` is returned unchanged.

    Raises
    ------
    HiphopssError
        If no preset has this name.
    """
    if isinstance(preset, Fidelity):
        return preset
    if preset not in PRESETS:
        raise HiphopssError(f"no preset named {preset!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[preset]


def read_settings(kind: type[Settings], values: dict, *, origin: str) -> Settings:
    """Make a :class:`SignalConfig` or a :class:`Fidelity` from the values stored in a file.

    Raises
    ------
    HiphopssError
        If the file has other fields, because another version of this package made it, or if a value
        has the wrong type or is out of range.
    """
    from hiphopss.util.records import fit_record

    if set(values) != {setting.name for setting in fields(kind)}:
        raise HiphopssError(
            f"{origin}: made by another version of hiphopss (its settings have other fields): "
            "make it again with this one"
        )
    return fit_record(values, kind, origin=origin, mend="make it again, or use another file")


def standalone(fidelity: Fidelity, config: SignalConfig) -> tuple[Fidelity, SignalConfig]:
    """Both settings as used by the released stand-alone separation script (Q6)."""
    return replace(fidelity, standalone_separation=True), replace(config, window="hann")


@dataclass(frozen=True)
class KnownData:
    """A known data set and its licence, as features and weights made of its songs record them."""

    set: str
    licence: str


@dataclass(frozen=True)
class TrackRecord:
    """The content of ``track.json``: name and SHA-256 of a track's file, SHA-256 of its stems.

    ``loop`` says in words what of the song repeats; None if nothing does, or without loops.
    ``encoding`` says how the stems are written, and ``files`` where they are in the output folder;
    records of older versions lack both.
    """

    file: str
    sha256: str | None = None
    loop: str | None = None
    stems: dict[str, str] = field(default_factory=dict)
    encoding: str | None = None
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SeparationRecord:
    """The content of ``separation.json``; other programs may write only some of its keys.

    Attributes
    ----------
    model : str or None
        Name of the model in tables of scores.
    weights, sha256, preset : str
        Name of the weight file, its hash, and its preset.
    config, fidelity : dict
        Fields of :class:`SignalConfig` and :class:`Fidelity`.
    mono : bool
        Whether the average of the channels was separated.
    loops : str
        Whether what repeats was used, one of :data:`LOOPS`; records of older versions lack it.
    released_test_leak : bool
        Whether the model was trained on test songs (Q3).
    trained_on : list of str
        Names of the songs on which it was trained.
    format : str
        Format of the stems, as on the command line.
    name : str
        Pattern of the files' names.
    start, duration : float
        The part of each song that was separated, in seconds; no duration up to its end.
    """

    model: str | None = None
    weights: str = ""
    sha256: str = ""
    preset: str = ""
    config: dict[str, float | str] = field(default_factory=dict)
    fidelity: dict[str, bool] = field(default_factory=dict)
    mono: bool = False
    loops: Literal["auto", "off"] = "off"
    released_test_leak: bool = False
    trained_on: list[str] = field(default_factory=list)
    format: str = "wav"
    name: str = "{track}/{stem}.{ext}"
    start: float = 0.0
    duration: float | None = None


@dataclass(frozen=True)
class LossWeights:
    """Weights of the dissimilarity terms of the loss (docs/released-code.md, section 4).

    Attributes
    ----------
    alpha : float
        Each of vocals, bass and drums against the other two.
    beta : float
        Bass and drums against ``other``.
    beta_voc : float
        Vocals against ``other``.
    """

    alpha: float = 0.001
    beta: float = 0.01
    beta_voc: float = 0.03


def default_loss_weights(fidelity: Fidelity, augmentation: str) -> LossWeights:
    """The released weights; for the mix augmentation they are divided by 1,000 (Q5)."""
    weights = LossWeights()
    if augmentation == "mix" and fidelity.weak_mix_dissimilarity:
        return LossWeights(*(weight / 1000 for weight in astuple(weights)))
    return weights
