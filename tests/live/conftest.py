"""Fixtures of live use."""

import pytest

from hiphopss.separation.engines import load_network


@pytest.fixture(scope="module")
def network(published):
    """The network of the published weights, in NumPy."""
    return load_network(published)[0]
