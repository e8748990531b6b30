"""The server's TLS: its certificate from files or made here, replaced while running; certificates of users.

Spec: RFC 9325 (versions and ciphers); RFC 5280 §4.2 (the extensions of the certificate); RFC 5929 (channel bindings);
RFC 4422 Appendix A (who a client certificate stands for).  Status: complete.
"""

import hashlib
import os
import ssl
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from weakref import WeakKeyDictionary

from mailserver.base.errors import MailError

if TYPE_CHECKING:
    from cryptography import x509

#: TLS 1.2 suites with forward secrecy and authenticated encryption only (RFC 9325 §4.2); TLS 1.3 has no others
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

#: clients remember a self-signed certificate as an exception, so that a new one looks like an attack
VALID_DAYS = 3_650
_CRL = "-----BEGIN X509 CRL-----"
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
RENEW_DAYS = 30  #: a certificate with less than this left is replaced at the next start


class TlsError(MailError):
    """The certificate or its key cannot be used; the text names the file."""


class Files(NamedTuple):
    """The certificate with its chain, and its key; both PEM."""

    certificate: Path
    key: Path


class ServerTls:
    """What listeners hand to a handshake.  Sessions keep the certificate they began with.

    context:   for other servers, who are never asked for a certificate: they have one of any kind and need none here.
    for_users: the same, and asks for a certificate that *client_ca* has signed, if there is such a file.
    """

    __slots__ = (
        "_certificates",
        "_client_ca",
        "_files",
        "_min_version",
        "context",
        "for_users",
    )

    def __init__(
        self, files: Files, min_version: str = "1.2", client_ca: Path | None = None
    ) -> None:
        """client_ca: certificates, PEM, perhaps with lists of what they revoked.  Raises TlsError."""
        self._files = files
        self._min_version = min_version
        self._client_ca = client_ca
        self._certificates: WeakKeyDictionary[ssl.SSLContext, bytes] = WeakKeyDictionary()
        self.reload()

    def reload(self) -> None:
        """Read the files again, for handshakes from now on.  Raises TlsError and keeps what it had."""
        context = for_users = server_context(self._files, self._min_version)
        if self._client_ca is not None:
            for_users = server_context(self._files, self._min_version)
            ask_for_certificate(for_users, self._client_ca)
        self.context, self.for_users = context, for_users
        for each in (context, for_users):
            self._certificates[each] = _first(self._files.certificate)

    def bindings(self, session: ssl.SSLObject) -> dict[str, bytes]:
        """Channel binding data of a session by type (RFC 5929 §3, §4); none with TLS 1.3.

        There clients expect tls-exporter (RFC 9266), for which Python's TLS has no function, and would fail with us if
        we offered them anything else.
        """
        if session.version() != "TLSv1.2":
            return {}
        found = {}
        if unique := session.get_channel_binding("tls-unique"):
            found["tls-unique"] = unique
        if end_point := _end_point(self._certificates.get(session.context, b"")):
            found["tls-server-end-point"] = end_point
        return found


def server_context(files: Files, min_version: str) -> ssl.SSLContext:
    """A context with the certificate *files*.  Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[min_version]
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    for path in files:
        try:
            path.open("rb").close()
        except OSError as error:
            raise TlsError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        context.load_cert_chain(*files, password=_no_password)
    except ssl.SSLError as error:
        reason = (error.reason or "").replace("_", " ").lower() or "no certificate in PEM form"
        raise TlsError(f"{files.certificate} with {files.key}: {reason}") from error
    return context


def ask_for_certificate(context: ssl.SSLContext, client_ca: Path) -> None:
    """Have clients asked for a certificate; whoever has none is welcome, a wrong one ends the handshake.

    With lists of revocations in the file each certificate's issuer needs one (RFC 5280 §5).  Raises TlsError.
    """
    try:
        text = client_ca.read_text("ascii", "replace")
        context.load_verify_locations(client_ca)
    except OSError as error:  # ssl.SSLError is one, too
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise TlsError(f"{client_ca}: cannot be used for client certificates: {reason}") from error
    if not context.get_ca_certs():
        raise TlsError(f"{client_ca}: holds no certificate of an authority")
    context.verify_mode = ssl.CERT_OPTIONAL
    if _CRL in text:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def identities(session: ssl.SSLObject) -> tuple[str, ...]:
    """The addresses (rfc822Name) in the certificate that the client has shown and TLS has checked; none without one."""
    shown = session.getpeercert() or {}
    names = cast("tuple[tuple[str, str], ...]", shown.get("subjectAltName", ()))
    return tuple(value for kind, value in names if kind == "email")


def _first(path: Path) -> bytes:
    """The first certificate of a file, DER; b"" if it cannot be told."""
    try:
        text = path.read_text("ascii", "replace")
        return ssl.PEM_cert_to_DER_cert(text[text.index(_BEGIN) : text.index(_END) + len(_END)])
    except (OSError, ValueError):
        return b""


@lru_cache(maxsize=8)
def _end_point(certificate: bytes) -> bytes:
    """The certificate's hash by its signature's hash function, SHA-256 for weaker ones (RFC 5929 §4.1); b"" without."""
    from cryptography import x509

    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except ValueError:
        return b""
    if algorithm is None:
        return b""
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name, certificate).digest()


def _no_password() -> str:
    raise TlsError(
        "the key is protected by a password; store it without one, readable by the server only"
    )


def self_signed(folder: Path, hostname: str, now: datetime) -> Files:
    """A certificate for *hostname* in *folder*; the one that is there when it still fits, else a new one.

    It also holds for localhost, 127.0.0.1 and ::1, and is valid for VALID_DAYS.  Only the owner may read the key.
    """
    files = self_signed_files(folder)
    if not _fits(files, hostname, now):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key, certificate = _generate(hostname, now)
        _replace(files.key, key, 0o600)
        _replace(files.certificate, certificate, 0o644)
    return files


def self_signed_files(folder: Path) -> Files:
    """Where `self_signed` keeps what it makes."""
    return Files(folder / "certificate.pem", folder / "key.pem")


def _fits(files: Files, hostname: str, now: datetime) -> bool:
    from cryptography import x509

    try:
        server_context(files, "1.2")
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except (TlsError, ValueError):
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    left = certificate.not_valid_after_utc - now
    return hostname in names.get_values_for_type(x509.DNSName) and left > timedelta(days=RENEW_DAYS)


def _generate(hostname: str, now: datetime) -> tuple[bytes, bytes]:
    """A fresh P-256 key and a certificate signed with it, both PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hostname[:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(hostname)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_signing(), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, builder.sign(key, hashes.SHA256()).public_bytes(encoding)


def _names(hostname: str) -> "list[x509.GeneralName]":
    from cryptography import x509

    return [
        *(x509.DNSName(name) for name in dict.fromkeys((hostname, "localhost"))),
        *(x509.IPAddress(ip_address(text)) for text in ("127.0.0.1", "::1")),
    ]


def _signing() -> "x509.KeyUsage":
    """The key signs handshakes and nothing else."""
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _replace(path: Path, data: bytes, mode: int) -> None:
    """Write *path* in one step; it never exists with a wider mode than *mode*."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
