"""Uploads while they are received: the least rate, the room on the disk, and who gives way."""

import asyncio
from pathlib import Path

import pytest

from hiphopss.demo.limits import Limits
from hiphopss.demo.uploads import Receptions, Refused


async def pieces(n, *, size=100, every=0.0, then=None):
    for _ in range(n):
        await asyncio.sleep(every)
        yield bytes(size)
    if then is not None:
        await then.wait()


def refusal(receptions, path, body, **options):
    with pytest.raises(Refused) as caught:
        asyncio.run(receptions.receive(body, path, **options))
    return caught.value


def test_upload_below_the_least_rate_is_refused(tmp_path):
    receptions = Receptions(Limits(bytes_per_second=100_000, idle_seconds=0.3))
    slow = refusal(receptions, tmp_path / "slow", pieces(1000, size=1, every=0.005))
    assert (slow.status, "too long" in str(slow)) == (408, True)
    assert (tmp_path / "slow").stat().st_size < 1000
    asyncio.run(receptions.receive(pieces(50, size=1000), tmp_path / "fast"))
    assert (tmp_path / "fast").stat().st_size == 50_000


def test_upload_lasts_no_longer_than_allowed_at_any_rate(tmp_path):
    receptions = Receptions(Limits(bytes_per_second=1, upload_seconds=0.1))
    assert refusal(receptions, tmp_path / "long", pieces(1000, every=0.005)).status == 408


@pytest.mark.parametrize(
    ("n", "announced", "status"), [(0, 0, 422), (11, None, 413), (1, 1001, 413), (11, 10, 413)]
)
def test_size_is_limited_whatever_is_announced(tmp_path, n, announced, status):
    receptions = Receptions(Limits(max_bytes=1000))
    path = tmp_path / "upload"
    assert refusal(receptions, path, pieces(n), announced=announced).status == status
    asyncio.run(receptions.receive(pieces(10), path, announced=1000))
    assert path.stat().st_size == 1000


def test_oldest_upload_gives_way_when_there_is_no_more_room(tmp_path):
    receptions = Receptions(Limits(max_bytes=1000, receiving_bytes=1500))

    async def both():
        hanging, later = asyncio.Event(), asyncio.Event()
        old = asyncio.create_task(receptions.receive(pieces(8, then=hanging), tmp_path / "old"))
        await asyncio.sleep(0.02)
        new = asyncio.create_task(receptions.receive(pieces(10, then=later), tmp_path / "new"))
        with pytest.raises(Refused, match="busy") as caught:
            await old
        later.set()
        await new
        return caught.value.status

    assert asyncio.run(both()) == 503
    assert (tmp_path / "new").stat().st_size == 1000
    asyncio.run(receptions.receive(pieces(10), tmp_path / "next"))  # nothing is held any more


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full on Linux only")
def test_full_disk_is_said_to_be_full():
    full = refusal(Receptions(Limits()), Path("/dev/full"), pieces(3))
    assert (full.status, "disk is full" in str(full)) == (503, True)
