"""One ManageSieve connection, without its socket.

Spec: RFC 5804 §1.1, §1.7.  Status: complete.
"""

from dataclasses import dataclass, field

from mailserver.base.errors import PeerError
from mailserver.base.limits import SieveLimits
from mailserver.sasl.registry import Channel
from mailserver.store.scripts import Owner
from mailserver.store.values import Account


@dataclass(slots=True)
class Session:
    """account: who is logged in, None for nobody.      channel: the connection as SASL sees it."""

    version: str
    limits: SieveLimits
    is_tls: bool
    channel: Channel = field(default_factory=lambda: Channel(is_private=False))
    account: Account | None = None

    @property
    def owner(self) -> Owner:
        """Whose scripts commands are about.  Raises PeerError before log-in."""
        if self.account is None:
            raise PeerError("log in first")
        return Owner(account=self.account.id)
