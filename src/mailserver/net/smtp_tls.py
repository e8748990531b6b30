"""TLS towards other mail servers: one context for each kind of demand, and what came of a handshake.

Spec: RFC 7435 §3; RFC 9325 §3.1, §4.2; RFC 6125 §6; RFC 7672 §3.1; RFC 8460 §4.3.  Status: complete.

Where nobody checks the certificate, encryption with an old key or suite is still better than none; where it is checked,
only what RFC 9325 recommends will do.
"""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from mailserver.mailauth.dane import Dane
from mailserver.mailauth.tlsa import NotProved, prove, show
from mailserver.net.tls import CIPHERS
from mailserver.net.trouble import said
from mailserver.smtp.client_trouble import untrusted
from mailserver.smtp.outgoing import Tls


class TlsFacts(NamedTuple):
    """How a connection is protected, for the attempt's record.

    is_verified: the certificate proves what it had to prove.
    by:          what that was, where it was no operator's wish: "DANE-EE 3 1 1", "MTA-STS"; or why it was not.
    """

    version: str
    cipher: str
    is_verified: bool
    by: str = ""

    def __str__(self) -> str:
        verified = " verified" if self.is_verified else ""
        return f"{self.version} {self.cipher}{verified}{f' ({self.by})' if self.by else ''}"


class ClientTls:
    """The contexts, each made when it is first needed: reading the system's authorities takes its time."""

    __slots__ = ("_authorities", "_dane", "_lenient", "_strict")

    def __init__(self, authorities: Path | None = None) -> None:
        """authorities: a file of certificates to trust instead of the system's."""
        self._authorities = authorities
        self._lenient: ssl.SSLContext | None = None
        self._strict: ssl.SSLContext | None = None
        self._dane: ssl.SSLContext | None = None

    def context(self, demand: Tls) -> ssl.SSLContext:
        """What a handshake for *demand* uses."""
        if demand is Tls.VERIFY:
            if self._strict is None:
                self._strict = _strict(self._authorities)
            return self._strict
        if demand is Tls.DANE:
            if self._dane is None:
                self._dane = _unchecked(CIPHERS)  # `proof` looks at the certificate afterwards
            return self._dane
        if self._lenient is None:
            self._lenient = _unchecked("DEFAULT:@SECLEVEL=1")
        return self._lenient


def _strict(authorities: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.hostname_checks_common_name = False  # RFC 8461 §4.2
    return context


def _unchecked(ciphers: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    return context


def facts(transport: asyncio.BaseTransport, *, is_verified: bool, by: str = "") -> TlsFacts:
    """What the handshake on *transport* arrived at."""
    session = transport.get_extra_info("ssl_object")
    cipher = session.cipher()
    return TlsFacts(session.version() or "", cipher[0] if cipher else "", is_verified, by)


def proof(transport: asyncio.BaseTransport, dane: Dane, now: datetime) -> str:
    """The record that vouches for who is at the other end of *transport*: "DANE-EE 3 1 1".  Raises TlsFailed."""
    session = transport.get_extra_info("ssl_object")
    try:
        return show(prove(_chain(session), dane.records, dane.names, now))
    except NotProved as error:
        raise untrusted(f"DANE: {error}", error.kind) from error


class _Shown(Protocol):
    def public_bytes(self, format: int) -> bytes: ...


class _Session(Protocol):
    def get_unverified_chain(self) -> Sequence[_Shown | bytes] | None: ...


def _chain(session: ssl.SSLObject) -> list[bytes]:
    """The certificates that the server has sent, DER, as it sent them.

    Python 3.13 has a method for it; before, only the object below has it, and gives other objects.
    """
    inner = session if hasattr(session, "get_unverified_chain") else session._sslobj  # type: ignore[attr-defined]  # see above
    shown = cast(_Session, inner).get_unverified_chain() or ()
    return [one if isinstance(one, bytes) else one.public_bytes(_DER) for one in shown]


_DER = 2  # _ssl.ENCODING_DER


def kind_of(error: Exception) -> str:
    """The result type of RFC 8460 §4.3 for a failed handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _KINDS.get(error.verify_code, "certificate-not-trusted")
    return "validation-failure"


#: X509_V_ERR_CERT_NOT_YET_VALID, _CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH of OpenSSL
_KINDS = {
    9: "certificate-expired",
    10: "certificate-expired",
    62: "certificate-host-mismatch",
    64: "certificate-host-mismatch",
}


def why(error: Exception) -> str:
    """The cause of a failed handshake, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return said(error)
