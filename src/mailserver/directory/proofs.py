"""What mechanisms check proofs with: SCRAM's salts and keys, CRAM-MD5's passwords; of unknown users the same, empty.

Spec: RFC 5802 §3, §9; RFC 7677 §4; RFC 2195 §3; RFC 4422 Appendix A.  Status: complete.

The salt of an account is made from its address and a key of the server, and so are those of accounts that do not exist:
nobody learns from a salt which is which.
"""

import hmac
from typing import NamedTuple

from mailserver.base.errors import Corrupt
from mailserver.base.ids import AppPasswordId
from mailserver.base.log import Log
from mailserver.directory.passwords import prepare
from mailserver.directory.seal import Seal
from mailserver.sasl.mechanism import Keys, Secrets
from mailserver.sasl.saslprep import saslprep
from mailserver.sasl.scram import make_keys
from mailserver.smtp.address import Address
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account, Credentials, ScramRow

#: what a client computes at each log-in, some 30 ms, and for each guess whoever has stolen the database.
#: Client: Cyrus SASL (mbsync and others) computes no more than 65,536.
ITERATIONS = 65_536
_SALT = 16  # octets


class Known(NamedTuple):
    """What is kept of a login, for one mechanism.

    account:   None if nobody logs in with this name, for whatever reason.
    by_certificate: no password is needed, TLS has checked who it is.
    passwords: of the keys or passwords in *secrets*, in their order: app passwords, and None for the account's own.
    """

    account: Account | None
    secrets: Secrets
    passwords: tuple[AppPasswordId | None, ...] = ()
    by_certificate: bool = False


def scram(tx: Read, login: str, address: Address | None) -> Known:
    """For SCRAM; *address* is *login* as the directory spells it, None if it is no address."""
    found = _active(tx, address)
    row = tx.scram.of(found.account.id) if found is not None else None
    if found is None or row is None:
        return Known(None, Secrets(salt_for(tx, str(address or login)), ITERATIONS))
    passwords: list[AppPasswordId | None] = []
    keys = []
    if row.stored_key is not None and row.server_key is not None:
        passwords.append(None)
        keys.append(Keys(row.stored_key, row.server_key))
    for password, kept in tx.app_passwords.secrets(found.account.id):
        passwords.append(password)
        keys.append(Keys(kept.stored_key, kept.server_key))
    secrets = Secrets(row.salt, row.iterations, keys=tuple(keys))
    return Known(found.account, secrets, tuple(passwords))


def cram_md5(tx: Read, address: Address | None, seal: Seal | None) -> Known:
    """For CRAM-MD5: the app passwords that were made while the domain allowed it, if it still does."""
    found = _active(tx, address)
    if found is None or seal is None or not tx.domains.get(found.account.domain_id).cram_md5:
        return Known(None, Secrets())
    passwords, plain = [], []
    for password, kept in tx.app_passwords.secrets(found.account.id):
        if kept.sealed is None:
            continue
        try:
            plain.append(seal.open(kept.sealed, about(found.account)))
        except Corrupt as error:
            Log("login").error(str(error), account=found.account.address)
            continue
        passwords.append(password)
    return Known(found.account, Secrets(passwords=tuple(plain)), tuple(passwords))


def certificate(tx: Read, address: Address | None) -> Known:
    """For EXTERNAL: the account whose address the certificate holds (RFC 4422 Appendix A)."""
    found = _active(tx, address)
    if found is None:
        return Known(None, Secrets())
    return Known(found.account, Secrets(), (None,), by_certificate=True)


def about(account: Account) -> str:
    """What its app passwords are sealed for."""
    return f"an app password of account {account.id}"


def salt_for(tx: Read, name: str) -> bytes:
    """The salt of an account with this address, whether there is one or not."""
    return hmac.digest(
        tx.routes.secret("login"), b"salt\0" + name.encode(errors="replace"), "sha256"
    )[:_SALT]


def row_of(tx: Read, account: Account) -> ScramRow:
    """What is known of *account*, or will be: the salt and iterations to make keys with."""
    return tx.scram.of(account.id) or fresh_row(tx, account.address)


def fresh_row(tx: Read, address: str) -> ScramRow:
    """What a new account with this address begins with."""
    return ScramRow(salt_for(tx, address), ITERATIONS, None, None)


def with_keys(row: ScramRow, password: str) -> ScramRow:
    """The *row* with the keys of *password*, taken as PLAIN takes it where SASLprep does not.  Slow on purpose."""
    keys = make_keys(saslprep(password) or prepare(password), row.salt, row.iterations)
    return row._replace(stored_key=keys.stored, server_key=keys.server)


def keep(tx: Write, account: Account, password_hash: str, row: ScramRow) -> bool:
    """Whether the keys of *row* are the account's now: not if its password has changed since it had this hash."""
    found = tx.accounts.credentials(account.localpart, account.domain)
    if found is None or found.password_hash != password_hash:
        return False
    return tx.scram.put(account.id, row).stored_key == row.stored_key


def _active(tx: Read, address: Address | None) -> Credentials | None:
    found = tx.accounts.credentials(*address) if address is not None else None
    return found if found is not None and found.is_active else None
