"""How long a slow client is waited for."""

import pytest

from hiphopss.demo.pace import Pace


def transferred(n_bytes, every, patience=10, rate=100, until=1000):
    """When a client that sends some bytes every so many seconds is too slow, or None."""
    pace, now = Pace(0, patience=patience, rate=rate), 0
    while now < until:
        now += every
        if now >= pace.deadline:
            return pace.deadline
        pace.moved(n_bytes, now)
    return None


@pytest.mark.parametrize(
    ("n_bytes", "every", "expected"),
    [
        (100, 1, None),  # exactly the rate
        (900, 9, None),  # in bursts
        (10**6, 10, 10),  # too long a pause, whatever would come then
        (1, 1, 10.1),  # 10 s and 1/100 s for each of ten bytes
        (50, 1, 19),  # half the rate loses half a second every second
        (0, 1, 10),
    ],
)
def test_deadline_moves_with_the_bytes(n_bytes, every, expected):
    found = transferred(n_bytes, every)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_much_at_once_buys_no_more_than_the_patience():
    pace = Pace(0, patience=10, rate=100)
    assert pace.moved(10**9, 3) == 13
    assert pace.behind(3) == 0
    assert pace.behind(7) == 4
