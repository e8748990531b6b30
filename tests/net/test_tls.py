"""The server's certificate and what TLS it speaks, seen from a client."""

import ssl
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from mailserver.net.tls import Files, ServerTls, TlsError, self_signed

TODAY = datetime.fromtimestamp(time.time(), UTC)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """The client's side after a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        done = 0
        for side in (ours, theirs):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
        if done == 2:
            return ours
    raise AssertionError("no handshake")


def trusting(certificate: Path) -> ssl.SSLContext:
    """A client that trusts nothing but *certificate*, as strictly as newer Pythons check."""
    client = ssl.create_default_context(cafile=certificate)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    return client


@pytest.mark.rfc(5280, "4.2")
@pytest.mark.parametrize("name", ["mail.example.test", "localhost", "127.0.0.1", "::1"])
def test_self_signed_certificate_holds_for_every_local_name(tmp_path, name):
    files = self_signed(tmp_path / "tls", "mail.example.test", TODAY)
    tls = ServerTls(files)
    assert handshake(tls.context, trusting(files.certificate), name).version() == "TLSv1.3"


def test_only_the_owner_may_read_the_key(tmp_path):
    files = self_signed(tmp_path / "tls", "mail.example.test", NOW)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    assert b"PRIVATE KEY" in files.key.read_bytes()
    assert b"PRIVATE KEY" not in files.certificate.read_bytes()


def test_certificate_is_kept_while_it_fits(tmp_path):
    files = self_signed(tmp_path, "mail.example.test", NOW)
    first = files.certificate.read_bytes()
    assert self_signed(tmp_path, "mail.example.test", NOW + timedelta(days=3_600)) == files
    assert files.certificate.read_bytes() == first


@pytest.mark.parametrize(
    ("hostname", "days"), [("other.example.test", 0), ("mail.example.test", 3_640)]
)
def test_certificate_is_replaced_for_another_name_and_before_it_ends(tmp_path, hostname, days):
    files = self_signed(tmp_path, "mail.example.test", NOW)
    first = files.certificate.read_bytes()
    self_signed(tmp_path, hostname, NOW + timedelta(days=days))
    assert files.certificate.read_bytes() != first
    fresh = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    assert fresh.not_valid_after_utc == NOW + timedelta(days=days + 3_650)


def test_certificate_is_replaced_when_its_key_is_another(tmp_path):
    files = self_signed(tmp_path / "one", "mail.example.test", NOW)
    other = self_signed(tmp_path / "two", "mail.example.test", NOW)
    files.key.write_bytes(other.key.read_bytes())
    self_signed(tmp_path / "one", "mail.example.test", NOW)
    ServerTls(files)


@pytest.mark.rfc(9325, "3.1.1", "4.2")
def test_old_versions_and_weak_suites_are_refused(tmp_path):
    files = self_signed(tmp_path, "mail.example.test", TODAY)
    context = ServerTls(files, "1.2").context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    names = {cipher["name"] for cipher in context.get_ciphers()}
    for name in names:
        assert name.startswith(("TLS_", "ECDHE-"))
        assert "GCM" in name or "CHACHA20" in name

    client = trusting(files.certificate)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert handshake(context, client, "localhost").version() == "TLSv1.2"
    with pytest.raises(ssl.SSLError):
        handshake(ServerTls(files, "1.3").context, client, "localhost")


def test_reload_takes_the_new_certificate(tmp_path):
    files = self_signed(tmp_path / "now", "localhost", TODAY)
    tls = ServerTls(files)
    before = tls.context
    renewed = self_signed(tmp_path / "renewed", "localhost", TODAY)
    for old, new in zip(files, renewed, strict=True):
        old.write_bytes(new.read_bytes())
    tls.reload()
    assert tls.context is not before  # sessions keep the context they began with
    peer = handshake(tls.context, trusting(renewed.certificate), "localhost").getpeercert(True)
    assert peer == ssl.PEM_cert_to_DER_cert(renewed.certificate.read_text())


def test_reload_keeps_what_it_had_when_the_new_files_are_broken(tmp_path):
    files = self_signed(tmp_path, "localhost", TODAY)
    certificate = files.certificate.read_bytes()
    tls = ServerTls(files)
    files.certificate.write_bytes(b"")
    with pytest.raises(TlsError):
        tls.reload()
    files.certificate.write_bytes(certificate)
    assert handshake(tls.context, trusting(files.certificate), "localhost")


def test_unusable_files_are_named(tmp_path):
    good = self_signed(tmp_path / "good", "localhost", NOW)
    other = self_signed(tmp_path / "other", "localhost", NOW)
    empty = tmp_path / "empty.pem"
    empty.touch()
    for files, text in (
        (Files(tmp_path / "none.pem", good.key), f"{tmp_path}/none.pem: cannot be read"),
        (Files(good.certificate, tmp_path / "none.pem"), f"{tmp_path}/none.pem: cannot be read"),
        (Files(empty, good.key), f"{empty} with {good.key}"),
        (Files(good.certificate, other.key), f"{good.certificate} with {other.key}"),
    ):
        with pytest.raises(TlsError) as caught:
            ServerTls(files)
        assert str(caught.value).startswith(text)


def test_a_key_with_a_password_is_refused_not_asked_for(tmp_path):
    from cryptography.hazmat.primitives import serialization

    files = self_signed(tmp_path, "localhost", NOW)
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(TlsError, match="protected by a password"):
        ServerTls(files)
