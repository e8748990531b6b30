"""App passwords: random, made here, shown once, each for one program; they log in with every mechanism.

Status: complete.

With 99 bits of chance in them they need no slow hash.  A lost telephone costs one of them, not the account's password,
and where a second factor guards the account they are what programs log in with.
"""

import hashlib
import secrets
from typing import NamedTuple

from mailserver.base.errors import Cannot, LimitReached
from mailserver.directory import proofs
from mailserver.directory.passwords import prepare
from mailserver.directory.seal import Seal
from mailserver.sasl.scram import make_keys
from mailserver.store.tx import Write
from mailserver.store.values import Account, AppPassword, AppPasswordSecrets, ScramRow

LENGTH = 20  #: characters
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  #: none that look like another
MOST = 100  #: of one account: a SCRAM log-in looks at each
MAX_NAME = 100  #: characters


class Made(NamedTuple):
    """A new one.  password: to be shown to its user, once, and to be kept nowhere."""

    password: str
    digest: bytes
    secrets: AppPasswordSecrets


def make(account: Account, row: ScramRow, seal: Seal | None) -> Made:
    """A new one for *account*, not stored yet; slow on purpose.

    row: the account's, from `proofs.row_of`; seal: where its domain allows CRAM-MD5, else None.
    """
    password = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    keys = make_keys(password.encode(), row.salt, row.iterations)
    sealed = seal.close(password.encode(), proofs.about(account)) if seal is not None else None
    return Made(password, digest(password), AppPasswordSecrets(keys.stored, keys.server, sealed))


def create(tx: Write, account: Account, name: str, row: ScramRow, made: Made) -> AppPassword:
    """It logs in from now on.  Raises Cannot, AlreadyExists, LimitReached."""
    check_name(name)
    if len(tx.app_passwords.list(account.id)) >= MOST:
        raise LimitReached(f"{account.address} has {MOST} app passwords, more are not possible")
    there = tx.scram.put(account.id, row)
    if (there.salt, there.iterations) != (row.salt, row.iterations):
        raise Cannot("the account was made anew meanwhile; try again")
    return tx.app_passwords.add(account.id, name, made.digest, made.secrets)


def check_name(name: str) -> None:
    """Raises Cannot for a name that would break tables or tells nothing."""
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise Cannot(f"an app password has a name of 1 to {MAX_NAME} characters, on one line")


def digest(password: str) -> bytes:
    """Under which a password that somebody typed is looked up."""
    return hashlib.sha256(prepare(password)).digest()
