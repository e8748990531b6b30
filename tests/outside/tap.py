"""A server behind a wire tap: what a program says to it in clear, kept for the test to look at."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from outside.server import Server


@dataclass
class Tapped:
    """Stands in for *server* where only host and ports are asked for; IMAP goes through the tap."""

    server: Server
    ports: dict[str, int]
    host: str = "127.0.0.1"
    spoken: list[bytearray] = field(default_factory=list)  # by every connection, in their order

    @property
    def said(self) -> bytes:
        """Everything that clients have said so far."""
        return b"\n-- connection --\n".join(bytes(words) for words in self.spoken)


@contextlib.contextmanager
def tapped(server: Server) -> Iterator[Tapped]:
    """*server* as seen through a tap; it ends with the block."""
    ear = socket.create_server(("127.0.0.1", 0))
    tap = Tapped(server, server.ports | {"imap": ear.getsockname()[1]})
    threading.Thread(target=_accept, args=(ear, tap), daemon=True).start()
    try:
        yield tap
    finally:
        ear.close()


def _accept(ear: socket.socket, tap: Tapped) -> None:
    while True:
        try:
            near, _ = ear.accept()
        except OSError:  # the test is over
            return
        far = socket.create_connection((tap.server.host, tap.server.ports["imap"]))
        words = bytearray()
        tap.spoken.append(words)
        for source, target, kept in ((near, far, words), (far, near, None)):
            threading.Thread(target=_pass_on, args=(source, target, kept), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, kept: bytearray | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            if kept is not None:
                kept += data
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
