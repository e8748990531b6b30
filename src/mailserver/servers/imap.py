"""IMAP on ports 143 and 993: the sessions of one process and what they share.

Spec: RFC 3501 §2.1; RFC 8314 §3.2.  Status: complete.
"""

import asyncio
import time

from mailserver import __version__
from mailserver.imap import registry
from mailserver.imap.session import Server
from mailserver.servers.context import Context
from mailserver.servers.imap_connection import Connection
from mailserver.servers.imap_watch import Watch
from mailserver.servers.limits import Guest
from mailserver.servers.stream import Stream

TURNED_AWAY = (b"* BYE [UNAVAILABLE] ", b"\r\n")  #: around the reason, for whom there is no room


class Imap:
    """The protocol, for all its listeners; `serve` is their handler.

    What the sessions share is made with the first connection, so that one object made before a fork does for each
    process.
    """

    def __init__(self) -> None:
        registry.load()
        self._context: Context | None = None
        self._server: Server
        self._watch: Watch

    async def serve(self, stream: Stream, context: Context, guest: Guest) -> None:
        """Own *stream* until its end."""
        if self._context is not context:
            self._begin(context)
        await Connection(stream, context, guest, self._server, self._watch).run()

    def _begin(self, context: Context) -> None:
        self._server = Server(
            context.hostname,
            __version__,
            limits=context.limits.imap,
            mime_limits=context.limits.mime,
            has_tls=True,
            clock=asyncio.get_running_loop().time,
            now=time.time,
            managesieve=context.managesieve,
        )
        context.hub.watch_directory(self._server.rooms.clear)
        self._watch = Watch(self._server, context.hub, context.work)
        self._context = context
