"""The fields before a message, as RFC 5321 §4.4 writes them."""

import pytest

from mailserver.mime.scan import derive
from mailserver.mta.trace import Client, date_time, local_fields, protocol, received
from mailserver.smtp.address import Address

ALICE = Address("alice", "example.test")
NOW = 1_700_000_000


def lines(
    client: Client, sender: Address | None, *recipients: Address, smtputf8: bool = False
) -> list[str]:
    only = recipients[0] if len(recipients) == 1 else None
    said = local_fields(sender, only) + received(
        client, hostname="mx.example.test", id="k3v9", only=only, smtputf8=smtputf8, now=NOW
    )
    assert said.endswith(b"\r\n")
    return said.decode().split("\r\n")[:-1]


@pytest.mark.rfc(5321, "4.4")
@pytest.mark.rfc(9228, "4")
def test_one_recipient() -> None:
    client = Client(
        "192.0.2.1", "client.example", is_esmtp=True, tls="TLSv1.3 TLS_AES_256_GCM_SHA384"
    )
    assert lines(client, Address("a", "b.example"), ALICE) == [
        "Return-Path: <a@b.example>",
        "Delivered-To: alice@example.test",
        "Received: from client.example ([192.0.2.1])",
        "\tby mx.example.test with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384)",
        "\tid k3v9",
        "\tfor <alice@example.test>;",
        f"\t{date_time(NOW)}",
    ]


@pytest.mark.rfc(5321, "4.4", "7.2")
def test_several_recipients_are_not_named() -> None:
    said = lines(
        Client("2001:db8::1", "[IPv6:2001:db8::1]"), None, ALICE, Address("bob", "example.test")
    )
    assert said == [
        "Return-Path: <>",
        "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])",
        "\tby mx.example.test with SMTP",
        "\tid k3v9;",
        f"\t{date_time(NOW)}",
    ]


def test_postmaster_without_a_domain_and_a_unix_socket() -> None:
    said = lines(Client("", ""), None, Address("Postmaster", ""))
    assert said[1] == "Received: from unknown"
    assert "Delivered-To" not in " ".join(said)


@pytest.mark.rfc(3848, "1")
@pytest.mark.rfc(6531, "4.3")
@pytest.mark.parametrize(
    ("is_esmtp", "tls", "is_authenticated", "smtputf8", "keyword"),
    [
        (False, "", False, False, "SMTP"),
        (True, "", False, False, "ESMTP"),
        (True, "x", False, False, "ESMTPS"),
        (True, "", True, False, "ESMTPA"),
        (True, "x", True, False, "ESMTPSA"),
        (True, "", False, True, "UTF8SMTP"),
        (True, "x", False, True, "UTF8SMTPS"),
        (True, "", True, True, "UTF8SMTPA"),
        (True, "x", True, True, "UTF8SMTPSA"),
    ],
)
def test_protocols(
    is_esmtp: bool, tls: str, is_authenticated: bool, smtputf8: bool, keyword: str
) -> None:
    client = Client("192.0.2.1", "x", is_esmtp, is_authenticated, tls)
    assert protocol(client, smtputf8=smtputf8) == keyword


@pytest.mark.rfc(5322, "3.3")
@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC0", "Tue, 14 Nov 2023 22:13:20 +0000"),
        ("EST5", "Tue, 14 Nov 2023 17:13:20 -0500"),
        ("IST-5:30", "Wed, 15 Nov 2023 03:43:20 +0530"),
        ("NST3:30", "Tue, 14 Nov 2023 18:43:20 -0330"),
    ],
)
def test_dates_in_local_time(zone: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    date_time.cache_clear()
    try:
        assert date_time(NOW) == text
    finally:
        monkeypatch.undo()
        time.tzset()
        date_time.cache_clear()


def test_our_fields_count_as_one_hop_and_end_no_header() -> None:
    raw = "\r\n".join(
        [*lines(Client("192.0.2.1", "x"), ALICE, ALICE), "Subject: hello", "", "body", ""]
    )
    derived = derive(raw.encode())
    assert derived.hops == 1
    assert derived.subject == "hello"
