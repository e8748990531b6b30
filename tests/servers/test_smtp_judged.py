"""Mail from other servers is judged: what is found stands on top, policies are followed, nothing is lost."""

import asyncio
import base64
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailauth.dkim.signing import ED25519, RSA, record
from mailauth.reports import samples
from mailauth.reports.letters import about
from mailauth.zone import Zone
from mailserver.base.limits import AuthenticationLimits, Limits
from mailserver.directory import accounts, domains, trust
from mailserver.directory.addresses import parse
from mailserver.mailauth.arc.seal import seal
from mailserver.mailauth.arc.verify import ArcResult
from mailserver.mailauth.dkim.keys import record_text
from mailserver.mailauth.dkim.sign import sign
from mailserver.mailauth.resolver import Answer
from mailserver.mailauth.results import parse as parse_results
from mailserver.net.tls import ServerTls
from mailserver.store.trace_values import Trace
from servers.site import HOST, PASSWORD, Site, Wire, running, until

GOOD, BAD = "192.0.2.1", "203.0.113.9"  # who may send for bank.example, and who may not

RECORDS = f"""
client.example       A    {GOOD}
{GOOD}               PTR  client.example
bank.example         TXT  "v=spf1 ip4:{GOOD} -all"
_dmarc.bank.example  TXT  "v=DMARC1; p=reject; rua=mailto:dmarc@bank.example"
shop.example         TXT  "v=spf1 ip4:{GOOD} ~all"
_dmarc.shop.example  TXT  "v=DMARC1; p=quarantine"
test.example         TXT  "v=spf1 -all"
_dmarc.test.example  TXT  "v=DMARC1; p=reject; t=y; rua=mailto:dmarc@bank.example"
list.example         TXT  "v=spf1 ip4:{BAD} -all"
slow.example         TROUBLE
_dmarc.slow.example  TXT  "v=DMARC1; p=reject"
"""


def zone() -> Zone:
    made = Zone(RECORDS)
    for key in (RSA, ED25519):
        for domain in ("bank.example", "sealer.example"):
            moved = replace(key, domain=domain)
            made.add(record(moved))
    return made


@pytest.fixture(name="site")
def judging(tmp_path: Path, tls: ServerTls) -> Iterator[Site]:
    with running(tmp_path, tls, proxies=("127.0.0.0/8",), resolver=zone()) as site:
        yield site


def come(site: Site, peer: str, port: str = "smtp") -> Wire:
    """A client at *peer*, as a proxy tells."""
    wire = site.connect(port)
    wire.say(f"PROXY TCP4 {peer} 192.0.2.250 1 25\r\n".encode())
    assert wire.hear().startswith("220 ")
    verb = "LHLO" if port == "lmtp" else "EHLO"
    assert wire.ask(f"{verb} client.example\r\n".encode()).startswith("250-")
    return wire


def mail(domain: str = "bank.example", extra: bytes = b"") -> bytes:
    return extra + f"From: a@{domain}\r\nSubject: x\r\n\r\nhello\r\n".encode()


def send(
    site: Site,
    raw: bytes,
    *recipients: str,
    peer: str = BAD,
    sender: str = "<a@bank.example>",
) -> str:
    with come(site, peer) as wire:
        for command in (f"MAIL FROM:{sender}", *(f"RCPT TO:<{r}>" for r in recipients), "DATA"):
            reply = wire.ask(command.encode() + b"\r\n")
            assert reply[0] in "23", reply
        return wire.ask(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")


def found(message: bytes) -> dict[str, str]:
    """What our field says: method -> result, the first of each."""
    header = message.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ")
    value = re.search(rb"^Authentication-Results: (.*)$", header, re.MULTILINE)
    assert value is not None
    said = parse_results(value[1])
    assert said.authserv_id == HOST
    out: dict[str, str] = {}
    for one in said.results:
        out.setdefault(one.method, one.result)
    return out


def last(site: Site) -> Trace:
    until(lambda: bool(site.traces))
    return site.traces[-1]


def steps(trace: Trace) -> dict[str, str]:
    return {step.what: step.reason for step in trace.steps}


def wants(site: Site, domain: str, **fields: str) -> None:
    site.store.write_now(lambda tx: domains.change(tx, domain, fields))  # type: ignore[arg-type]  # names of fields


def trusted(site: Site, kind: str, value: str) -> None:
    site.store.write_now(lambda tx: trust.add(tx, kind, value, ""))


@pytest.mark.rfc(8601, "4.1")
@pytest.mark.rfc(7208, "9.1")
def test_what_is_found_stands_on_top_and_nothing_else_changes(site: Site) -> None:
    raw = mail(extra=b"X-Odd:  two  spaces \r\n")
    assert send(site, raw, "alice@example.test", peer=GOOD).startswith("250 ")
    (message,) = site.messages("alice@example.test")
    names = re.findall(rb"^([A-Za-z-]+):", message, re.MULTILINE)
    assert names[:5] == [
        b"Return-Path", b"Delivered-To", b"Authentication-Results", b"Received-SPF", b"Received",
    ]  # fmt: skip
    assert message.endswith(raw)
    assert found(message) == {"iprev": "pass", "spf": "pass", "dkim": "none", "dmarc": "pass"}
    assert b"\r\nReceived-SPF: pass (" in message
    told = steps(last(site))
    assert told["dmarc"].startswith("pass for bank.example: aligned: spf of bank.example")
    assert told["iprev"] == f"pass: {GOOD} is client.example"
    assert list(told)[-6:] == ["iprev", "helo", "spf", "dkim", "arc", "dmarc"]


@pytest.mark.rfc(9989, "5.4")
def test_a_forged_author_is_refused_as_his_domain_wants(site: Site) -> None:
    reply = send(site, mail(), "alice@example.test")
    assert reply == (
        "550 5.7.26 Rejected by the DMARC policy of bank.example: neither SPF nor DKIM speaks for it"
    )
    assert site.messages("alice@example.test") == []
    trace = last(site)
    assert trace.reply == reply
    assert steps(trace)["spf"].startswith("fail: ")
    until(lambda: bool(site.counted))
    (seen,) = site.counted
    assert (seen.row.disposition, seen.row.source, seen.row.header_from) == (
        "reject", BAD, "bank.example",
    )  # fmt: skip
    assert seen.rua == ("mailto:dmarc@bank.example",)


@pytest.mark.rfc(6008, "3")
def test_a_signature_speaks_for_its_domain(site: Site) -> None:
    raw = mail()
    header, _, body = raw.partition(b"\r\n\r\n")
    keys = [replace(key, domain="bank.example") for key in (RSA, ED25519)]
    signed = sign(header + b"\r\n\r\n", [body], keys, now=int(time.time())) + raw
    assert send(site, signed, "alice@example.test").startswith("250 ")
    (message,) = site.messages("alice@example.test")
    assert found(message)["dkim"] == "pass"
    assert found(message)["dmarc"] == "pass"
    assert len(set(re.findall(rb'header\.b="?([^" ;\r\n]{8})', message))) == 2
    assert message.endswith(signed)
    altered = signed.replace(b"hello", b"hullo")
    assert send(site, altered, "alice@example.test").startswith("550 5.7.26 ")


def test_a_large_signed_message(site: Site) -> None:
    """Its body lies in a file and is hashed in a thread."""
    body = b"x" * 70 + b"\r\n"
    raw = b"From: a@bank.example\r\n\r\n" + body * 20_000
    key = replace(RSA, domain="bank.example")
    signed = (
        sign(b"From: a@bank.example\r\n\r\n", [body * 20_000], [key], now=int(time.time())) + raw
    )
    assert send(site, signed, "alice@example.test").startswith("250 ")
    (message,) = site.messages("alice@example.test")
    assert found(message)["dmarc"] == "pass"
    assert message.endswith(signed)
    assert list(site.store.spool_folder.iterdir()) == []


def junk(site: Site, address: str) -> list[bytes]:
    def exists(tx) -> bool:
        box = tx.mailboxes.special(accounts.at(tx, parse(address)).id, "\\Junk")
        return box is not None and box.name == "Junk"

    return site.messages(address, "Junk") if site.store.read_now(exists) else []


@pytest.mark.rfc(6154, "2")
def test_quarantine_is_junk_which_is_made_where_there_is_none(site: Site) -> None:
    for _ in range(2):
        assert send(site, mail("shop.example"), "alice@example.test").startswith("250 ")
    assert site.messages("alice@example.test") == []
    assert len(junk(site, "alice@example.test")) == 2
    assert steps(last(site))["dmarc"].endswith("; for Junk")


@pytest.mark.parametrize(
    ("wish", "domain", "outcome"),
    [
        ("reject", "bank.example", "refused"),
        ("quarantine", "bank.example", "junk"),
        ("tag", "bank.example", "inbox"),
        ("none", "bank.example", "inbox"),
        ("quarantine", "shop.example", "junk"),
        ("tag", "shop.example", "inbox"),
        ("reject", "test.example", "inbox"),
    ],
)
def test_what_a_domain_of_ours_wants(site: Site, wish: str, domain: str, outcome: str) -> None:
    wants(site, "example.test", dmarc=wish)
    reply = send(site, mail(domain), "alice@example.test")
    assert reply.startswith("550 5.7.26 " if outcome == "refused" else "250 ")
    assert len(site.messages("alice@example.test")) == (outcome == "inbox")
    assert len(junk(site, "alice@example.test")) == (outcome == "junk")


def test_a_test_of_the_owner_is_told_as_such(site: Site) -> None:
    assert send(site, mail("test.example"), "alice@example.test").startswith("250 ")
    until(lambda: bool(site.counted))
    (seen,) = site.counted
    assert seen.row.disposition == "none"
    assert [reason.type for reason in seen.row.reasons] == ["policy_test_mode"]


def test_one_message_for_domains_that_want_different_things(site: Site) -> None:
    """It is not refused for those who take it, and nobody hears of it who may never have written."""
    wants(site, "other.test", dmarc="tag")
    reply = send(site, mail(), "alice@example.test", "dave@other.test")
    assert reply.startswith("250 ")
    assert len(site.messages("dave@other.test")) == 1
    assert site.messages("alice@example.test") == []
    assert len(junk(site, "alice@example.test")) == 1


@pytest.mark.parametrize(
    ("wishes", "domain", "outcome"),
    [
        ("", "free.example", "inbox"),
        ("fail=reject", "list.example", "inbox"),  # SPF passes
        ("none=reject", "free.example", "refused"),
        ("none=quarantine", "free.example", "junk"),
        ("softfail=reject", "shop.example", "refused"),
    ],
)
@pytest.mark.rfc(7208, "8.4")
def test_what_a_domain_of_ours_wants_of_spf(
    site: Site, wishes: str, domain: str, outcome: str
) -> None:
    wants(site, "example.test", spf=wishes, dmarc="tag")
    reply = send(site, mail("free.example"), "alice@example.test", sender=f"<a@{domain}>")
    assert reply.startswith("550 5.7." if outcome == "refused" else "250 ")
    assert len(site.messages("alice@example.test")) == (outcome == "inbox")
    assert len(junk(site, "alice@example.test")) == (outcome == "junk")


def test_spf_counts_for_nothing_once_dmarc_passes(site: Site) -> None:
    wants(site, "example.test", spf="fail=reject")
    raw = mail()
    header, _, body = raw.partition(b"\r\n\r\n")
    key = replace(RSA, domain="bank.example")
    signed = sign(header + b"\r\n\r\n", [body], [key], now=int(time.time())) + raw
    assert send(site, signed, "alice@example.test").startswith("250 ")


def test_trouble_with_the_dns_refuses_nothing_for_good(site: Site) -> None:
    reply = send(site, mail("slow.example"), "alice@example.test", sender="<a@slow.example>")
    assert reply.startswith("451 4.7.1 DMARC of slow.example cannot be decided for now")
    site.resolver.add("_dmarc.mute.example TROUBLE")
    reply = send(site, mail("mute.example"), "alice@example.test", sender="<a@slow.example>")
    assert reply.startswith("250 ")
    (message,) = site.messages("alice@example.test")
    assert found(message)["dmarc"] == "temperror"


class Slow(Zone):
    """Has no answer within the time that a test takes."""

    async def txt(self, name: str) -> Answer[bytes]:
        await asyncio.sleep(3_600)
        raise AssertionError

    async def ptr(self, address) -> Answer[str]:
        await asyncio.sleep(3_600)
        raise AssertionError


def test_look_ups_have_their_time(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(authentication=AuthenticationLimits(wait_s=0.2))
    with running(tmp_path, tls, limits, proxies=("127.0.0.0/8",), resolver=Slow()) as site:
        began = time.monotonic()
        assert send(site, mail(), "alice@example.test").startswith("250 ")
        assert time.monotonic() - began < 10
        (message,) = site.messages("alice@example.test")
        assert set(found(message).values()) == {"temperror", "none"}
        tasks = lambda: [t for t in asyncio.all_tasks(site.loop) if "judging" in str(t.get_coro())]  # noqa: E731  # a claim
        until(lambda: not tasks())


@pytest.mark.rfc(8601, "5")
@pytest.mark.parametrize("name", [HOST, HOST.upper()])
def test_forged_results_are_removed(site: Site, name: str) -> None:
    forged = (
        f"Authentication-Results: {name};\r\n\tdmarc=pass header.from=bank.example\r\n".encode()
    )
    other = b"Authentication-Results: mx.elsewhere.example; spf=fail\r\n"
    raw = b"X-Before: 1\r\n" + forged + other + mail("free.example")
    assert send(site, raw, "alice@example.test").startswith("250 ")
    (message,) = site.messages("alice@example.test")
    assert message.endswith(raw.replace(forged, b""))
    assert found(message)["dmarc"] == "none"
    assert steps(last(site))["Authentication-Results"] == "1 removed that claimed to be ours"


def test_forged_results_are_removed_of_users_too(site: Site) -> None:
    forged = f"Authentication-Results: {HOST}; dmarc=pass\r\n".encode()
    token = base64.b64encode(f"\0alice@example.test\0{PASSWORD}".encode())
    with come(site, "127.0.0.1", "submission") as wire:
        assert wire.ask(b"AUTH PLAIN " + token + b"\r\n").startswith("235 ")
        for command in (b"MAIL FROM:<alice@example.test>", b"RCPT TO:<bob@example.test>", b"DATA"):
            wire.ask(command + b"\r\n")
        raw = forged + b"From: alice@example.test\r\n\r\nx\r\n"
        assert wire.ask(raw + b".\r\n").startswith("250 ")
    (message,) = site.messages("bob@example.test")
    assert b"Authentication-Results" not in message


@pytest.mark.rfc(9989, "5.3.1")
@pytest.mark.parametrize(
    "field", [b"From: a@bank.example, b@evil.example", b"From: bank.example <>"]
)
def test_who_hides_the_author_goes_to_junk(site: Site, field: bytes) -> None:
    assert send(site, field + b"\r\n\r\nx\r\n", "alice@example.test").startswith("250 ")
    (message,) = junk(site, "alice@example.test")
    assert found(message)["dmarc"] == "permerror"


def test_a_trusted_network_is_not_judged(site: Site) -> None:
    trusted(site, "network", "203.0.113.0/24")
    raw = mail()
    assert send(site, raw, "alice@example.test").startswith("250 ")
    (message,) = site.messages("alice@example.test")
    assert b"Authentication-Results" not in message
    assert steps(last(site))["authentication"] == "comes from a trusted network"
    assert "dmarc" not in steps(last(site))


def test_a_trusted_forwarder_may_break_what_others_promise(site: Site) -> None:
    assert send(site, mail(), "alice@example.test", sender="<l@list.example>")[:3] == "550"
    trusted(site, "forwarder", "list.example")
    assert send(site, mail(), "alice@example.test", sender="<l@list.example>")[:3] == "250"
    assert len(site.messages("alice@example.test")) == 1
    assert steps(last(site))["dmarc"].endswith(
        "; the policy is not followed: passed on by list.example"
    )
    until(lambda: len(site.counted) == 2)
    assert [reason.type for reason in site.counted[1].row.reasons] == ["trusted_forwarder"]


@pytest.mark.rfc(8617, "8.1")
@pytest.mark.parametrize(
    ("results", "trusts", "code"),
    [
        ("dmarc=pass header.from=bank.example", "sealer.example", "250"),
        ("dmarc=pass header.from=bank.example", "other.example", "550"),
        ("dmarc=pass header.from=evil.example", "sealer.example", "550"),
        ("dmarc=fail header.from=bank.example", "sealer.example", "550"),
        ("spf=pass smtp.mailfrom=bank.example", "sealer.example", "550"),
    ],
)
def test_a_trusted_sealer_is_believed(site: Site, results: str, trusts: str, code: str) -> None:
    raw = mail()
    header, _, body = raw.partition(b"\r\n\r\n")
    sealed = seal(
        header + b"\r\n\r\n",
        [body],
        replace(RSA, domain="sealer.example"),
        authserv_id="mx.sealer.example",
        results_text=results,
        chain=ArcResult("none", ""),
        now=int(time.time()),
    )
    trusted(site, "sealer", trusts)
    assert send(site, sealed + raw, "alice@example.test")[:3] == code
    assert send(site, sealed + raw.replace(b"hello", b"hullo"), "alice@example.test")[:3] == "550"


def script(site: Site, address: str, text: str) -> None:
    def put(tx) -> None:
        from mailserver.store.scripts import Owner

        owner = Owner(account=accounts.at(tx, parse(address)).id)
        tx.scripts.put(owner, "main", text.encode())
        tx.scripts.activate(owner, "main")

    site.store.write_now(put)


@pytest.mark.parametrize(
    ("text", "inbox", "in_junk"),
    [
        ('if header :contains "subject" "y" { discard; }', 0, 1),
        ('require "fileinto"; fileinto "INBOX";', 1, 0),
        ("keep;", 1, 0),
        ("this is no script", 0, 1),
        ('require "vacation"; vacation "away";', 0, 1),
    ],
)
def test_what_a_script_files_explicitly_stays_there(
    site: Site, text: str, inbox: int, in_junk: int
) -> None:
    script(site, "alice@example.test", text)
    assert send(site, mail("shop.example"), "alice@example.test").startswith("250 ")
    told = [m for m in site.messages("alice@example.test") if b"mistake" not in m]
    assert (len(told), len(junk(site, "alice@example.test"))) == (inbox, in_junk)
    assert "vacation" not in text or not last(site).queued


def test_a_script_without_a_say_keeps_nothing_out_of_junk(site: Site) -> None:
    script(site, "alice@example.test", 'if header :is "subject" "other" { keep; }')
    for count in (1, 2):  # compiled for the first
        assert send(site, mail("shop.example"), "alice@example.test").startswith("250 ")
        assert len(junk(site, "alice@example.test")) == count
    assert site.messages("alice@example.test") == []


def test_the_null_sender_is_judged_by_the_name_of_its_server(site: Site) -> None:
    assert send(site, mail("free.example"), "alice@example.test", sender="<>")[:3] == "250"
    (message,) = site.messages("alice@example.test")
    assert found(message)["spf"] == "none"
    assert b"\tsmtp.helo=client.example" in message
    assert b"\thelo=client.example" in message


def test_dmarc_is_not_asked_where_nobody_wants_it(site: Site) -> None:
    wants(site, "example.test", dmarc="none")
    assert send(site, mail(), "alice@example.test").startswith("250 ")
    assert not any(name.startswith("_dmarc.") for _, name in site.resolver.asked)
    (message,) = site.messages("alice@example.test")
    assert found(message)["dmarc"] == "none"
    assert site.counted == []


def test_headers_that_are_made_to_cost_much(site: Site) -> None:
    """A thousand signatures, as many seals, ten thousand forged results: judged in time, taken or refused in words."""
    signature = (
        b"DKIM-Signature: v=1; a=rsa-sha256; d=d%d.evil.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"
    )
    seals = b"ARC-Seal: i=%d; a=rsa-sha256; d=evil.example; s=s; cv=pass; b=AAAA\r\n"
    forged = f"Authentication-Results: {HOST}; dmarc=pass\r\n".encode()
    for extra in (
        b"".join(signature % n for n in range(1_000)),
        b"".join(seals % n for n in range(1, 1_000)),
        forged * 10_000,
        b"Authentication-Results: " + b"(" * 100_000 + b"\r\n",
        b"From: " + b"<" * 1_500 + b"\r\nX: ",
    ):
        before, began = site.resolver.asked.total(), time.process_time()
        reply = send(site, mail("free.example", extra), "alice@example.test")
        assert reply[:3] in ("250", "550"), reply
        assert site.resolver.asked.total() - before < 120
        assert time.process_time() - began < 20
    for message in site.messages("alice@example.test"):
        assert message.count(HOST.encode() + b"; ") == 1


def test_an_ipv6_client_that_is_one_of_ipv4(site: Site) -> None:
    with site.connect() as wire:
        wire.say(f"PROXY TCP6 ::ffff:{GOOD} 2001:db8::1 1 25\r\n".encode())
        wire.hear()
        wire.ask(b"EHLO client.example\r\n")
        for command in (b"MAIL FROM:<a@bank.example>", b"RCPT TO:<alice@example.test>", b"DATA"):
            wire.ask(command + b"\r\n")
        assert wire.ask(mail() + b".\r\n").startswith("250 ")
    (message,) = site.messages("alice@example.test")
    assert found(message)["spf"] == "pass"


def test_lmtp_is_one_of_us(site: Site) -> None:
    with come(site, "127.0.0.1", "lmtp") as wire:
        for command in (b"MAIL FROM:<a@bank.example>", b"RCPT TO:<alice@example.test>", b"DATA"):
            wire.ask(command + b"\r\n")
        assert wire.ask(mail() + b".\r\n").startswith("250 ")
    (message,) = site.messages("alice@example.test")
    assert message.endswith(mail())
    assert b"Authentication-Results" not in message


@pytest.mark.rfc(5293, "6")
def test_a_script_does_not_write_what_we_found(site: Site) -> None:
    """It would be believed, and sealed where the message is passed on."""
    lines = (
        'require "editheader"; deleteheader "Authentication-Results"; deleteheader "Received-SPF";'
        f' addheader "Authentication-Results" "{HOST}; dmarc=pass header.from=bank.example";'
    )
    script(site, "alice@example.test", lines)
    assert send(site, mail("free.example"), "alice@example.test").startswith("250 ")
    (message,) = site.messages("alice@example.test")
    assert message.count(b"Authentication-Results:") == 1
    assert b"Received-SPF:" in message
    assert found(message)["dmarc"] == "none"


# -- reports


@pytest.mark.rfc(8460, "3")
@pytest.mark.parametrize(
    ("contact", "service", "is_kept"),
    [
        ("bank.example", "", True),
        ("reports.bank.example", "", True),
        ("elsewhere.example", "", False),
        ("notbank.example", "", False),
        ("bank.example", "s=tlsrpt; ", True),
        ("bank.example", "s=other; ", False),
        ("", "", False),
    ],
)
def test_tls_reports_are_signed_by_who_makes_them(
    tmp_path: Path, tls: ServerTls, contact: str, service: str, is_kept: bool
) -> None:
    """SPF is not enough, and a key for TLS reports is enough for nothing else."""
    key = replace(RSA, domain="bank.example")
    there = Zone(RECORDS)
    there.add(record(key, f"v=DKIM1; {service}{record_text(key.private).partition('; ')[2]}"))
    document = samples.TLS_GOOGLE.replace(b"google.example", contact.encode())
    raw = about("example.test", document).replace(b"reports@elsewhere.example", b"a@bank.example")
    header, _, body = raw.partition(b"\r\n\r\n")
    signed = sign(header + b"\r\n", [body], [key], now=int(time.time())) + raw
    with running(tmp_path, tls, proxies=("127.0.0.0/8",), resolver=there) as site:
        said = send(site, signed, "tls-reports@example.test", peer=GOOD)
        assert said.startswith("250")
        assert len(site.store.read_now(lambda tx: tx.reports.list())) == is_kept
        results = found(site.messages("alice@example.test")[0])
        assert results["dkim"] == ("permerror" if service else "pass")
        assert send(site, raw, "tls-reports@example.test", peer=GOOD).startswith("250")
        assert len(site.store.read_now(lambda tx: tx.reports.list())) == is_kept


@pytest.mark.rfc(6008, "4")
def test_signatures_that_begin_alike_are_told_apart(site: Site) -> None:
    field = "DKIM-Signature: v=1; a=rsa-sha256; d=gone.example; s=x; h=from; bh=AAAA; b={}\r\n"
    alike = ["ABCDEFGHIJKLMNOPQRST", "ABCDEFGHIJKLMNOPQRSU", "ABCDEFGHIJKLMNOPQRST", "ABC"]
    extra = "".join(map(field.format, alike)).encode()
    assert send(site, mail("list.example", extra), "alice@example.test", peer=GOOD)[0] == "2"
    (message,) = site.messages("alice@example.test")
    said = re.findall(rb"header\.b=(\S+?);?\r\n", message.partition(b"\r\nDKIM-Signature")[0])
    assert said == [
        b"ABCDEFGHIJKLMNOPQRST",
        b"ABCDEFGHIJKLMNOPQRSU",
        b"ABCDEFGHIJKLMNOPQRST",
        b"ABC",
    ]
