"""The user of RFC 7677 §3: what is kept of him, and the server's nonce there."""

import base64

from mailserver.sasl.mechanism import Kept, Secrets, Wanted
from mailserver.sasl.registry import Channel
from mailserver.sasl.scram import make_keys

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
PENCIL = make_keys(b"pencil", SALT, 4096)
SECRETS = Secrets(SALT, 4096, keys=(PENCIL,))
NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"


def channel(hostname: str) -> Channel:
    """One on which every mechanism can be used."""
    return Channel(
        is_private=True,
        hostname=hostname,
        bindings={"tls-unique": b"unique"},
        has_scram=True,
        has_cram_md5=True,
        nonce=lambda: NONCE,
    )


def kept(wanted: Wanted) -> Secrets:
    """What is kept of the login that a mechanism asks for."""
    is_user = wanted.login == "user"
    if wanted.kept is Kept.PASSWORDS:
        return Secrets(passwords=(b"pencil",) if is_user else ())
    return SECRETS if is_user else Secrets(SALT, 4096)
