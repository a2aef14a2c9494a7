"""Work on several processors: in order, bounded, tidy."""

import threading

import pytest
from threadpoolctl import threadpool_info

from hiphopss.util.threads import ordered_map, processor_count


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_results_come_in_order_from_several_threads():
    later = threading.Event()

    def work(item):
        if item == 0:  # ends after the next one has begun
            assert later.wait(10)
        else:
            later.set()
        return item * item

    assert list(ordered_map(work, range(20), n_threads=2)) == [n * n for n in range(20)]
    assert list(ordered_map(work, [], n_threads=2)) == []


def test_few_items_are_read_ahead():
    read = []

    def items():
        for item in range(100):
            read.append(item)
            yield item

    for result in ordered_map(lambda item: item, items(), n_threads=3):
        assert len(read) <= result + 5  # this one, one for each thread, and the next


def test_linear_algebra_has_one_thread_meanwhile_and_its_own_again_afterwards():
    before = blas_threads()
    results = ordered_map(lambda _: blas_threads(), range(3), n_threads=2)
    assert set(next(results)) == {1}
    results.close()
    assert blas_threads() == before


def test_an_error_of_an_item_or_of_the_work_comes_through():
    def broken():
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(ordered_map(lambda item: item, broken(), n_threads=2))
    with pytest.raises(ZeroDivisionError):
        list(ordered_map(lambda item: 1 / item, [1, 0, 1], n_threads=2))


def test_there_is_a_processor():
    assert processor_count() >= 1
