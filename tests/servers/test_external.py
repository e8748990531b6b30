"""Log-in with client certificates, over IMAP and SMTP (RFC 4422 Appendix A)."""

import base64
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver.base.limits import ImapLimits, Limits
from mailserver.net.tls import ServerTls, TlsError
from servers.authority import Authority
from servers.imap_bench import Bench, Wire
from servers.imap_bench import running as imap_running
from servers.site import certificate
from servers.site import running as smtp_running

FAST = Limits(imap=ImapLimits(auth_delay_s=0.01))
ANN = ALICE = "alice@example.test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Bench]:
    with imap_running(tmp_path_factory.mktemp("imap"), FAST) as bench:
        bench.context.tls._client_ca = authority.file
        bench.context.tls.reload()
        yield bench


def client_context(shown: Path | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if shown is not None:
        context.load_cert_chain(shown)
    if version is not None:
        context.maximum_version = version
    return context


def secured(
    bench: Bench,
    shown: Path | None,
    *,
    starttls: bool = False,
    version: ssl.TLSVersion | None = None,
) -> tuple[Wire, bytes]:
    """A connection over TLS and the capabilities that are announced there; raises OSError when it is refused."""
    sock = socket.create_connection(
        ("127.0.0.1", bench.ports["imap" if starttls else "imaps"]), timeout=10
    )
    if starttls:
        wire = Wire(sock)
        wire.line()
        wire.command("STARTTLS")
    wire = Wire(client_context(shown, version).wrap_socket(sock))
    if not starttls:
        if not wire.line():
            raise ConnectionResetError
        return wire, wire.command("CAPABILITY")[0]
    said = wire.command("CAPABILITY")
    return wire, said[0]


@pytest.mark.parametrize("starttls", [False, True], ids=["imaps", "STARTTLS"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, None], ids=["1.2", "1.3"])
@pytest.mark.rfc(4422, "A")
def test_a_certificate_is_enough(
    bench: Bench, authority: Authority, starttls: bool, version: ssl.TLSVersion | None
) -> None:
    shown, _ = authority.sign(ANN)
    wire, capabilities = secured(bench, shown, starttls=starttls, version=version)
    assert b" AUTH=EXTERNAL " in capabilities
    assert wire.command("AUTHENTICATE EXTERNAL =")[-1].startswith(b"x OK")
    assert wire.command("SELECT INBOX")[-1].startswith(b"x OK")


@pytest.mark.rfc(4422, "A")
def test_without_an_initial_response_and_as_whom(bench: Bench, authority: Authority) -> None:
    shown, _ = authority.sign("nobody@example.test", "Alice@Example.Test")
    wire, _ = secured(bench, shown)
    wire.send(b"a AUTHENTICATE EXTERNAL\r\n")
    assert wire.line() == b"+ "
    wire.send(base64.b64encode(b"alice@example.test") + b"\r\n")
    assert wire.line().startswith(b"a OK")


@pytest.mark.parametrize(
    ("addresses", "authzid", "answer"),
    [
        ((ANN,), "bob@example.test", b"x NO [AUTHORIZATIONFAILED]"),
        (("nobody@example.test",), "", b"x NO [AUTHENTICATIONFAILED]"),
        (("alice@elsewhere.test",), "", b"x NO [AUTHENTICATIONFAILED]"),
        (("not an address",), "", b"x NO [AUTHENTICATIONFAILED]"),
    ],
)
def test_nobody_comes_in_as_somebody_else(
    bench: Bench, authority: Authority, addresses: tuple[str, ...], authzid: str, answer: bytes
) -> None:
    shown, _ = authority.sign(*addresses)
    wire, _ = secured(bench, shown)
    said = base64.b64encode(authzid.encode()).decode() or "="
    assert wire.command(f"AUTHENTICATE EXTERNAL {said}")[-1].startswith(answer)
    assert wire.command("SELECT INBOX")[-1].startswith(b"x BAD")


def test_nothing_is_asked_of_who_has_none(bench: Bench, authority: Authority) -> None:
    no_address, _ = authority.sign()
    for shown in (None, no_address):
        wire, capabilities = secured(bench, shown)
        assert b"EXTERNAL" not in capabilities
        assert wire.command("AUTHENTICATE EXTERNAL =")[-1].startswith(b"x NO [CANNOT]")


def test_a_wrong_certificate_is_no_way_in(bench: Bench, authority: Authority) -> None:
    """Over, by somebody else, or revoked: TLS ends there."""
    other = Authority(authority.folder, "Other CA")
    revoked, certificate = authority.sign(ANN)
    secured(bench, revoked)
    good, _ = authority.sign(ANN)
    authority.revoke(certificate)
    bench.context.tls.reload()
    for shown in (authority.sign(ANN, days=-1)[0], other.sign(ANN)[0], revoked):
        with pytest.raises(OSError):  # noqa: PT011  # whichever: the peer has gone
            secured(bench, shown)
    secured(bench, good)


def test_the_account_is_asked_for_each_time(bench: Bench, authority: Authority) -> None:
    shown, _ = authority.sign("bob@example.test")
    wire, _ = secured(bench, shown)
    bob = bench.accounts["bob"]
    bench.store.write_now(lambda tx: tx.accounts.set(bob, is_active=False))
    try:
        assert wire.command("AUTHENTICATE EXTERNAL =")[-1].startswith(b"x NO [AUTHENTICATION")
    finally:
        bench.store.write_now(lambda tx: tx.accounts.set(bob, is_active=True))


def test_submission_asks_and_port_25_does_not(tmp_path: Path, authority: Authority) -> None:
    """Other servers show certificates of all kinds there, which are no concern of ours."""
    tls = certificate(tmp_path / "tls")
    tls._client_ca = authority.file
    tls.reload()
    good, _ = authority.sign(ALICE)
    strange, _ = Authority(authority.folder, "Strange CA").sign(ALICE)
    with smtp_running(tmp_path / "data", tls) as site:
        with smtplib.SMTP("127.0.0.1", site.ports["submission"]) as client:
            client.starttls(context=client_context(good))
            client.ehlo()
            assert client.esmtp_features["auth"].split()[0] == "EXTERNAL"
            assert client.docmd("AUTH", "EXTERNAL =")[0] == 235
        with smtplib.SMTP_SSL(
            "127.0.0.1", site.ports["submissions"], context=client_context(good)
        ) as client:
            client.ehlo()
            assert client.docmd("AUTH", "EXTERNAL " + base64.b64encode(b"x@y.z").decode())[0] == 535
            assert client.docmd("AUTH", "EXTERNAL")[0] == 334
            assert client.docmd(base64.b64encode(ALICE.encode()).decode())[0] == 235
        with smtplib.SMTP("127.0.0.1", site.ports["smtp"]) as client:
            client.starttls(context=client_context(strange))
            assert client.ehlo()[0] == 250


@pytest.mark.parametrize("text", ["", "no certificate", None])
def test_a_file_that_is_none(tmp_path: Path, text: str | None) -> None:
    files = certificate(tmp_path / "tls")._files
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(TlsError, match=r"ca\.pem"):
        ServerTls(files, "1.2", file)


@pytest.mark.needs("curl")
@pytest.mark.parametrize("starttls", [False, True], ids=["imaps", "STARTTLS"])
def test_curl(bench: Bench, authority: Authority, starttls: bool) -> None:
    """A real program: it sends the address as whom it wants to act."""
    shown, _ = authority.sign(ANN)
    scheme = "imap" if starttls else "imaps"
    said = subprocess.run(
        ["curl", "-sS", "--ssl-reqd", "--cert", shown, "--user", f"{ANN}:", "--login-options",
         "AUTH=EXTERNAL", "--cacert", bench.folder / "tls" / "certificate.pem",
         f"{scheme}://localhost:{bench.ports[scheme]}/INBOX", "-X", "STATUS INBOX (MESSAGES)"],
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert said.stderr == b""
    assert said.stdout == b"* STATUS INBOX (MESSAGES 0)\r\n"
