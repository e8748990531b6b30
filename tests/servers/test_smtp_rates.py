"""What sessions say when a limit by the hour is reached, and what counts."""

import re
import smtplib
from dataclasses import replace
from pathlib import Path

import pytest

from mailserver.base.limits import Limits, OverloadLimits, SmtpLimits
from mailserver.base.rate_limits import (
    AccountRates,
    AddressRates,
    NetworkRates,
    RatesLimits,
    SenderRates,
)
from mailserver.mta.rates import Counter
from mailserver.net.tls import ServerTls
from servers.site import RAW, greeted, running, send, submit, until

NO_USER_LIMITS = AccountRates(0, 0, 0, 0, 0, 0)
OPEN = RatesLimits(exempt=(), account=NO_USER_LIMITS)
ALICE = "alice@example.test"


def site_with(tmp_path: Path, tls: ServerTls, rates: RatesLimits, smtp: SmtpLimits | None = None):
    return running(tmp_path, tls, Limits(rates=rates, smtp=smtp or SmtpLimits(error_delay_s=0)))


def own(raw: bytes = RAW) -> bytes:
    return raw.replace(b"From: a@elsewhere.test", b"From: alice@example.test")


def said(reply: str, pattern: str) -> None:
    assert re.fullmatch(pattern, reply), reply


def test_messages_of_an_account(tmp_path: Path, tls: ServerTls) -> None:
    rates = RatesLimits(account=replace(NO_USER_LIMITS, messages_per_hour=2))
    with site_with(tmp_path, tls, rates) as site:
        with submit(site) as wire:
            for _ in range(2):
                assert send(wire, ALICE, sender=f"<{ALICE}>", raw=own()).startswith("250")
            said(
                wire.ask(b"MAIL FROM:<alice@example.test>\r\n"),
                r"450 4\.7\.1 Too many messages from alice@example\.test: 2 in the last hour, 2 are allowed,"
                r" try again in \d+ minutes",
            )
        with submit(site) as wire:  # another connection makes no difference
            assert wire.ask(b"MAIL FROM:<alice@example.test>\r\n").startswith("450 4.7.1")
        with submit(site, "bob@example.test") as wire:
            assert wire.ask(b"MAIL FROM:<bob@example.test>\r\n").startswith("250")
        with greeted(site) as wire:  # her mail still comes in
            assert send(wire, ALICE).startswith("250")
        last = [t for t in site.traces if t.steps[0].what == "message rate" and t.steps[0].reply]
        assert (last[0].account, last[0].sender) == (ALICE, ALICE)


def test_only_what_was_taken_counts_for_a_user(tmp_path: Path, tls: ServerTls) -> None:
    rates = RatesLimits(account=replace(NO_USER_LIMITS, messages_per_hour=1, recipients_per_hour=2))
    with site_with(tmp_path, tls, rates) as site, submit(site) as wire:
        for _ in range(3):
            assert wire.ask(b"MAIL FROM:<alice@example.test>\r\n").startswith("250")
            assert wire.ask(b"RCPT TO:<bob@example.test>\r\n").startswith("250")
            assert wire.ask(b"RSET\r\n").startswith("250")
        refused = send(wire, ALICE, sender=f"<{ALICE}>")  # not her From
        assert refused.startswith("550")
        assert send(wire, ALICE, sender=f"<{ALICE}>", raw=own()).startswith("250")
        assert wire.ask(b"MAIL FROM:<alice@example.test>\r\n").startswith("450")


def test_recipients_of_an_account(tmp_path: Path, tls: ServerTls) -> None:
    rates = RatesLimits(account=replace(NO_USER_LIMITS, recipients_per_day=2))
    with site_with(tmp_path, tls, rates) as site, submit(site) as wire:
        wire.ask(b"MAIL FROM:<alice@example.test>\r\n")
        assert wire.ask(b"RCPT TO:<nobody@example.test>\r\n").startswith("550")
        for name in ("alice", "bob"):
            assert wire.ask(f"RCPT TO:<{name}@example.test>\r\n".encode()).startswith("250")
        said(
            wire.ask(b"RCPT TO:<dave@other.test>\r\n"),
            r"450 4\.7\.1 Too many recipients from alice@example\.test: 2 in the last day, 2 are allowed,"
            r" try again in \d+ hours",
        )
        assert wire.ask(b"DATA\r\n").startswith("354")
        assert wire.ask(own() + b".\r\n").startswith("250")


def test_octets_of_an_account(tmp_path: Path, tls: ServerTls) -> None:
    rates = RatesLimits(account=replace(NO_USER_LIMITS, bytes_per_day=100))
    with site_with(tmp_path, tls, rates) as site, submit(site) as wire:
        big = own() + b"x" * 70 + b"\r\n"
        assert send(wire, ALICE, sender=f"<{ALICE}>", raw=big).startswith("250")
        said(
            wire.ask(b"MAIL FROM:<alice@example.test>\r\n"),
            rf"450 4\.7\.1 Too many bytes from alice@example\.test: {len(big)} in the last day, 100 are allowed, .*",
        )


@pytest.mark.parametrize("kind", ["sender", "domain"])
def test_senders_and_domains(tmp_path: Path, tls: ServerTls, kind: str) -> None:
    rates = replace(OPEN, **{kind: SenderRates(messages_per_hour=1)})
    with site_with(tmp_path, tls, rates) as site:
        with submit(site) as wire:
            assert send(wire, ALICE, sender=f"<{ALICE}>", raw=own()).startswith("250")
            name = ALICE if kind == "sender" else "example.test"
            assert f"from {name}: 1 in" in wire.ask(b"MAIL FROM:<alice@example.test>\r\n")
        with submit(site, "bob@example.test") as wire:
            reply = wire.ask(b"MAIL FROM:<bob@example.test>\r\n")
            assert reply.startswith("250" if kind == "sender" else "450")


@pytest.mark.parametrize(
    ("rates", "name"),
    [
        (replace(OPEN, address=AddressRates(messages_per_hour=2)), "127.0.0.1"),
        (replace(OPEN, network=NetworkRates(messages_per_hour=2)), "127.0.0.0/24"),
    ],
)
def test_messages_of_a_client(
    tmp_path: Path, tls: ServerTls, rates: RatesLimits, name: str
) -> None:
    with site_with(tmp_path, tls, rates) as site:
        with greeted(site) as wire:
            wire.ask(b"MAIL FROM:<a@elsewhere.test>\r\n")
            wire.ask(b"RSET\r\n")  # an attempt counts
            assert send(wire, ALICE).startswith("250")
            said(
                wire.ask(b"MAIL FROM:<a@elsewhere.test>\r\n"),
                rf"450 4\.7\.1 Too many messages from {re.escape(name)}: 2 in the last hour, 2 are allowed, .*",
            )
        with submit(site) as wire:  # who logs in is not counted by where he is
            assert send(wire, ALICE, sender=f"<{ALICE}>", raw=own()).startswith("250")


def test_recipients_of_a_client(tmp_path: Path, tls: ServerTls) -> None:
    rates = replace(OPEN, address=AddressRates(recipients_per_hour=1))
    with site_with(tmp_path, tls, rates) as site, greeted(site) as wire:
        wire.ask(b"MAIL FROM:<a@elsewhere.test>\r\n")
        assert wire.ask(b"RCPT TO:<alice@example.test>\r\n").startswith("250")
        assert wire.ask(b"RCPT TO:<bob@example.test>\r\n").startswith(
            "450 4.7.1 Too many recipients"
        )


def test_who_tries_out_addresses_learns_nothing_more(tmp_path: Path, tls: ServerTls) -> None:
    rates = replace(OPEN, address=AddressRates(refused_recipients_per_hour=3))
    with site_with(tmp_path, tls, rates) as site, greeted(site) as wire:
        wire.ask(b"MAIL FROM:<a@elsewhere.test>\r\n")
        for n in range(3):
            assert wire.ask(b"RCPT TO:<n%d@example.test>\r\n" % n).startswith("550 5.1.1")
        there = wire.ask(b"RCPT TO:<alice@example.test>\r\n")
        missing = wire.ask(b"RCPT TO:<nobody@example.test>\r\n")
        assert there == missing
        assert there.startswith(
            "450 4.7.1 Too many refused recipients from 127.0.0.1: 3 in the last"
        )


def test_connections_of_a_client(tmp_path: Path, tls: ServerTls) -> None:
    rates = replace(OPEN, address=AddressRates(connections_per_minute=2))
    with site_with(tmp_path, tls, rates) as site:
        for _ in range(2):
            with site.connect() as wire:
                assert wire.hear().startswith("220")
        with site.connect() as wire:
            said(
                wire.hear(),
                r"421 4\.3\.2 mail\.example\.test Too many connections from 127\.0\.0\.1: 2 in the last minute,"
                r" 2 are allowed, try again in \d+ seconds",
            )
            assert wire.hear() == ""
        assert site.traces[-1].steps[0][:2] == ("connect", "turned away")


def test_this_machine_is_exempt_unless_told_otherwise(tmp_path: Path, tls: ServerTls) -> None:
    rates = RatesLimits(address=AddressRates(1, 1, 1, 1, 1, 1))
    with site_with(tmp_path, tls, rates) as site:
        for _ in range(3):
            with greeted(site) as wire:
                assert send(wire, ALICE, "bob@example.test").startswith("250")
        assert not site.context.guard.rates.pending


def test_overload_turns_servers_away_and_serves_users(tmp_path: Path, tls: ServerTls) -> None:
    with site_with(tmp_path, tls, OPEN) as site, greeted(site) as before:
        load = site.context.load
        load._limits = OverloadLimits(loop_lag_s=1.0)
        for _ in range(3):
            load.look(1.5)
        with site.connect() as wire:
            assert (
                wire.hear() == "421 4.3.2 mail.example.test Overloaded, try again in a few minutes"
            )
        assert send(before, ALICE).startswith("250")
        with submit(site) as wire:
            assert send(wire, ALICE, sender=f"<{ALICE}>", raw=own()).startswith("250")
        for _ in range(3):
            load.look(3.0)
        with site.connect("submission") as wire:
            assert wire.hear().startswith("421 4.3.2")
        for _ in range(8):
            load.look(0.0)
        with site.connect() as wire:
            assert wire.hear().startswith("220")


def test_guessing_at_one_place_while_the_user_is_at_another(tmp_path: Path, tls: ServerTls) -> None:
    """Both are on this machine, in networks of their own."""
    rates = replace(OPEN, address=AddressRates(failed_logins_per_hour=5), longest_login_delay_s=0)
    limits = Limits(rates=rates, smtp=SmtpLimits(error_delay_s=0, auth_failures=100))
    with running(tmp_path, tls, limits) as site:

        def log_in(source: str, password: str) -> tuple[int, bytes]:
            client = smtplib.SMTP(source_address=(source, 0))
            client.connect("127.0.0.1", site.ports["submission"])
            with client:
                client.ehlo()
                try:
                    return client.login(ALICE, password)
                except smtplib.SMTPAuthenticationError as error:
                    return error.smtp_code, error.smtp_error

        answers = [log_in("127.0.9.1", f"guess {n}")[0] for n in range(8)]
        assert answers == [535] * 5 + [454] * 3
        code, text = log_in("127.0.9.1", "correct horse")
        assert code == 454
        assert b"Too many failed log-ins from 127.0.9.1: 5 in the last hour, 5 are allowed" in text
        assert log_in("127.0.7.1", "correct horse")[0] == 235
        kinds = [t.steps[0].what for t in site.traces if t.steps[0].stage == "log-in"]
        assert kinds.count("password") == 5
        assert kinds.count("guessing") >= 4


def test_the_same_wrong_password_again_is_no_guess(tmp_path: Path, tls: ServerTls) -> None:
    rates = replace(OPEN, address=AddressRates(failed_logins_per_hour=2))
    limits = Limits(rates=rates, smtp=SmtpLimits(error_delay_s=0, auth_failures=100))
    with running(tmp_path, tls, limits) as site:
        for _ in range(5):
            with greeted(site, "submission") as wire:
                assert wire.ask(b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABvbGQ=\r\n").startswith(
                    "535"
                )
        counter = Counter("address", "127.0.0.1", "failed_logins", "hour")
        assert site.context.guard.rates.total(counter, site.context.now()) == 1
        submit(site).close()


def test_errors_cost_more_and_more_time_and_others_none(tmp_path: Path, tls: ServerTls) -> None:
    smtp = SmtpLimits(errors=10, error_delay_s=0.1, longest_error_delay_s=0.3)
    with site_with(tmp_path, tls, OPEN, smtp) as site, greeted(site) as wire:
        clock = site.loop.time
        waits = []
        for _ in range(9):
            began = clock()
            wire.ask(b"WHAT\r\n")
            waits.append(clock() - began)
        assert max(waits[:5]) < 0.1
        assert waits[5] >= 0.09
        assert waits[6] >= 0.19
        assert min(waits[7:]) >= 0.29
        wire.say(b"NOOP\r\n")
        with greeted(site) as other:
            assert send(other, ALICE).startswith("250")
        until(lambda: bool(site.traces))


def test_strangers_that_ask_for_many_who_are_not_there_wait(tmp_path: Path, tls: ServerTls) -> None:
    smtp = SmtpLimits(refused_recipients=4, error_delay_s=0.2)
    with site_with(tmp_path, tls, OPEN, smtp) as site, greeted(site) as wire:
        wire.ask(b"MAIL FROM:<a@elsewhere.test>\r\n")
        waits = []
        for n in range(4):
            began = site.loop.time()
            wire.ask(b"RCPT TO:<n%d@example.test>\r\n" % n)
            waits.append(site.loop.time() - began)
        assert max(waits[:2]) < 0.2 <= min(waits[2:]) + 0.01
