"""The queue of the readers: items in their order, threads by their warmth."""

import queue
import threading
import time

import pytest

from mailserver.store.warm import WarmQueue


def test_items_keep_their_order():
    waiting = WarmQueue()
    for item in "abc":
        waiting.put(item)
    assert waiting.qsize() == 3
    assert [waiting.get(queue.SimpleQueue()) for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(queue.Empty):
        waiting.get_nowait()


def test_the_thread_that_was_busy_last_is_asked_again():
    waiting = WarmQueue()
    took = []

    def work(name):
        own = queue.SimpleQueue()
        while (item := waiting.get(own)) is not None:
            took.append((name, item))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for item in range(20):
        while len(took) < item or len(waiting._idle) < 3:
            time.sleep(0.001)
        waiting.put(item)
    while len(waiting._idle) < 3:
        time.sleep(0.001)
    for _ in threads:
        waiting.put(None)
    for thread in threads:
        thread.join(10)
    assert [item for _, item in took] == list(range(20))
    assert len({name for name, _ in took}) == 1


def test_nothing_is_lost_among_many():
    waiting = WarmQueue()
    took = []

    def work():
        own = queue.SimpleQueue()
        while (item := waiting.get(own)) is not None:
            took.append(item)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for item in range(5_000):
        waiting.put(item)
    for _ in threads:
        waiting.put(None)
    for thread in threads:
        thread.join(10)
    assert sorted(took) == list(range(5_000))
