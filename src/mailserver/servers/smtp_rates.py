"""What one SMTP connection may still send, counted for whoever sends: a user who has logged in, or else a client.

A user's messages count when they are taken, so what was refused or broken off does not; a client's count as it tries.
"""

from collections.abc import Callable
from typing import NamedTuple

from mailserver.mta import check
from mailserver.mta.check import Asked, Verdict
from mailserver.mta.rates import Exceeded, Rates, Taken, Want
from mailserver.smtp.address import Address
from mailserver.smtp.reply import Reply
from mailserver.store.values import Account

Who = tuple[tuple[str, str], ...]


class _Wants(NamedTuple):
    """What is counted for those who send."""

    messages: tuple[Want, ...]
    recipients: tuple[Want, ...]
    octets: tuple[Want, ...]
    strangers: tuple[Want, ...]  # recipients that do not exist


class Toll:
    """One connection's.  *now*: UTC epoch seconds."""

    __slots__ = ("_now", "_passed", "_places", "_rates", "_taken", "_wants", "_who")

    def __init__(self, rates: Rates, peer: str, now: Callable[[], float]) -> None:
        self._rates = rates
        self._now = now
        self._places = rates.places(peer)
        self._who: Who = ()
        self._wants = _wants(())
        self._taken: list[Taken] = []
        self._passed: list[Verdict] = []  # on a message of theirs that may come

    def mail(self, account: Account | None, sender: Address | None) -> list[Verdict]:
        """Whether another message may come."""
        who = self._places if account is None else _user(account, sender)
        if who != self._who:  # mostly the one who has sent the message before
            self._wants = _wants(who)
            self._passed = []
        self._who = who
        now = self._now()
        rate: Exceeded | list[Taken] | None = self._rates.exceeded(self._wants.octets, now)
        if rate is None:
            rate = self._rates.take(self._wants.messages, now)
        if isinstance(rate, Exceeded):
            self._taken = []
            return check.ask("mail", Asked(self._shown(), rate=rate))
        self._taken = [] if account is None else rate
        self._passed = self._passed or check.ask("mail", Asked(self._shown()))
        return self._passed

    def recipient(self) -> Reply | None:
        """Why it may not have another recipient; None: it may."""
        now, is_user = self._now(), self._who is not self._places
        refused = None
        if self._places and not is_user:
            refused = self._rates.exceeded(self._wants.strangers, now)
        rate = self._rates.take(self._wants.recipients, now)
        if isinstance(rate, Exceeded):
            return self._refusal(rate, refused)
        if is_user:
            self._taken += rate
        return self._refusal(None, refused) if refused is not None else None

    def _refusal(self, rate: Exceeded | None, refused: Exceeded | None) -> Reply | None:
        return check.ask("rcpt", Asked(self._shown(), rate=rate, refused=refused))[-1].refusal

    def unknown_recipient(self) -> None:
        """A stranger asked for somebody who does not exist."""
        if self._who is self._places:
            self._rates.count(self._wants.strangers, self._now())

    def end(self, size: int, *, is_taken: bool) -> None:
        """The transaction is over, *size* octets have come."""
        is_user = self._who is not self._places
        if is_user and not is_taken:
            self._rates.take_back(self._taken)
        elif size:
            octets = (
                Want(kind, name, measure, size) for kind, name, measure, _ in self._wants.octets
            )
            self._rates.count(octets, self._now())
        self._taken = []

    def _shown(self) -> str:
        return self._who[0][1] if self._who else ""


def _wants(who: Who) -> _Wants:
    return _Wants(
        *(
            tuple(Want(kind, name, measure) for kind, name in who)
            for measure in ("messages", "recipients", "bytes", "refused_recipients")
        )
    )


def _user(account: Account, sender: Address | None) -> Who:
    domain = ("domain", account.domain)
    if sender is None:
        return ("account", account.address), domain
    return ("account", account.address), ("sender", str(sender).lower()), domain
