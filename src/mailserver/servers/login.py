"""Log-in, for every protocol that has passwords: who is it, at what cost, and what is noted.

Spec: RFC 4422 §3.6 (nobody learns which part was wrong); RFC 4616 §2.  Status: complete for passwords of accounts.
"""

import asyncio
import time
from typing import Any
from weakref import WeakKeyDictionary

from mailserver.base.errors import AuthFailed, Cannot, MailError
from mailserver.base.ids import AccountId
from mailserver.base.log import Log
from mailserver.directory.addresses import parse
from mailserver.directory.auth import Verified
from mailserver.directory.passwords import DUMMY, hash_password, needs_rehash, prepare, verify
from mailserver.servers.guard import Door
from mailserver.servers.work import Work
from mailserver.smtp.address import Address
from mailserver.store.tx import Write
from mailserver.store.values import Account

#: argon2 takes 19 MiB and a core each time: so many at once, the others wait in line
HASHES = 2
NOTED_S = 3_600  #: a last log-in younger than this is not written again

WRONG = "Log-in name or password is wrong"

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_notes: set[asyncio.Task[Any]] = set()  # the loop itself keeps no task alive


async def authenticate(
    work: Work,
    verified: Verified,
    login: str,
    password: str,
    authzid: str = "",
    *,
    door: Door | None = None,
) -> Account:
    """The account whose address is *login* and whose password is *password*.

    authzid: whom the user wants to act as: himself, or nobody in particular (RFC 4422 §3.4.1).
    door:    the connection's; it counts what fails, and makes who guesses wait or go.
    Raises AuthFailed, after the same work, whether the account is unknown, disabled or the password wrong; LimitReached
    before any when there was too much guessing.  The account may be as old as the cache; its id and address are right.
    """
    loop = asyncio.get_running_loop()
    address = _address(login)
    if authzid and _address(authzid) != address:
        raise AuthFailed("Nobody may act as somebody else")
    name, octets = str(address or ""), prepare(password)
    known = verified.get(name, octets, loop.time())
    if known is not None:
        return known
    if verified.was_wrong(
        name, octets, loop.time()
    ):  # a program that has an old password, day and night
        raise AuthFailed(WRONG)
    if door is not None:
        await door.admit(name)
    epoch = verified.epoch
    found = None
    if address is not None:
        found = await work.read(lambda tx: tx.accounts.credentials(*address))
    encoded = found.password_hash if found is not None else DUMMY
    async with _turns.setdefault(loop, asyncio.Semaphore(HASHES)):
        is_right = await work.thread(lambda: verify(encoded, password))
    if found is None or not is_right or not found.is_active:
        verified.forget(name)
        verified.put_wrong(name, octets, loop.time(), epoch)
        if door is not None:
            door.failed(login)
        raise AuthFailed(WRONG)
    if door is not None:
        door.passed()
    verified.put(name, octets, found.account, loop.time(), epoch)
    note = loop.create_task(_note(work, found.account, encoded, password))
    _notes.add(note)
    note.add_done_callback(_notes.discard)
    return found.account


def _address(login: str) -> Address | None:
    try:
        return parse(login)
    except Cannot:
        return None


async def _note(work: Work, account: Account, encoded: str, password: str) -> None:
    """Write down the log-in, and the password in today's hash; the user does not wait for either."""
    try:
        last = account.last_login_at
        now = int(time.time())
        if last is None or not 0 <= now - last < NOTED_S:
            await work.write(lambda tx: tx.accounts.logged_in(account.id, tx.now))
        if needs_rehash(encoded):
            async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(HASHES)):
                fresh = await work.thread(lambda: hash_password(password))
            await work.write(lambda tx: _replace_hash(tx, account.id, encoded, fresh))
    except MailError as error:
        Log("login").warning("log-in not noted", account=account.address, reason=str(error))


def _replace_hash(tx: Write, account: AccountId, old: str, new: str) -> None:
    """Unless the password was changed meanwhile."""
    is_there = tx.accounts.get(account)
    found = tx.accounts.credentials(is_there.localpart, is_there.domain)
    if found is not None and found.password_hash == old:
        tx.accounts.set(account, password_hash=new)
