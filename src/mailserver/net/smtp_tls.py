"""TLS towards other mail servers: one context for each kind of demand, and what came of a handshake.

Spec: RFC 7435 §3; RFC 9325 §3.1, §4.2; RFC 6125 §6.  Status: complete.

Where nobody checks the certificate, encryption with an old key or suite is still better than none; where it is checked,
only what RFC 9325 recommends will do.
"""

import asyncio
import ssl
from pathlib import Path
from typing import NamedTuple

from mailserver.net.tls import CIPHERS
from mailserver.smtp.outgoing import Tls


class TlsFacts(NamedTuple):
    """How a connection is protected, for the attempt's record.

    is_verified: the certificate proves the name it had to prove.
    """

    version: str
    cipher: str
    is_verified: bool

    def __str__(self) -> str:
        return f"{self.version} {self.cipher}{' verified' if self.is_verified else ''}"


class ClientTls:
    """The contexts, each made when it is first needed: reading the system's authorities takes its time."""

    __slots__ = ("_authorities", "_lenient", "_strict")

    def __init__(self, authorities: Path | None = None) -> None:
        """authorities: a file of certificates to trust instead of the system's."""
        self._authorities = authorities
        self._lenient: ssl.SSLContext | None = None
        self._strict: ssl.SSLContext | None = None

    def context(self, demand: Tls) -> ssl.SSLContext:
        """What a handshake for *demand* uses."""
        if demand is Tls.VERIFY:
            if self._strict is None:
                self._strict = _strict(self._authorities)
            return self._strict
        if self._lenient is None:
            self._lenient = _lenient()
        return self._lenient


def _strict(authorities: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    return context


def _lenient() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT:@SECLEVEL=1")
    return context


def facts(transport: asyncio.BaseTransport, *, is_verified: bool) -> TlsFacts:
    """What the handshake on *transport* arrived at."""
    session = transport.get_extra_info("ssl_object")
    cipher = session.cipher()
    return TlsFacts(session.version() or "", cipher[0] if cipher else "", is_verified)


def why(error: Exception) -> str:
    """The cause of a failed handshake, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(error) or type(error).__name__
