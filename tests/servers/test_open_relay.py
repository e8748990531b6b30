"""Strangers send to nobody but our users, however they write the address, and whoever they claim to be."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailserver.directory import domains
from mailserver.net.tls import ServerTls
from mailserver.store.tx import Read
from servers.site import HOST, Site, Wire, greeted, running

#: forms that some server or other once passed on; "T@there" is the stranger's goal
FORMS = (
    "<t@there.test>",
    "<T@There.TEST>",
    '<"t@there.test">',
    "<t%there.test>",
    "<t%there.test@example.test>",
    f"<t%there.test@{HOST}>",
    "<t%there.test@[127.0.0.1]>",
    '<"t@there.test"@example.test>',
    f'<"t@there.test"@{HOST}>',
    '<"t@there.test"@[127.0.0.1]>',
    "<t@there.test@example.test>",
    "<t@there.test@[127.0.0.1]>",
    "<@example.test:t@there.test>",
    f"<@{HOST}:t@there.test>",
    "<@[127.0.0.1]:t@there.test>",
    "<@example.test,@there.test:t@there.test>",
    "<there.test!t>",
    "<there.test!t@example.test>",
    f"<there.test!t@{HOST}>",
    "<there.test!t@[127.0.0.1]>",
    "<example.test!there.test!t>",
    "<t@[192.0.2.1]>",
    "<t@[IPv6:2001:db8::1]>",
    "<t@there.test.>",
    "<t@sub.example.test>",
    "<t@example.test.there.test>",
    "<t@there.test\\@example.test>",
    "<t\\@there.test@example.test>",
    "<SRS0=abcdef=AB=there.test=t@example.test>",
    "<SRS1=abcdef=there.test==abcd=AB=x.test=t@example.test>",
    f"<t@{HOST}>",
    "t@there.test",
    "<>",
)

SENDERS = (
    "<>",
    "<spam@elsewhere.test>",
    "<alice@example.test>",
    "<postmaster@example.test>",
    f"<postmaster@{HOST}>",
    "<alice@[127.0.0.1]>",
    "<t@there.test>",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, tls: ServerTls) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("relay"), tls) as site:
        site.store.write_now(
            lambda tx: domains.change(tx, "other.test", {"catch_all": "dave@other.test"})
        )
        yield site


def waiting(site: Site) -> int:
    def count(tx: Read) -> int:
        ((number,),) = tx.queue._db.rows("SELECT count(*) FROM queued_recipient")
        return int(number)

    return site.store.read_now(count)


def attempt(wire: Wire, sender: str, recipient: bytes) -> str:
    """The reply to RCPT; a message follows where it was positive."""
    assert wire.ask(f"MAIL FROM:{sender}\r\n".encode()).startswith("250")
    reply = wire.ask(b"RCPT TO:" + recipient + b"\r\n")
    if reply.startswith("250"):
        assert wire.ask(b"DATA\r\n").startswith("354")
        assert wire.ask(b"From: x@elsewhere.test\r\n\r\nx\r\n.\r\n")[0] in "25"
    else:
        wire.ask(b"RSET\r\n")
    return reply


@pytest.mark.rfc(5321, "3.6.1", "7.1")
@pytest.mark.parametrize("sender", SENDERS)
def test_no_form_of_an_address_is_passed_on(site: Site, sender: str) -> None:
    for form in FORMS:
        with greeted(site) as wire:
            reply = attempt(wire, sender, form.encode())
            assert reply[0] == "5", (form, reply)
    assert waiting(site) == 0


def test_a_catch_all_takes_no_addresses_inside_of_addresses(site: Site) -> None:
    with greeted(site) as wire:
        for local in ("t%there.test", "there.test!t", '"t@there.test"'):
            assert attempt(wire, "<>", f"<{local}@other.test>".encode()).startswith("550 5.7.1")
    assert waiting(site) == 0


@pytest.mark.parametrize("port", ["submission", "submissions"])
def test_nobody_submits_without_logging_in(site: Site, port: str) -> None:
    with site.connect(port) as wire:
        if port == "submissions":
            wire.tls()
        wire.hear()
        wire.ask(b"EHLO x\r\n")
        assert wire.ask(b"MAIL FROM:<alice@example.test>\r\n").startswith("530 5.7.0")
        assert wire.ask(b"RCPT TO:<t@there.test>\r\n").startswith("503")


def test_a_log_in_is_forgotten_with_the_handshake(site: Site) -> None:
    """Port 25 offers no log-in at all, before TLS and after."""
    with greeted(site) as wire:
        assert wire.ask(b"AUTH PLAIN AGEAYg==\r\n").startswith("502")
        assert wire.ask(b"STARTTLS\r\n").startswith("220")
        wire.tls()
        assert wire.ask(b"EHLO x\r\n").startswith("250-")
        assert wire.ask(b"AUTH PLAIN AGEAYg==\r\n").startswith("502")
        assert attempt(wire, "<>", b"<t@there.test>").startswith("550 5.7.1")


_PIECES = st.sampled_from(
    [
        "t",
        "there.test",
        "example.test",
        HOST,
        "[127.0.0.1]",
        "@",
        "%",
        "!",
        ":",
        ",",
        '"',
        "\\",
        "<",
        ">",
        "SRS0=",
        "SRS1=",
        "=",
        "+",
        ".",
        " ",
        "alice",
        "ü",
    ]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_PIECES, min_size=1, max_size=8).map("".join))
def test_whatever_is_put_together_leaves_nobody(site: Site, text: str) -> None:
    with greeted(site) as wire:
        assert wire.ask(b"MAIL FROM:<>\r\n").startswith("250")
        reply = wire.ask(b"RCPT TO:<" + text.encode() + b">\r\n")
        if reply.startswith("250"):
            assert (
                "example.test" in reply or "[127.0.0.1]" in reply or "<postmaster>" in reply.lower()
            )
            assert wire.ask(b"DATA\r\n").startswith("354")
            assert wire.ask(b"From: x@elsewhere.test\r\n\r\nx\r\n.\r\n").startswith("250")
    assert waiting(site) == 0


def test_the_battery_would_notice(site: Site, tmp_path: Path) -> None:
    with greeted(site) as wire:
        assert attempt(wire, "<a@elsewhere.test>", b"<away@example.test>").startswith("250")
    assert waiting(site) == 1
