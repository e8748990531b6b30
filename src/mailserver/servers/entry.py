"""Log-in as a connection sees it: a claim is checked, or a proof's ground looked up and its verdict taken.

Spec: RFC 4422 §3.6 (nobody learns which part was wrong); RFC 5802 §9.  Status: complete.
"""

from pathlib import Path

from mailserver.base.errors import AuthFailed, Corrupt, NotFound, TryLater
from mailserver.base.log import Log
from mailserver.directory import proofs
from mailserver.directory.proofs import Known
from mailserver.directory.seal import Seal, load
from mailserver.sasl.mechanism import Credentials, Kept, Proof, Secrets, Wanted
from mailserver.servers.context import Context
from mailserver.servers.guard import Door
from mailserver.servers.login import WRONG, address_of, authenticate, note_login
from mailserver.store.tx import Read
from mailserver.store.values import Account


class Entry:
    """The way in of one connection; one exchange at a time.  peer: its IP address."""

    __slots__ = ("_context", "_known", "_log", "_opened", "_peer")

    def __init__(self, context: Context, peer: str, log: Log) -> None:
        self._context = context
        self._peer = peer
        self._log = log
        self._opened: Door | None = None  # most connections of other servers never log in
        self._known = Known(None, Secrets())

    @property
    def _door(self) -> Door:
        if self._opened is None:
            self._opened = Door(self._context.guard, self._peer, self._log)
        return self._opened

    async def look_up(self, wanted: Wanted) -> Secrets:
        """What is kept of the login that a mechanism asks for.

        Raises LimitReached when there was too much guessing, TryLater.
        """
        address = address_of(wanted.login)
        await self._door.admit(str(address or ""))
        try:
            self._known = await self._context.work.read(lambda tx: self._read(tx, wanted))
        except TryLater:
            self._door.undecided()
            raise
        return self._known.secrets

    async def check(self, said: Credentials | Proof) -> Account:
        """Who has come in.  Raises AuthFailed, LimitReached, TryLater."""
        if isinstance(said, Proof):
            return await self._accept(said)
        context = self._context
        return await authenticate(
            context.work,
            context.verified,
            said.login,
            said.password,
            said.authzid,
            door=self._door,
            makes_keys=context.offer.makes_keys,
        )

    def _read(self, tx: Read, wanted: Wanted) -> Known:
        address = address_of(wanted.login)
        if wanted.kept is Kept.SCRAM_KEYS:
            return proofs.scram(tx, wanted.login, address)
        if wanted.kept is Kept.CERTIFICATE:
            return proofs.certificate(tx, address)
        return proofs.cram_md5(tx, address, _seal(self._context.seals))

    async def _accept(self, proof: Proof) -> Account:
        known, work = self._known, self._context.work
        self._known = Known(None, Secrets())
        if proof.authzid and address_of(proof.authzid) != address_of(proof.login):
            raise AuthFailed("Nobody may act as somebody else")
        which, account = proof.which, known.account
        if (
            which is None
            or account is None
            or not await work.read(lambda tx: _is_still(tx, account, known, which))
        ):
            self._door.failed(proof.login)
            raise AuthFailed(WRONG)
        self._door.passed()
        note_login(work, account, known.passwords[which])
        return account


def _is_still(tx: Read, account: Account, known: Known, which: int) -> bool:
    """Whether what was proved is still worth something: a moment has passed since it was looked up."""
    found = tx.accounts.credentials(account.localpart, account.domain)
    if found is None or not found.is_active or found.account.id != account.id:
        return False
    if known.by_certificate:
        return True
    password = known.passwords[which]
    if password is not None:
        return any(p.id == password for p in tx.app_passwords.list(account.id))
    row = tx.scram.of(account.id)
    return row is not None and row.stored_key == known.secrets.keys[which].stored


def _seal(folder: Path) -> Seal | None:
    try:
        return load(folder)
    except (NotFound, Corrupt, OSError) as error:
        Log("login").error("CRAM-MD5 cannot be checked", reason=str(error))
        return None
