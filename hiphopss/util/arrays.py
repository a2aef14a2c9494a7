"""Arrays from callers: whether their axes are in the order that is asked for."""

from __future__ import annotations

from hiphopss.errors import HiphopssError

MOST = 64
"""Maximum number of sources or channels of an array; one with more is most likely transposed."""

_PLAIN = 4  # channels or sources of which few samples are no sign of transposed axes


def require_upright(
    name: str,
    shape: tuple[int, ...],
    n: int,
    what: str,
    *,
    order: str,
    n_samples: int | None = None,
    most: int = MOST,
) -> None:
    """Raise if an array has more sources or channels than it can be meant to have.

    Transposed arrays have thousands of them, which would take terabytes of memory.

    Parameters
    ----------
    name : str
        Name of the array in the message.
    shape : tuple of int
        Its shape.
    n : int
        How many of something it has.
    what : str
        Of what: ``"sources"`` or ``"channels"``.
    order : str
        The order of axes that is asked for.
    n_samples : int, optional
        Number of samples, if there can't be less of them than of the others.
    most : int
        Maximum of ``n``.

    Raises
    ------
    HiphopssError
        If there are more than ``most``, or more than 4 and more than samples.
    """
    if n > most or (n_samples is not None and n > max(n_samples, _PLAIN)):
        of = "" if n_samples is None else f" of {n_samples} samples"
        raise HiphopssError(
            f"{name}: shape {shape} is {n} {what}{of}: transpose it, the order is {order}"
        )
