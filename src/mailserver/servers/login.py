"""Log-in, for every protocol that has passwords: who is it, at what cost, and what is noted.

Spec: RFC 4422 §3.6 (nobody learns which part was wrong); RFC 4616 §2.  Status: complete for
accounts' own passwords and app passwords; `entry` takes the proofs of mechanisms that show no password.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any
from weakref import WeakKeyDictionary

from mailserver.base.errors import AuthFailed, Cannot, MailError, TryLater
from mailserver.base.ids import AppPasswordId
from mailserver.base.log import Log
from mailserver.directory import app_passwords, proofs
from mailserver.directory.addresses import parse
from mailserver.directory.auth import Verified
from mailserver.directory.passwords import DUMMY, hash_password, needs_rehash, prepare, verify
from mailserver.servers.guard import Door
from mailserver.servers.work import Work
from mailserver.smtp.address import Address
from mailserver.store.tx import Read
from mailserver.store.values import Account, AppPassword, Credentials

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
    makes_keys: bool = False,
) -> Account:
    """The account whose address is *login* and whose password, or one of whose app passwords, is *password*.

    authzid: whom the user wants to act as: himself, or nobody in particular (RFC 4422 §3.4.1).
    door:    the connection's; it counts what fails, and makes who guesses wait or go.
    makes_keys: keys for SCRAM are made of a password that is right.
    Raises AuthFailed, after the same work, whether the account is unknown, disabled or the password wrong; LimitReached
    before any when there was too much guessing.  The account may be as old as the cache; its id and address are right.
    """
    loop = asyncio.get_running_loop()
    address = address_of(login)
    if authzid and address_of(authzid) != address:
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
    found = app = None
    if address is not None:
        try:
            found, app = await work.read(lambda tx: _read(tx, address, password))
        except TryLater:
            if door is not None:
                door.undecided()
            raise
    encoded = found.password_hash if found is not None else DUMMY
    is_right = app is not None
    if not is_right:
        async with _turns.setdefault(loop, asyncio.Semaphore(HASHES)):
            known = verified.get(name, octets, loop.time())  # another connection was quicker
            if known is not None:
                if door is not None:
                    door.passed()
                return known
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
    if app is not None:
        note_login(work, found.account, app.id)
    else:
        _later(_note_password(work, found.account, encoded, password, makes_keys))
    return found.account


def address_of(login: str) -> Address | None:
    """The address that a log-in name is; None if it is none."""
    try:
        return parse(login)
    except Cannot:
        return None


def note_login(work: Work, account: Account, app: AppPasswordId | None) -> None:
    """Write down that *account* has logged in, and with which app password; nobody waits for it."""
    _later(_note(work, account, app))


def _read(
    tx: Read, address: Address, password: str
) -> tuple[Credentials | None, AppPassword | None]:
    found = tx.accounts.credentials(*address)
    if found is None:
        return None, None
    return found, tx.app_passwords.find(found.account.id, app_passwords.digest(password))


def _later(work: Coroutine[Any, Any, None]) -> None:
    note = asyncio.get_running_loop().create_task(work)
    _notes.add(note)
    note.add_done_callback(_notes.discard)


async def _note(work: Work, account: Account, app: AppPasswordId | None = None) -> None:
    try:
        if _is_old(account.last_login_at):
            await work.write(lambda tx: tx.accounts.logged_in(account.id, tx.now))
        if app is not None:
            found = await work.read(lambda tx: tx.app_passwords.list(account.id))
            if any(p.id == app and _is_old(p.last_used_at) for p in found):
                await work.write(lambda tx: tx.app_passwords.used(app, tx.now))
    except MailError as error:
        _not_noted(account, error)


def _is_old(at: int | None) -> bool:
    return at is None or not 0 <= int(time.time()) - at < NOTED_S


async def _note_password(
    work: Work, account: Account, encoded: str, password: str, makes_keys: bool
) -> None:
    """The log-in, the password in today's hash, and its keys for SCRAM."""
    await _note(work, account)
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(HASHES))
    try:
        if needs_rehash(encoded):
            async with turn:
                fresh = await work.thread(lambda: hash_password(password))
            if await work.write(lambda tx: tx.accounts.rehash(account.id, encoded, fresh)):
                encoded = fresh
        if not makes_keys:
            return
        async with turn:  # who comes later finds the keys made
            row = await work.read(lambda tx: proofs.row_of(tx, account))
            if row.stored_key is None:
                made = await work.thread(lambda: proofs.with_keys(row, password))
                await work.write(lambda tx: proofs.keep(tx, account, encoded, made))
    except MailError as error:
        _not_noted(account, error)


def _not_noted(account: Account, error: MailError) -> None:
    Log("login").warning("log-in not noted", account=account.address, reason=str(error))
