"""Passwords that were verified a moment ago: a client that opens ten connections costs one argon2, not ten.

A program that tries an old password day and night costs nothing either: what was wrong is remembered for an hour.
Nothing that was typed is kept, only a keyed hash of it, in memory.  All of it is dropped when anything in the directory
changes, and what is known of a log-in when somebody fails with it.
"""

import hmac
from collections import OrderedDict
from hashlib import blake2b
from typing import NamedTuple

from mailserver.store.values import Account

WRONG_S = 3_600.0


class _Entry(NamedTuple):
    digest: bytes
    account: Account
    expires_at: float


class Verified:
    """A bounded memory of log-ins that were right.

    secret: random octets of this process.  Times are seconds of any one clock.
    """

    __slots__ = ("_entries", "_secret", "_size", "_ttl_s", "_wrong", "epoch")

    def __init__(self, secret: bytes, *, ttl_s: float = 60.0, size: int = 10_000) -> None:
        self._secret = secret[:64]
        self._ttl_s = ttl_s
        self._size = size
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._wrong: OrderedDict[bytes, float] = OrderedDict()
        self.epoch = 0  # grows with every `clear`

    def get(self, login: str, password: bytes, now: float) -> Account | None:
        """The account as of the last full check, if this very password was right less than *ttl_s* ago."""
        entry = self._entries.get(login)
        if entry is None or entry.expires_at <= now:
            return None
        if not hmac.compare_digest(entry.digest, self._digest(login, password)):
            return None
        return entry.account

    def put(self, login: str, password: bytes, account: Account, now: float, epoch: int) -> None:
        """Remember that this was right; not if the directory has changed since *epoch* was read."""
        if epoch != self.epoch:
            return
        self._entries[login] = _Entry(self._digest(login, password), account, now + self._ttl_s)
        self._entries.move_to_end(login)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def put_wrong(self, login: str, password: bytes, now: float, epoch: int) -> None:
        """Remember for an hour that this was wrong; not if the directory has changed since *epoch* was read."""
        if epoch != self.epoch:
            return
        self._wrong[self._digest(login, password)] = now + WRONG_S
        if len(self._wrong) > self._size:
            self._wrong.popitem(last=False)

    def was_wrong(self, login: str, password: bytes, now: float) -> bool:
        """Whether this very password was wrong within the last hour, and nothing has changed since."""
        return self._wrong.get(self._digest(login, password), now) > now

    def forget(self, login: str) -> None:
        """Somebody failed with *login*: the next one is checked in full."""
        self._entries.pop(login, None)

    def clear(self) -> None:
        """The directory has changed."""
        self._entries.clear()
        self._wrong.clear()
        self.epoch += 1

    def _digest(self, login: str, password: bytes) -> bytes:
        return blake2b(
            login.encode(errors="replace") + b"\0" + password, key=self._secret, digest_size=32
        ).digest()
