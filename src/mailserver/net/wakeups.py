"""Wake-ups between processes: what a commit changed, as datagrams of ids to the other workers.

Each worker has a socket `worker-N.sock` in the run folder.  A datagram names mailboxes, accounts and whether the
directory or the queue changed; the receiver reads the rest from the database, so lost and merged datagrams do no harm.
A receiver that does not keep up gets one merged message later: what waits for it is a set, not a list.
"""

import asyncio
import contextlib
import errno
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mailserver.base.errors import MailError
from mailserver.base.ids import AccountId, MailboxId
from mailserver.base.log import Log
from mailserver.net.interests import Interests
from mailserver.store.values import Changes

VERSION = 2
_HEAD = struct.Struct("<BBHH")  # version, what else changed, number of mailboxes, of accounts
_DIRECTORY, _QUEUE = 1, 2
_PAIR = struct.Struct("<qq")
_ONE = struct.Struct("<q")
ENTRIES = 500  #: ids in one datagram; it stays below 16 KiB
RETRY_S = 0.005  #: after a receiver's queue was full
PENDING = (
    100_000  #: ids that wait for one receiver; beyond it hears less, and looks at its next command
)
_NAME = re.compile(r"worker-(\d+)\.sock")


log = Log("net")


def encode(changes: Changes) -> Iterator[bytes]:
    """Datagrams that say *changes*, at least one."""
    mailboxes, accounts = list(changes.mailboxes), list(changes.accounts)
    what = _DIRECTORY * changes.directory | _QUEUE * changes.queue
    while True:
        pairs, mailboxes = mailboxes[:ENTRIES], mailboxes[ENTRIES:]
        ones, accounts = accounts[:ENTRIES], accounts[ENTRIES:]
        head = _HEAD.pack(VERSION, what, len(pairs), len(ones))
        yield head + b"".join(_PAIR.pack(*p) for p in pairs) + b"".join(map(_ONE.pack, ones))
        if not mailboxes and not accounts:
            return


def decode(data: bytes) -> Changes | None:
    """What a datagram says; None when it is not one of ours, as from another version during an upgrade."""
    if len(data) < _HEAD.size:
        return None
    version, what, pairs, ones = _HEAD.unpack_from(data)
    middle = _HEAD.size + pairs * _PAIR.size
    if version != VERSION or len(data) != middle + ones * _ONE.size:
        return None
    mailboxes = frozenset(
        (AccountId(a), MailboxId(m)) for a, m in _PAIR.iter_unpack(data[_HEAD.size : middle])
    )
    accounts = frozenset(AccountId(a) for (a,) in _ONE.iter_unpack(data[middle:]))
    return Changes(mailboxes, accounts, bool(what & _DIRECTORY), bool(what & _QUEUE))


def merged(one: Changes, other: Changes) -> Changes:
    """Both."""
    return Changes(
        one.mailboxes | other.mailboxes,
        one.accounts | other.accounts,
        one.directory or other.directory,
        one.queue or other.queue,
    )


def socket_path(folder: Path, worker: int) -> Path:
    """Where worker number *worker* is reached."""
    return folder / f"worker-{worker}.sock"


def _datagram_socket() -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sock.setblocking(False)
    return sock


class Sender:
    """Sends to some sockets without ever waiting."""

    __slots__ = ("_peers", "_socket", "pending")

    def __init__(self, peers: list[Path]) -> None:
        self._peers = [str(path) for path in peers]
        self._socket = _datagram_socket()
        self.pending: dict[
            str, Changes
        ] = {}  # peers whose queue was full, and what they still have to hear

    def send(self, changes: Changes, peers: Sequence[str] | None = None) -> bool:
        """Tell *peers*, or all; True when some must be tried again (`retry`)."""
        chosen = self._peers if peers is None else peers
        datagrams = list(encode(changes)) if chosen else []
        for peer in chosen:
            if peer in self.pending:
                self._keep(peer, changes)
            elif not self._deliver(peer, datagrams):
                self.pending[peer] = changes
        return bool(self.pending)

    def retry(self) -> bool:
        """Try those again whose queue was full; True when some still are."""
        for peer, changes in list(self.pending.items()):
            if self._deliver(peer, list(encode(changes))):
                del self.pending[peer]
        return bool(self.pending)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _keep(self, peer: str, changes: Changes) -> None:
        waiting = self.pending[peer]
        if len(waiting.mailboxes) + len(waiting.accounts) < PENDING:
            self.pending[peer] = merged(waiting, changes)
        else:
            self.pending[peer] = waiting._replace(
                directory=waiting.directory or changes.directory,
                queue=waiting.queue or changes.queue,
            )

    def _deliver(self, peer: str, datagrams: list[bytes]) -> bool:
        """False when the peer's queue is full; a peer that is not there needs no telling."""
        for data in datagrams:
            try:
                self._socket.sendto(data, peer)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                    return False
                if error.errno not in (errno.ENOENT, errno.ECONNREFUSED, errno.ECONNRESET):
                    log.warning("worker cannot be told", socket=peer, reason=error.strerror)
                return True
        return True


class Wakeups:
    """A worker's ear and mouth: its own socket, and those of the other workers.

    heard:     called in the loop with what others have changed.
    interests: what the others want to hear of; None: everything.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        folder: Path,
        worker: int,
        workers: int,
        heard: Callable[[Changes], None],
        interests: Interests | None = None,
    ) -> None:
        """Raises MailError when the socket cannot be made."""
        self._loop = loop
        self._path = socket_path(folder, worker)
        self._heard = heard
        self._timer: asyncio.TimerHandle | None = None
        self._others = [(n, str(socket_path(folder, n))) for n in range(workers) if n != worker]
        self._interests = interests
        self._sender = Sender([Path(path) for _, path in self._others])
        self._socket = _datagram_socket()
        self._path.unlink(missing_ok=True)  # of a worker that died; the run folder is locked for us
        try:
            self._socket.bind(str(self._path))
        except OSError as error:
            raise MailError(f"{self._path}: {error.strerror or error}") from error
        loop.add_reader(self._socket.fileno(), self._receive)

    def send(self, changes: Changes) -> None:
        """Tell those of the other workers that want to know; who cannot take it now is told later."""
        table = self._interests
        chosen = [path for n, path in self._others if table is None or table.wants(n, changes)]
        if chosen and self._sender.send(changes, chosen) and self._timer is None:
            self._timer = self._loop.call_later(RETRY_S, self._retry)

    def close(self) -> None:
        """Listen and send no more; the socket is removed."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._sender.close()
        self._path.unlink(missing_ok=True)

    def _retry(self) -> None:
        self._timer = None
        if self._sender.retry():
            self._timer = self._loop.call_later(RETRY_S, self._retry)

    def _receive(self) -> None:
        """Take what has come, 100 datagrams at most, as one change."""
        heard = Changes()
        for _ in range(100):
            try:
                data = self._socket.recv(65_536)
            except OSError:
                break
            changes = decode(data)
            if changes is not None:
                heard = merged(heard, changes)
        if heard:
            self._heard(heard)


def tell_workers(folder: Path, changes: Changes, patience_s: float = 2.0) -> None:
    """Tell all workers of a running server, from a program that is not one; nothing happens when none runs."""
    with contextlib.suppress(FileNotFoundError):
        peers = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
        sender = Sender(peers)
        try:
            waiting = sender.send(changes)
            until = time.monotonic() + patience_s
            while waiting and time.monotonic() < until:
                time.sleep(RETRY_S)
                waiting = sender.retry()
        finally:
            sender.close()
