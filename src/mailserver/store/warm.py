"""A queue that wakes the thread that was busy last: its connection's page cache is the warmest."""

import queue
import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class WarmQueue(Generic[T]):
    """First in, first out for the items; last in, first out for the threads that wait for them."""

    __slots__ = ("_idle", "_items", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: deque[T] = deque()
        self._idle: list[queue.SimpleQueue[T]] = []  # of the threads that wait, the latest last

    def put(self, item: T) -> None:
        """Hands *item* to a waiting thread, or keeps it for the next that asks."""
        with self._lock:
            if self._idle:
                self._idle.pop().put(item)
            else:
                self._items.append(item)

    def get(self, own: "queue.SimpleQueue[T]") -> T:
        """The next item; waits for one.  *own* is the calling thread's and no other's."""
        with self._lock:
            if self._items:
                return self._items.popleft()
            self._idle.append(own)
        return own.get()

    def get_nowait(self) -> T:
        """The next item that no thread has taken; raises queue.Empty."""
        with self._lock:
            if not self._items:
                raise queue.Empty
            return self._items.popleft()

    def qsize(self) -> int:
        """Items that no thread has taken."""
        return len(self._items)
