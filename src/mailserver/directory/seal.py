"""Secrets that have to be read again, sealed with a key that is not in the database.

Status: complete.  AES-256-GCM (NIST SP 800-38D); what is sealed for one place does not open in another.

Passwords are hashed wherever that will do.  Two kinds cannot be: a password that we show to another server, and what
CRAM-MD5 computes with.  A copy of the database without the key file does not give them away; nor does it give them
back: the key belongs into the backup, too.
"""

import os
import secrets
from pathlib import Path

from mailserver.base.errors import Corrupt, NotFound

FILE = "seal.key"  #: in the data folder
_KEY = 32  # octets
_NONCE = 12


class Seal:
    """Seals and opens.  The library is imported on first use: few commands need it."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY:
            raise Corrupt(f"a seal's key has {_KEY} octets, this one has {len(key)}")
        self._key = key

    def close(self, secret: bytes, about: str) -> bytes:
        """*secret*, sealed; about: what it is for, to be said again when it is opened."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE)
        return nonce + AESGCM(self._key).encrypt(nonce, secret, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """The secret.  Raises Corrupt if it was sealed with another key, for something else, or has changed."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._key).decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode())
        except (InvalidTag, ValueError):
            raise Corrupt(f"the sealed secret of {about} does not open with {FILE}") from None


def load(folder: Path) -> Seal:
    """The seal of the data folder.  Raises NotFound without a key there, Corrupt, OSError."""
    try:
        return Seal((folder / FILE).read_bytes())
    except FileNotFoundError:
        raise NotFound(
            f"there is no {folder / FILE}: what was sealed with it cannot be read"
        ) from None


def load_or_make(folder: Path) -> Seal:
    """The same; the first time a key is made, which only the server's user may read.  Raises Corrupt, OSError."""
    path = folder / FILE
    if not path.exists():
        fresh = folder / f"{FILE}.{secrets.token_hex(8)}"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, secrets.token_bytes(_KEY))
            os.fsync(file)
            os.link(fresh, path)  # whole or not at all, and never in place of another
        except FileExistsError:
            pass  # another process was faster
        finally:
            os.close(file)
            fresh.unlink()
        _sync(folder)
    return load(folder)


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
