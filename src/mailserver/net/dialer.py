"""Makes connections to the servers of others, ready for mail.

Spec: RFC 5321 §3.1, §3.2.  Status: complete.
"""

from mailserver.base.limits import OutboundLimits
from mailserver.mta.security import Security
from mailserver.net.smtp import Hop, OutboundConnection
from mailserver.net.smtp_tls import ClientTls
from mailserver.net.sources import Sources
from mailserver.smtp.client import Client
from mailserver.smtp.outgoing import HopError


class Dialer:
    """Makes connections.  Keep one for the life of the program: TLS contexts are dear."""

    def __init__(
        self,
        hostname: str,
        limits: OutboundLimits,
        tls: ClientTls | None = None,
        sources: Sources | None = None,
    ) -> None:
        """hostname: what we call ourselves in EHLO.  sources: where connections by SMTP come from."""
        self._hostname = hostname
        self._limits = limits
        self._tls = tls or ClientTls()
        self._sources = sources or Sources()

    async def connect(self, hop: Hop, security: Security) -> OutboundConnection:
        """A connection on which MAIL may be said.  Raises HopError; TlsFailed when it was the handshake's fault."""
        client = Client(
            self._hostname,
            limit=self._limits.reply_size,
            is_lmtp=hop.is_lmtp,
            is_tls=hop.is_tls,
        )
        sources = Sources() if hop.is_lmtp else self._sources
        connection = OutboundConnection(hop, security, client, self._limits, self._tls, sources)
        try:
            await connection.open()
        except HopError as error:
            error.our_address = connection.our_address
            connection.abort()
            raise
        except BaseException:
            connection.abort()
            raise
        return connection
