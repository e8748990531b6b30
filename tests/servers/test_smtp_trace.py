"""What is remembered of sessions: every message that was taken, and every refusal, with its reason."""

import base64
from pathlib import Path

import pytest

from mailserver.base.limits import Limits, MimeLimits, SmtpLimits
from mailserver.net.tls import ServerTls
from mailserver.store.trace_values import Step, Trace
from servers.site import RAW, Site, greeted, running, send, submit, until


def only(site: Site) -> Trace:
    """The one trace there is."""
    until(lambda: bool(site.traces))
    (trace,) = site.traces
    return trace


def ids(site: Site, *addresses: str) -> tuple[int, ...]:
    def job(tx):
        return tuple(tx.accounts.by_address(*a.split("@")).id for a in addresses)

    return site.store.read_now(job)


def test_a_message_that_was_taken(site: Site) -> None:
    raw = b"Message-ID: <x1@elsewhere.test>\r\n" + RAW
    with greeted(site) as wire:
        reply = send(wire, "alice@example.test", "team@example.test", raw=raw)
    trace = only(site)
    alice, bob = ids(site, "alice@example.test", "bob@example.test")
    assert reply == f"250 2.0.0 Taken as {trace.id}"
    assert trace.reply == reply
    assert trace.is_taken
    assert (trace.listener, trace.peer, trace.helo, trace.tls, trace.account) == (
        "smtp", "127.0.0.1", "client.example", "", "",
    )  # fmt: skip
    assert trace.sender == "a@elsewhere.test"
    assert [(r.address, r.accounts) for r in trace.recipients] == [
        ("alice@example.test", (alice,)),
        ("team@example.test", (alice, bob)),
    ]
    assert trace.message_id == "<x1@elsewhere.test>"
    assert trace.size == len(raw)
    assert {step.what for step in trace.steps} >= {"first line", "loop", "From field"}
    assert trace.steps[0] == Step("mail", "message rate", "not limited")
    assert all(step.stage == "data" and step.reason and not step.reply for step in trace.steps[1:])
    assert [(c.account, c.uid) for c in trace.copies] == [(alice, 1), (bob, 1)]
    assert len(trace.session) == 8


def test_each_transaction_of_a_connection_has_its_own(site: Site) -> None:
    with greeted(site) as wire:
        send(wire, "alice@example.test")
        wire.ask(b"RSET\r\n")
        send(wire, "bob@example.test", sender="<>")
    until(lambda: len(site.traces) == 2)
    first, second = site.traces
    assert first.session == second.session
    assert first.id != second.id
    assert [r.address for r in second.recipients] == ["bob@example.test"]
    assert second.sender == ""
    assert len(second.steps) == len(first.steps)


def test_refused_recipients_stand_beside_those_that_were_taken(site: Site) -> None:
    with greeted(site) as wire:
        wire.ask(b"MAIL FROM:<a@elsewhere.test>\r\n")
        refusal = wire.ask(b"RCPT TO:<nobody@example.test>\r\n")
        send(wire, "alice@example.test")  # its MAIL is out of order, its RCPT is not
        wire.ask(b"RCPT TO:<alice@example.test>\r\n")
        wire.ask(b"DATA\r\n")
        wire.ask(RAW + b".\r\n")
    trace = only(site)
    assert trace.is_taken
    refused = [step for step in trace.steps if step.reply]
    assert refused[1] == Step(
        "rcpt", "recipient", "nobody@example.test", refusal, "nobody@example.test"
    )
    assert refused[0].reply.startswith("503 5.5.1")


def test_a_refused_message_says_which_check(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(mime=MimeLimits(header_size=300))
    with running(tmp_path, tls, limits) as site, greeted(site) as wire:
        reply = send(wire, "alice@example.test", raw=b"Subject: " + b"x" * 400 + b"\r\n\r\nx\r\n")
        wire.ask(b"QUIT\r\n")
        trace = only(site)
    assert not trace.is_taken
    assert trace.reply == reply
    assert [s for s in trace.steps if s.reply] == [trace.steps[-1]]
    assert trace.steps[-1][:2] == ("data", "header size")
    assert trace.copies == ()


def test_a_client_that_goes_in_the_middle(site: Site) -> None:
    with greeted(site) as wire:
        wire.ask(b"MAIL FROM:<a@elsewhere.test>\r\n")
        wire.ask(b"RCPT TO:<alice@example.test>\r\n")
        wire.ask(b"DATA\r\n")
        wire.say(b"Subject: x\r\n")
    trace = only(site)
    assert (trace.is_taken, trace.reply) == (False, "")
    assert trace.steps[-1][:2] == ("connection", "end")


def test_a_client_that_only_asks_whether_somebody_is_there(site: Site) -> None:
    with greeted(site) as wire:
        wire.ask(b"MAIL FROM:<>\r\n")
        wire.ask(b"RCPT TO:<alice@example.test>\r\n")
        wire.ask(b"QUIT\r\n")
    trace = only(site)
    assert (trace.is_taken, trace.reply, trace.sender) == (False, "", "")
    assert [r.address for r in trace.recipients] == ["alice@example.test"]


def test_nothing_came_of_it(site: Site) -> None:
    with greeted(site) as wire:
        wire.ask(b"MAIL FROM:<a@elsewhere.test>\r\n")
        wire.ask(b"RSET\r\n")
        wire.ask(b"NOOP\r\n")
        wire.ask(b"QUIT\r\n")
    assert site.traces == []


def test_a_sender_that_is_not_the_users(site: Site) -> None:
    with submit(site) as wire:
        reply = wire.ask(b"MAIL FROM:<bob@example.test>\r\n")
    trace = only(site)
    assert (trace.id, trace.account, trace.sender) == ("", "alice@example.test", "bob@example.test")
    assert trace.steps == (Step("mail", "sender", "", reply),)
    assert trace.reply == reply
    assert trace.listener == "submission"


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        (b"MAIL FROM:<a@elsewhere.test> SIZE=999999999\r\n", "mail"),
        (b"MAIL FROM:a b c\r\n", "mail"),
        (b"MAIL FROM:<a@elsewhere.test> WRONG=1\r\n", "mail"),
    ],
)
def test_refusals_of_the_engine(site: Site, line: bytes, stage: str) -> None:
    with greeted(site) as wire:
        reply = wire.ask(line)
    trace = only(site)
    assert trace.steps[0][:2] == (stage, "grammar")
    assert trace.reply == reply


def test_errors_that_end_the_connection(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(smtp=SmtpLimits(errors=3, error_delay_s=0))
    with running(tmp_path, tls, limits) as site, greeted(site) as wire:
        for _ in range(2):
            wire.ask(b"WHAT\r\n")
        assert wire.ask(b"WHAT\r\n").startswith("421 4.7.0")
        trace = only(site)
    assert trace.steps[0][:2] == ("connection", "patience")


def test_a_recipient_refused_by_hundreds_is_told_in_part(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(smtp=SmtpLimits(refused_recipients=10_000))
    with running(tmp_path, tls, limits) as site, greeted(site) as wire:
        wire.ask(b"MAIL FROM:<a@elsewhere.test>\r\n")
        wire.say(b"".join(b"RCPT TO:<n%d@example.test>\r\n" % n for n in range(600)))
        for _ in range(600):
            wire.hear()
        wire.ask(b"RSET\r\n")
        trace = only(site)
    assert len(trace.steps) == 1 + 500
    assert trace.omitted == 100


def test_no_password_is_told(site: Site) -> None:
    with greeted(site, "submission") as wire:
        secret = base64.b64encode(b"\0alice@example.test\0hunter2-wrong").decode()
        wire.ask(f"AUTH PLAIN {secret}\r\n".encode())
        wire.ask(b"AUTH PLAIN hunter2-wrong\r\n")
        wire.ask(b"hunter2-wrong\r\n")
        wire.ask(b"QUIT\r\n")
    assert "hunter2" not in repr(site.traces)
