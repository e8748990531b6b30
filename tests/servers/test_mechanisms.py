"""Log-in with SCRAM, CRAM-MD5 and app passwords, by real programs and by hand."""

import base64
import imaplib
import smtplib
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scramp import ScramClient

from mailserver.directory import accounts, app_passwords, domains, proofs
from mailserver.directory.addresses import parse
from mailserver.directory.seal import load_or_make
from mailserver.store.store import Store
from mailserver.store.tx import Read, Write
from servers import imap_bench
from servers.imap_bench import Bench
from servers.site import PASSWORD, Site, certificate, running, unverified

ALICE = "alice@example.test"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with running(folder / "data", certificate(folder / "tls")) as site:
        give_keys(site.store)
        until(lambda: site.context.offer.has_scram)
        yield site


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("bench"))
    give_keys(bench.store, imap_bench.PASSWORD)
    until(lambda: bench.context.offer.has_scram)
    yield bench
    bench.stop()


def until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def give_keys(store: Store, password: str = PASSWORD) -> None:
    """What a log-in with PLAIN does for each account."""

    def job(tx: Write) -> None:
        for account in tx.accounts.list():
            row = proofs.row_of(tx, account)._replace(iterations=4096)
            tx.scram.put(account.id, proofs.with_keys(row, password))

    store.write_now(job)


def app_password(store: Store, folder: Path, address: str, name: str, *, sealed: bool) -> str:
    account, row = store.read_now(
        lambda tx: (
            accounts.at(tx, parse(address)),
            proofs.row_of(tx, accounts.at(tx, parse(address))),
        )
    )
    made = app_passwords.make(account, row, load_or_make(folder) if sealed else None)
    store.write_now(lambda tx: app_passwords.create(tx, account, name, row, made))
    return made.password


def scram_of(
    address: str, password: str, tls: tuple[str, ssl.SSLSocket] | None = None
) -> Callable[..., str]:
    """What smtplib and imaplib call for each challenge; tls: the kind of binding, and what to bind to."""
    name = "SCRAM-SHA-256-PLUS" if tls is not None else "SCRAM-SHA-256"
    client = ScramClient([name], address, password, tls)

    def answer(challenge: bytes | None = None) -> str:
        if not challenge:
            return client.get_client_first()
        if challenge.startswith(b"v="):
            client.set_server_final(challenge.decode())
            return ""
        client.set_server_first(challenge.decode())
        return client.get_client_final()

    return answer


def submission(site: Site) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", site.ports["submission"], timeout=20)
    client.ehlo()
    return client


@pytest.mark.rfc(5802, "3")
@pytest.mark.rfc(4954, "4")
def test_scram_over_smtp(site: Site) -> None:
    with submission(site) as client:
        assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"]
        code, _ = client.auth("SCRAM-SHA-256", scram_of(ALICE, PASSWORD))
        assert code == 235
        assert client.mail(ALICE)[0] == 250


@pytest.mark.parametrize(
    ("address", "password"), [(ALICE, "wrong"), ("nobody@example.test", PASSWORD), ("x", "y")]
)
def test_scram_that_fails(site: Site, address: str, password: str) -> None:
    with submission(site) as client, pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        client.auth("SCRAM-SHA-256", scram_of(address, password))
    assert caught.value.smtp_code == 535


def test_an_account_that_is_switched_off(site: Site) -> None:
    with submission(site) as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.auth("SCRAM-SHA-256", scram_of("carol@example.test", PASSWORD))


@pytest.mark.rfc(5802, "9")
def test_an_unknown_user_has_a_salt_like_others_and_keeps_it(site: Site) -> None:
    def salt(address: str) -> bytes:
        with site.connect("submission") as wire:
            wire.hear()
            wire.ask(b"EHLO x\r\n")
            first = base64.b64encode(f"n,,n={address},r=abc".encode())
            reply = wire.ask(b"AUTH SCRAM-SHA-256 " + first + b"\r\n")
        fields = dict(f.split("=", 1) for f in base64.b64decode(reply[4:]).decode().split(","))
        return base64.b64decode(fields["s"])

    known, unknown = salt(ALICE), salt("nobody@example.test")
    assert len(known) == len(unknown)
    assert known != unknown
    assert salt("Nobody@EXAMPLE.test") == unknown
    assert salt("other@example.test") != unknown


@pytest.mark.rfc(4422, "3.6")
@pytest.mark.parametrize("last", [b"*", b"AAAA", b"="])
def test_what_does_not_end_as_it_should(site: Site, last: bytes) -> None:
    answer = scram_of(ALICE, PASSWORD)
    with site.connect("submission") as wire:
        wire.hear()
        wire.ask(b"EHLO x\r\n")
        said = wire.ask(b"AUTH SCRAM-SHA-256 " + b64(answer(None)) + b"\r\n")
        said = wire.ask(b64(answer(base64.b64decode(said[4:]))) + b"\r\n")
        assert said.startswith("334 ")
        assert wire.ask(last + b"\r\n").startswith("501 ")
        assert wire.ask(b"MAIL FROM:<alice@example.test>\r\n").startswith("530 ")


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


@pytest.mark.rfc(5802, "3")
@pytest.mark.rfc(4959, "3")
def test_scram_over_imap(bench: Bench) -> None:
    with imaplib.IMAP4("127.0.0.1", bench.ports["imap"]) as client:
        assert "AUTH=SCRAM-SHA-256" in client.capabilities
        answer = scram_of(ALICE, imap_bench.PASSWORD)
        assert client.authenticate("SCRAM-SHA-256", answer)[0] == "OK"
        assert client.select("INBOX")[0] == "OK"


def test_scram_over_imap_that_fails(bench: Bench) -> None:
    with (
        imaplib.IMAP4("127.0.0.1", bench.ports["imap"]) as client,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        client.authenticate("SCRAM-SHA-256", scram_of(ALICE, "wrong"))


def old_tls() -> ssl.SSLContext:
    context = unverified()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.rfc(5802, "6")
@pytest.mark.rfc(5929, "3", "4")
@pytest.mark.parametrize("kind", ["tls-unique", "tls-server-end-point"])
@pytest.mark.parametrize("way", ["smtp", "imap"])
def test_channel_binding(site: Site, bench: Bench, kind: str, way: str) -> None:
    if way == "smtp":
        with submission(site) as smtp:
            smtp.starttls(context=old_tls())
            smtp.ehlo()
            assert "SCRAM-SHA-256-PLUS" in smtp.esmtp_features["auth"]
            assert isinstance(smtp.sock, ssl.SSLSocket)
            assert (
                smtp.auth("SCRAM-SHA-256-PLUS", scram_of(ALICE, PASSWORD, (kind, smtp.sock)))[0]
                == 235
            )
    else:
        context = old_tls()
        with imaplib.IMAP4_SSL("127.0.0.1", bench.ports["imaps"], ssl_context=context) as imap:
            assert "AUTH=SCRAM-SHA-256-PLUS" in imap.capabilities
            answer = scram_of(ALICE, imap_bench.PASSWORD, (kind, imap.sock))
            assert imap.authenticate("SCRAM-SHA-256-PLUS", answer)[0] == "OK"


@pytest.mark.rfc(5802, "6")
def test_no_binding_is_offered_with_tls_1_3(site: Site) -> None:
    with submission(site) as client:
        client.starttls(context=unverified())
        client.ehlo()
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.version() == "TLSv1.3"
        assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"]


@pytest.mark.rfc(5802, "6")
def test_a_list_that_somebody_has_changed(site: Site) -> None:
    with submission(site) as client:
        client.starttls(context=old_tls())
        client.ehlo()
        code, _ = client.docmd("AUTH", "SCRAM-SHA-256 " + b64(f"y,,n={ALICE},r=abc").decode())
        assert code == 501


# --- app passwords


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
def test_an_app_password_logs_in_with_everything(site: Site, mechanism: str) -> None:
    password = app_password(site.store, site.folder, ALICE, mechanism, sealed=False)
    with submission(site) as client:
        if mechanism == "SCRAM-SHA-256":
            assert client.auth(mechanism, scram_of(ALICE, password))[0] == 235
        else:
            client.user, client.password = ALICE, password
            speak = client.auth_plain if mechanism == "PLAIN" else client.auth_login
            assert client.auth(mechanism, speak)[0] == 235

    def used(tx: Read) -> bool:
        found = tx.app_passwords.list(accounts.at(tx, parse(ALICE)).id)
        return all(p.last_used_at is not None for p in found if p.name == mechanism)

    until(lambda: site.store.read_now(used))
    site.store.write_now(
        lambda tx: tx.app_passwords.remove(accounts.at(tx, parse(ALICE)).id, mechanism)
    )
    speak = scram_of(ALICE, password)
    with submission(site) as client:
        if mechanism != "SCRAM-SHA-256":
            client.user, client.password = ALICE, password
            speak = client.auth_plain if mechanism == "PLAIN" else client.auth_login
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.auth(mechanism, speak)


def test_the_own_password_still_works_beside_app_passwords(site: Site) -> None:
    app_password(site.store, site.folder, ALICE, "beside", sealed=False)
    with submission(site) as client:
        assert client.auth("SCRAM-SHA-256", scram_of(ALICE, PASSWORD))[0] == 235


# --- CRAM-MD5


@pytest.fixture
def cram(tmp_path: Path) -> Iterator[Site]:
    with running(tmp_path / "data", certificate(tmp_path / "tls")) as site:
        site.store.write_now(lambda tx: domains.change(tx, "example.test", {"cram_md5": True}))
        until(lambda: site.context.offer.has_cram_md5)
        yield site


def cram_md5(site: Site, address: str, password: str) -> int:
    with submission(site) as client:
        client.user, client.password = address, password
        code, _ = client.auth("CRAM-MD5", client.auth_cram_md5, initial_response_ok=False)
        return code


@pytest.mark.rfc(2195, "2")
def test_cram_md5_with_app_passwords_only(cram: Site) -> None:
    password = app_password(cram.store, cram.folder, ALICE, "printer", sealed=True)
    other = app_password(cram.store, cram.folder, ALICE, "telephone", sealed=False)
    assert cram_md5(cram, ALICE, password) == 235
    for address, wrong in (
        (ALICE, other),  # made without a seal
        (ALICE, PASSWORD),
        ("dave@other.test", password),
        ("nobody@example.test", password),
    ):
        with pytest.raises(smtplib.SMTPAuthenticationError):
            cram_md5(cram, address, wrong)


def test_a_domain_that_does_not_want_it_any_more(cram: Site) -> None:
    password = app_password(cram.store, cram.folder, ALICE, "printer", sealed=True)
    cram.store.write_now(lambda tx: domains.change(tx, "example.test", {"cram_md5": False}))
    until(lambda: not cram.context.offer.has_cram_md5)
    with submission(cram) as client:
        assert "CRAM-MD5" not in client.esmtp_features["auth"]
        client.login(ALICE, password)

    def sealed(tx: Read) -> list[bytes | None]:
        account = accounts.at(tx, parse(ALICE)).id
        return [kept.sealed for _, kept in tx.app_passwords.secrets(account)]

    assert cram.store.read_now(sealed) == [None]


def test_a_lost_key_is_no_crash(cram: Site) -> None:
    password = app_password(cram.store, cram.folder, ALICE, "printer", sealed=True)
    (cram.folder / "seal.key").unlink()
    with pytest.raises(smtplib.SMTPAuthenticationError):
        cram_md5(cram, ALICE, password)


# --- real programs


@pytest.mark.needs("msmtp")
@pytest.mark.parametrize("auth", ["scram-sha-256", "plain", "on"])
def test_msmtp(site: Site, tmp_path: Path, auth: str) -> None:
    config = tmp_path / "msmtprc"
    config.write_text(
        f"account default\nhost 127.0.0.1\nport {site.ports['submission']}\nfrom {ALICE}\n"
        f"auth {auth}\nuser {ALICE}\npassword {PASSWORD}\ntls on\ntls_starttls on\ntls_certcheck off\n"
    )
    config.chmod(0o600)
    before = len(site.messages("bob@example.test"))
    done = subprocess.run(
        ["msmtp", "-C", str(config), "-d", "bob@example.test"],
        input=f"From: {ALICE}\nTo: bob@example.test\nSubject: msmtp\n\nhello\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(site.messages("bob@example.test")) == before + 1
    if auth == "on":
        assert "AUTH SCRAM-SHA-256" in done.stdout


@pytest.mark.needs("gsasl")
@pytest.mark.parametrize("way", ["--smtp", "--imap"])
def test_gsasl(site: Site, bench: Bench, way: str) -> None:
    port, password = (
        (site.ports["submission"], PASSWORD)
        if way == "--smtp"
        else (bench.ports["imap"], imap_bench.PASSWORD)
    )
    done = subprocess.run(
        [
            *("gsasl", way, "--no-starttls", f"--connect=127.0.0.1:{port}", "-m", "SCRAM-SHA-256"),
            *(f"--authentication-id={ALICE}", f"--password={password}", "--no-cb", "--verbose"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = done.stdout + done.stderr
    assert "authenticated" in said or "235 " in said or "OK" in said, said
    assert "535" not in said


@pytest.mark.needs("swaks")
def test_swaks_with_cram_md5(cram: Site) -> None:
    password = app_password(cram.store, cram.folder, ALICE, "printer", sealed=True)
    done = subprocess.run(
        [
            *("swaks", "--server", "127.0.0.1", "--port", str(cram.ports["submission"])),
            *("--auth", "CRAM-MD5", "--auth-user", ALICE, "--auth-password", password),
            *("--from", ALICE, "--to", "bob@example.test"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert "AUTH CRAM-MD5" in done.stdout
