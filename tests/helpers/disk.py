"""A disk that takes no more, without one: the system's limit of the size of a file."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def files_limited(n_bytes: int) -> Iterator[None]:
    """Let the system refuse to write more than ``n_bytes`` into a file ("File too large")."""
    resource = pytest.importorskip("resource")  # not on Windows
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
