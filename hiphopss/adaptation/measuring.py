"""How well weights separate pieces of songs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hiphopss.adaptation.material import Piece
from hiphopss.adaptation.mixing import EVERY
from hiphopss.config import SOURCES, SignalConfig
from hiphopss.eval.bss.scores import References
from hiphopss.separation.engines import build_network
from hiphopss.separation.separator import Separator, separate
from hiphopss.signal.transform import magnitude, stft
from hiphopss.util.threads import blas_in_one_thread
from hiphopss.weights.files import WeightsInfo

_MOST_S = 180.0  # of a piece, from its middle, that is scored
_PATCHES = 256  # on which the error is computed
_LEAST = 1e-12  # an error of 0 has no logarithm


def sdr_of(piece: Piece, info: WeightsInfo, weights: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
    """SDR of a piece's sources (BSS Eval v3), after separating their sum with some weights.

    The network works alone, without what loops tell, because it is the weights that are measured.

    Parameters
    ----------
    piece : Piece
        Piece whose stems are the references, and whose sum is the mixture.
    info : WeightsInfo
        Settings of the network.
    weights : sequence of dict of str to np.ndarray
        Weights that are measured.

    Returns
    -------
    np.ndarray [shape=(n_weights, n_sources)]
        In dB; NaN for a source that is silent.
    """
    rate = info.config.sample_rate
    stems = piece.samples(most=int(_MOST_S * rate))
    with blas_in_one_thread():
        references = References(stems)
        found = []
        for arrays in weights:
            network = build_network(info, arrays, origin=piece.name)
            separator = Separator(network, info.config, info.fidelity)
            estimates = separate(stems.sum(axis=0), rate, weights=separator, loops="off")
            score = references.score(np.stack([estimates[source] for source in SOURCES]))
            found.append(score.sdr[:, 0])
    return np.stack(found)


class RelativeError:
    """The error of a network on patches of pieces, as they are: quicker than SDR, and much like it.

    Parameters
    ----------
    pieces : sequence of Piece
        Pieces from which patches are taken at equal distances.
    config : SignalConfig
        Settings of the transform and the patches.
    """

    def __init__(self, pieces: Sequence[Piece], config: SignalConfig):
        context, hop = config.context, config.hop
        n_samples = (context + 1) * hop
        self._n_pieces, n_each = len(pieces), -(-_PATCHES // len(pieces))
        mixtures, targets = [], []
        frames = np.arange(0, context, EVERY)[: context // EVERY]
        for piece in pieces:
            for start in np.linspace(0, piece.n_samples - n_samples, n_each).astype(int):
                stems = piece.stems[:, start : start + n_samples] * np.float32(piece.scale)
                spectra = stft(stems, config, start=1, stop=1 + context)
                mixtures.append(magnitude(spectra.sum(axis=0), config))
                targets.append(magnitude(spectra[:, frames], config))
        scale = np.float32(config.scale)
        self._mixtures, self._targets = np.stack(mixtures) * scale, np.stack(targets) * scale
        self._frames = np.tile(frames.astype(np.int32), (len(mixtures), 1))

    def of(self, estimates: Callable[[np.ndarray, np.ndarray], np.ndarray], size: int) -> float:
        """The energy of the error over that of the source, in dB.

        Parameters
        ----------
        estimates : callable
            Estimates magnitudes from those of a mixture, in frames with these numbers.
        size : int
            Number of patches that it gets at a time.

        Returns
        -------
        float
            Mean over pieces, and over the sources that sound in them.
        """
        n_patches = len(self._mixtures)
        errors = np.zeros((n_patches, len(SOURCES)))
        for first in range(0, n_patches, size):
            chosen = np.arange(first, first + size) % n_patches  # all batches have one shape
            differences = estimates(self._mixtures[chosen], self._frames[chosen])
            differences = differences - self._targets[chosen]
            errors[chosen] = np.square(differences).sum(axis=(2, 3))
        energies = np.square(self._targets).sum(axis=(2, 3))
        of_pieces = (each.reshape(self._n_pieces, -1, len(SOURCES)) for each in (errors, energies))
        error, energy = (each.sum(axis=1) for each in of_pieces)
        heard = energy > 0
        return float(np.mean(10 * np.log10(error[heard] / energy[heard] + _LEAST)))
