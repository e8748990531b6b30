"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: both sides prove that they know the password, and neither says it.

Spec: RFC 5802; RFC 7677; RFC 5929 §3, §4; RFC 9266 §4.  Status: complete on the server's side.
Deviates: RFC 5802 §5.1: a user name is compared as addresses are, not after SASLprep.

An account may have several passwords: all have the account's one salt, so that any of them may be the one in use.
The server's last word goes out as a challenge, to which the client answers nothing: neither SMTP nor IMAP has room for
it beside their own (RFC 4422 §3.6; RFC 4954 §4).
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from enum import Enum

from mailserver.base.errors import PeerError
from mailserver.sasl.mechanism import (
    MAX_RESPONSE,
    Challenge,
    Kept,
    Keys,
    Proof,
    Said,
    Secrets,
    Wanted,
)

_NONCE = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
_NAME = re.compile(r"(?:[^=,\0]|=2C|=3D)+")
_BINDING = re.compile(r"p=([A-Za-z0-9.-]+)")
_EXTENSION = re.compile(r"[A-Za-z]=[^,\0]+")
_NOBODY = Keys(bytes(32), bytes(32))  # checked where nothing is kept, to take as long


class _Stage(Enum):
    FIRST = 1  # client-first-message comes
    FINAL = 2  # client-final-message comes
    OVER = 3  # an empty line comes


class Scram:
    """One exchange.

    bindings:  channel binding data of this connection by type; empty without.
    is_plus:   the client has chosen the mechanism that binds the channel.
    nonce:     random printable ASCII without commas, the server's part of it.
    """

    def __init__(self, bindings: Mapping[str, bytes], *, is_plus: bool, nonce: str) -> None:
        self._bindings = bindings
        self._is_plus = is_plus
        self._own_nonce = nonce
        self._stage = _Stage.FIRST
        self._authzid = self._login = self._nonce = ""
        self._header = b""  # gs2-header and channel binding data, as "c" has to repeat them
        self._said = ""  # the messages so far, as AuthMessage joins them
        self._secrets = Secrets()
        self._which: int | None = None

    def step(self, response: bytes | None) -> Said:
        """The three messages of the client in turn.  Raises PeerError."""
        if response is None and self._stage is _Stage.FIRST:
            return Challenge(b"")
        if response is None or len(response) > MAX_RESPONSE:
            raise PeerError("response missing or too long")
        try:
            message = response.decode()
        except UnicodeDecodeError:
            raise PeerError("SCRAM wants UTF-8") from None
        if self._stage is _Stage.FIRST:
            return self._first(message)
        if self._stage is _Stage.FINAL:
            return self._final(message)
        if message:
            raise PeerError("nothing more to say")
        return Proof(self._authzid, self._login, self._which)

    def _first(self, message: str) -> Wanted:
        """gs2-cbind-flag "," [authzid] "," client-first-message-bare (RFC 5802 §7)."""
        attributes = message.split(",")
        if len(attributes) < 4:
            raise PeerError("client-first-message is cut short")
        flag, authzid, *bare = attributes
        binding = self._binding(flag)
        if authzid:
            if not authzid.startswith("a="):
                raise PeerError("a= expected")
            self._authzid = _name(authzid[2:])
        if not bare[0].startswith("n="):  # m= would be an extension we must know (RFC 5802 §5.1)
            raise PeerError("n= expected")
        self._login = _name(bare[0][2:])
        if not bare[1].startswith("r=") or not _NONCE.fullmatch(bare[1][2:]):
            raise PeerError("r= expected")
        _check_extensions(bare[2:])
        self._nonce = bare[1][2:] + self._own_nonce
        self._header = f"{flag},{authzid},".encode() + binding
        self._said = ",".join(bare)
        return Wanted(self._login, Kept.SCRAM_KEYS, self._server_first)

    def _binding(self, flag: str) -> bytes:
        """Channel binding data that goes with the flag; raises PeerError where it must not be used (RFC 5802 §6)."""
        if flag == "n" and not self._is_plus:
            return b""
        if flag == "y" and not self._is_plus:
            if self._bindings:
                raise PeerError("we do support channel binding: somebody has changed our list")
            return b""
        named = _BINDING.fullmatch(flag)
        if named is None or not self._is_plus:
            raise PeerError("channel binding flag does not fit the mechanism")
        data = self._bindings.get(named[1])
        if data is None:
            raise PeerError("no channel binding of this type here")
        return data

    def _server_first(self, secrets: Secrets) -> Challenge:
        self._secrets = secrets
        salt = base64.b64encode(secrets.salt).decode()
        said = f"r={self._nonce},s={salt},i={secrets.iterations}"
        self._said += f",{said}"
        self._stage = _Stage.FINAL
        return Challenge(said.encode())

    def _final(self, message: str) -> Challenge | Proof:
        """channel-binding "," nonce ["," extensions] "," proof (RFC 5802 §7)."""
        without_proof, mark, proof = message.rpartition(",p=")
        binding, *rest = without_proof.split(",")
        if not mark or not binding.startswith("c=") or not rest or not rest[0].startswith("r="):
            raise PeerError("client-final-message is cut short")
        _check_extensions(rest[1:])
        is_ours = hmac.compare_digest(_decoded(binding[2:]), self._header)
        is_ours &= hmac.compare_digest(rest[0][2:].encode(), self._nonce.encode())
        said = f"{self._said},{without_proof}".encode()
        shown = _decoded(proof)
        for which, keys in enumerate(self._secrets.keys or (_NOBODY,)):
            if _proves(keys, said, shown) and is_ours and self._secrets.keys:
                self._which = which
                self._stage = _Stage.OVER
                signature = hmac.digest(keys.server, said, "sha256")
                return Challenge(b"v=" + base64.b64encode(signature))
        return Proof(self._authzid, self._login, None)


def _proves(keys: Keys, said: bytes, proof: bytes) -> bool:
    """Whether *proof* comes from the password of *keys* (RFC 5802 §3)."""
    signature = hmac.digest(keys.stored, said, "sha256")
    client_key = bytes(a ^ b for a, b in zip(signature, proof, strict=False))
    stored = hashlib.sha256(client_key).digest()
    return len(proof) == len(signature) and hmac.compare_digest(stored, keys.stored)


def make_keys(password: bytes, salt: bytes, iterations: int) -> Keys:
    """What is kept of a password, which has been prepared; slow on purpose (RFC 5802 §3)."""
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return Keys(hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256"))


def _name(text: str) -> str:
    """A saslname (RFC 5802 §5.1, "n")."""
    if not _NAME.fullmatch(text):
        raise PeerError("a name is broken")
    return text.replace("=2C", ",").replace("=3D", "=")


def _check_extensions(attributes: list[str]) -> None:
    """Those we do not know are passed over, but for the one that must be known (RFC 5802 §5.1)."""
    for attribute in attributes:
        if not _EXTENSION.fullmatch(attribute) or attribute.startswith("m="):
            raise PeerError("an extension is broken or has to be known")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode(), validate=True)
    except binascii.Error:
        raise PeerError("broken base64") from None
