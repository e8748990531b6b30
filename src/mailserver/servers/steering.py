"""Which worker gets the next connection: the one that leads while it has little to do; else the kernel spreads them.

Two workers that share a small load cost more than one: each finds its pages of the database stale after the other's
commit, fewer messages share a transaction, and mail that leaves changes hands.  All workers have sockets bound to the
same address (SO_REUSEPORT); a program of one instruction tells the kernel whose socket gets what comes.
"""

import array
import asyncio
import socket
import struct
import time
from collections.abc import Callable

from mailserver.base.log import Log

EVERY_S = 0.25
BUSY = (
    0.75  #: share of a processor that the loop's thread uses; from here on others take what comes
)
FREE = 0.5  #: below it this worker takes it again

_ATTACH, _DETACH = 51, 68  # SO_ATTACH_REUSEPORT_CBPF, SO_DETACH_REUSEPORT_BPF: not in `socket`
_RETURN = 6  # BPF_RET | BPF_K


class Steering:
    """One worker's part in it: while it leads it asks for connections, of each service until it has enough.

    most:   connections of one service; 0: it never asks.
    number: the worker's; the sockets of an address listen in the order of the workers.
    """

    def __init__(
        self, most: int, number: int, worked_s: Callable[[], float] = time.thread_time
    ) -> None:
        self._most = most
        self._number = number
        self._worked_s = worked_s
        self._sockets: dict[str, list[socket.socket]] = {}
        self._open: dict[str, int] = {}
        self._mine: set[str] = set()  # services whose connections all come here
        self._is_busy = False
        self._task: asyncio.Task[None] | None = None
        self._log = Log("servers")

    def add(self, service: str, sock: socket.socket) -> None:
        """*sock* listens for *service*, beside those of other workers."""
        if sock.family != socket.AF_UNIX:
            self._sockets.setdefault(service, []).append(sock)

    def came(self, service: str) -> None:
        """One more connection is open."""
        count = self._open[service] = self._open.get(service, 0) + 1
        if count >= self._most and service in self._mine:
            self._spread(service)

    def left(self, service: str) -> None:
        """One less is."""
        self._open[service] -= 1

    def look(self, busy: float) -> None:
        """Ask for connections, or for no more; *busy*: the share of a processor that the loop has used lately."""
        self._is_busy = busy >= (FREE if self._is_busy else BUSY)
        for service in self._sockets:
            if service in self._mine:
                if self._is_busy:
                    self._spread(service)
            elif not self._is_busy and self._open.get(service, 0) <= self._most // 2:
                self._attract(service)

    def start(self, leads: Callable[[], bool]) -> None:
        """Look again and again while *leads*, in the running loop."""
        if self._most and self._sockets:
            self._task = asyncio.create_task(self._repeat(leads))

    async def stop(self) -> None:
        """Let the kernel spread what comes."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            for service in list(self._mine):
                self._spread(service)

    async def _repeat(self, leads: Callable[[], bool]) -> None:
        before, since = self._worked_s(), time.monotonic()
        while True:
            await asyncio.sleep(EVERY_S)
            worked, now = self._worked_s(), time.monotonic()
            if leads():
                self.look((worked - before) / (now - since))
            before, since = worked, now

    def _attract(self, service: str) -> None:
        """All that comes for *service* comes here."""
        program = array.array("B", struct.pack("=HBBI", _RETURN, 0, 0, self._number))
        address, _ = program.buffer_info()
        if self._set(service, _ATTACH, struct.pack("@HP", 1, address)):
            self._mine.add(service)
        else:
            self._spread(service)

    def _spread(self, service: str) -> None:
        self._mine.discard(service)
        self._set(service, _DETACH, struct.pack("@i", 0))

    def _set(self, service: str, option: int, value: bytes) -> bool:
        """Whether the kernel has taken it for all addresses of *service*; one too old for it goes on spreading."""
        is_set = True
        for sock in self._sockets[service]:
            try:
                sock.setsockopt(socket.SOL_SOCKET, option, value)
            except OSError as error:
                self._log.debug("connections are not steered", reason=error.strerror)
                is_set = False
        return is_set
