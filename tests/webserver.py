"""A web server for tests that answers every request with the octets it was given.

with WebServer(context, page(200, b"body")) as web: ...       # port: web.port, what came: web.requests
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Self

Answer = bytes | Callable[[bytes], bytes]


def page(
    status: int, body: bytes, media_type: str = "text/plain", *extra: str, length: bool = True
) -> bytes:
    """A response as it is on the wire."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {media_type}", *extra]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class WebServer:
    """On 127.0.0.1 (or *address*), one request a connection, in a thread of its own.

    stays: the connection is kept open after the answer; slow_s: a pause before it.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None,
        answer: Answer,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        stays: bool = False,
        slow_s: float = 0.0,
    ) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self._context = context
        self._stays = stays
        self._slow_s = slow_s
        self._listener = socket.create_server((address, port))
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._listen, daemon=True)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(5)
        with contextlib.suppress(OSError), raw:
            peer = self._context.wrap_socket(raw, server_side=True) if self._context else raw
            with peer:
                request = peer.recv(65_536)
                head, _, rest = request.partition(b"\r\n\r\n")
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        while len(rest) < int(line.partition(b":")[2]):
                            rest += peer.recv(65_536)
                self.requests.append(head + b"\r\n\r\n" + rest)
                time.sleep(self._slow_s)
                peer.sendall(self.answer(request) if callable(self.answer) else self.answer)
                if self._stays:
                    self._closing.wait(5)
