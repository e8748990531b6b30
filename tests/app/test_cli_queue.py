"""`mailserver queue` and `suppression`: what they show, what they do, what they refuse."""

from functools import partial
from types import SimpleNamespace

import pytest

from mailserver.app.cli import queue
from mailserver.store.queue_values import Result
from mailserver.store.store import Store, StoreOptions
from store.post import REFUSED, Post, attempt
from store.world import NOW


@pytest.fixture
def mail(cli, tmp_path, monkeypatch):
    """The command line, and a queue: message 1 to b and c (deferred), 2 a bounce to b, 3 to d by a smarthost."""
    monkeypatch.setattr("time.time", lambda: float(NOW))
    options = partial(StoreOptions, clock=lambda: float(NOW))
    monkeypatch.setattr("mailserver.app.admin.StoreOptions", options)
    cli("domain add example.test")
    cli("user add alice@example.test --password-stdin", "correct horse\n")
    store = Store(tmp_path / "data", options=StoreOptions(clock=lambda: NOW - 7200))
    store.open()
    post = Post(SimpleNamespace(store=store))  # type: ignore[arg-type]
    post.add(
        "b@b.test",
        "c@c.test",
        trace="4f0c9e2b7a6d1583",
        account=1,
        raw=b"hello, hello, hello!\r\n",  # type: ignore[arg-type]
    )
    post.add("b@b.test", sender="", origin="notice", raw=b"a notice\r\n")
    post.add(
        "d@d.test", destination="smtp:relay.test:587", sender="Bob@example.test", raw=b"x" * 2048
    )

    def job(tx):
        c = tx.destinations.find("c.test")
        (claimed,) = tx.queue.claim([(c.id, 1)])
        refused = attempt("4.3.0", "\x07")._replace(at=NOW - 7000)
        tx.queue.settle([Result(claimed.recipients[0].id, "deferred", NOW + 60, refused)])
        tx.queue.back_off(c.id, NOW + 600, "no route to host")

    store.write_now(job)
    store.close()
    return cli


def states(cli):
    return [
        (row["id"], row["recipient"], row["state"]) for row in cli("queue list --all --json").json
    ]


def test_list(mail):
    assert mail("queue list").out.splitlines() == [
        "ID  QUEUED AT             SIZE   SENDER              RECIPIENT  STATE     NEXT ATTEMPT          WHY",
        "1   2027-01-15T06:00:00Z  22 B   alice@example.test  b@b.test   pending   2027-01-15T06:00:00Z  -",
        "1   2027-01-15T06:00:00Z  22 B   alice@example.test  c@c.test   deferred  2027-01-15T08:10:00Z  4.3.0 \\x07",
        "2   2027-01-15T06:00:00Z  10 B   <>                  b@b.test   pending   2027-01-15T06:00:00Z  -",
        "3   2027-01-15T06:00:00Z  2 KiB  Bob@example.test    d@d.test   pending   2027-01-15T06:00:00Z  -",
    ]  # fmt: skip
    row = mail("queue list 1 --state deferred --json").json[0]
    assert (row["trace"], row["status"], row["attempts"]) == ("4f0c9e2b7a6d1583", "4.3.0", 1)
    assert row["next_attempt_at"] == "2027-01-15T08:10:00Z"


@pytest.mark.parametrize(
    ("filters", "recipients"),
    [
        ("1", [1, 2]),
        ("4f0c9e2b7a6d1583", [1, 2]),
        ("3 1", [4, 1, 2]),
        ("--sender <>", [3]),
        ("--sender *@example.test", [1, 2, 4]),
        ("--recipient B@b.test --sender alice@example.test", [1]),
        ("--domain ?.test", []),
        ("--domain *.test --state deferred", [2]),
        ("--destination smtp:relay.test:587", [4]),
        ("--account alice@example.test", [1, 2]),
        ("--older-than 2h", [1, 2, 3, 4]),
        ("--older-than 3h", []),
        ("--state held --state pending", [1, 3, 4]),
        ("--limit 2", [1, 2]),
        ("--limit 2 --after 2", [3, 4]),
    ],
)
def test_filters(mail, filters, recipients):
    answer = mail(f"queue list {filters} --json")
    assert [row["recipient_id"] for row in answer.json] == recipients


def test_there_is_more(mail):
    assert mail("queue list --limit 2").err == "there are more; the next page: --after 2\n"
    assert mail("queue list --limit 4").err == ""


def test_show(mail):
    shown = mail("queue show 1").out
    assert "id          1\n" in shown
    assert "account     alice@example.test\n" in shown
    assert (
        "c@c.test: deferred, next attempt 2027-01-15T08:10:00Z, c.test was not reached since 2027-01-15T06:00:00Z\n"
        "  1. 2027-01-15T06:03:20Z  mx.b.test [192.0.2.1]  no TLS  450 4.3.0 \\x07"
        "  deferred after 0.12 s\n"
    ) in shown
    assert mail("queue show 4f0c9e2b7a6d1583").out == shown
    assert "b@b.test: pending, next attempt" in mail("queue show 2").out
    assert ", by smtp:relay.test:587\n" in mail("queue show 3").out
    mail("queue pause smtp:relay.test:587")
    assert ", by smtp:relay.test:587, which is paused\n" in mail("queue show 3").out
    (row,) = mail("queue show 1 --json").json
    assert row["recipients"][1]["attempts_made"][0]["host"] == REFUSED.host
    assert row["recipients"][1]["attempts_made"][0]["reply"] == "\x07"


def test_show_content(mail):
    assert mail("queue show 2 --content").out == "a notice\n"  # click's runner drops the CR
    mail("queue cancel 2 --yes")
    answer = mail("queue show 2 --content")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err == "Message 2 is finished, its content is not kept.\n"


def test_content_does_nothing_to_a_terminal(mail, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    queue._print(b"Subject: \x1b[2J\r\n\r\n\xff")
    assert capsys.readouterr().out == "Subject: \\x1b[2J\n\n\ufffd\n"


def test_status(mail):
    mail("queue pause b.test")
    assert mail("queue status").out.splitlines() == [
        "messages      3",
        "recipients    3 pending, 1 deferred",
        "oldest        2027-01-15T06:00:00Z",
        "next attempt  2027-01-15T06:00:00Z",
        "destinations  3 with mail that waits, 1 of them not reached, 1 paused",
        "",
        "DESTINATION          WAITING  NEXT ATTEMPT          PAUSED                FAILURES  LAST ERROR",
        "b.test               2        2027-01-15T06:00:00Z  2027-01-15T08:00:00Z  0         -",
        "c.test               1        2027-01-15T08:10:00Z  -                     1         no route to host",
        "smtp:relay.test:587  1        2027-01-15T06:00:00Z  -                     0         -",
    ]
    row = mail("queue status --json").json
    assert row["recipients"] == {"pending": 3, "claimed": 0, "deferred": 1, "held": 0}
    assert row["oldest_age_s"] == 7200
    assert row["destinations"] == {"waiting": 3, "backing_off": 1, "paused": 1}
    assert row["fullest"][1]["backoff_until"] == "2027-01-15T08:10:00Z"


def test_status_of_nothing(cli):
    cli("domain add example.test")
    row = cli("queue status --json").json
    assert (row["messages"], row["oldest_age_s"], row["fullest"]) == (0, 0, [])
    assert "recipients    none\n" in cli("queue status").out
    assert cli("queue list").out == ""


def test_hold_release_cancel(mail):
    assert mail("queue hold 1").out == "2 recipients held\n"
    assert mail("queue hold --all --json").json == {"recipients": 2}
    assert {state for _, _, state in states(mail)} == {"held"}
    assert "by administrator" in mail("queue list 1").out
    assert mail("queue release --sender <>").out == "1 recipient released\n"
    assert mail("queue cancel 1 --recipient b@b.test").out == "1 recipient cancelled\n"
    assert states(mail) == [
        (1, "b@b.test", "cancelled"),
        (1, "c@c.test", "held"),
        (2, "b@b.test", "pending"),
        (3, "d@d.test", "held"),
    ]
    assert [row["id"] for row in mail("queue list --json").json] == [1, 2, 3]
    assert mail("queue cancel --all --yes").out == "3 recipients cancelled\n"
    assert mail("queue list").out == ""


def test_retry(mail):
    assert mail("queue retry --destination c.test").out == "1 recipient made due\n"
    (row,) = mail("queue list --domain c.test --json").json
    assert row["next_attempt_at"] == "2027-01-15T08:00:00Z"
    fullest = mail("queue status --json").json["fullest"]
    assert [one["backoff_until"] for one in fullest] == [None, None, None]


def test_pause_and_resume(mail):
    assert mail("queue pause B.test. [192.0.2.1] smtp:Relay.test:0587").out == (
        "b.test, [192.0.2.1], smtp:relay.test:587 paused\n"
    )
    assert "b@b.test: pending, b.test is paused\n" in mail("queue show 2").out
    assert "pending  -             b.test is paused\n" in mail("queue list 2").out
    assert mail("queue list 2 --json").json[0]["next_attempt_at"] is None
    assert mail("queue resume b.test --json").json == {"resumed": ["b.test"]}
    assert mail("queue resume b.test").err == "b.test is not paused.\n"


def test_pausing_a_domain_that_goes_another_way_is_warned_of(mail, tmp_path):
    assert mail("queue pause b.test local [192.0.2.1]").err == ""
    with (tmp_path / "mailserver.yaml").open("a") as file:
        file.write("outbound: {smarthost: 'relay.test:587'}\n")
    assert mail("queue pause c.test smtp:relay.test:587").err == (
        "warning: mail for c.test goes by smtp:relay.test:587; what stops it:"
        " mailserver queue rule add domain c.test\n"
    )


def test_rules(mail):
    assert mail("queue rule add sender <> --note bounces").out == "rule 1 added\n"
    mail("queue rule add account alice@example.test")
    assert mail("queue rule list").out == (
        "ID  FIELD    PATTERN             NOTE     CREATED AT\n"
        "1   sender   <>                  bounces  2027-01-15T08:00:00Z\n"
        "2   account  alice@example.test  -        2027-01-15T08:00:00Z\n"
    )
    assert mail("queue rule list --json").json[0]["pattern"] == ""
    assert mail("queue rule remove 1 --json").json == {"removed": 1}
    assert mail("queue rule remove 1").err == "No hold rule 1.\n"
    assert mail("queue rule add account alice@example.test").err == (
        "There is a rule with this pattern already.\n"
    )


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        ("queue show 99", 1, "No message 99 in the queue."),
        ("queue show nothing", 1, "No message nothing in the queue."),
        ("queue show 1 --content --json", 2, "--content is not told in JSON."),
        ("queue hold 99", 1, "No message 99 in the queue."),
        ("queue list --account x@example.test", 1, "no user x@example.test"),
        ("queue list --sender *****", 1, "A pattern has at most"),
        ("queue pause x..y", 1, '"x..y" is no domain name'),
        ("queue pause [x]", 1, "[x] is no address literal"),
        ("queue pause smtp:relay.test", 1, "expected smtp:HOST:PORT or lmtp:HOST:PORT"),
        ("queue hold", 2, "Name messages, filter them, or say --all."),
        ("queue cancel", 2, "Name messages, filter them, or say --all."),
        ("queue retry --older-than soon", 2, "'soon' is no span of time"),
        ("queue rule add subject x", 2, "'subject' is not one of"),
        ("suppression remove a@b.test", 1, "a@b.test is not suppressed."),
        ("suppression show a@b.test", 1, "a@b.test is not suppressed."),
        ("suppression add x", 1, '"x" is no mail address'),
    ],
)
def test_refusals(mail, command, status, reason):
    answer = mail(command)
    assert (answer.status, answer.out) == (status, "")
    assert reason in answer.err


def test_suppressions(mail):
    assert mail("suppression add Bob@b.test --for 2d --note gone").out == (
        "bob@b.test is suppressed\n"
    )
    mail("suppression add anna@b.test")
    assert mail("suppression list").out == (
        "ADDRESS      STATUS  CREATED AT            EXPIRES AT            REPLY\n"
        "anna@b.test  5.1.1   2027-01-15T08:00:00Z  -                     -\n"
        "bob@b.test   5.1.1   2027-01-15T08:00:00Z  2027-01-17T08:00:00Z  gone\n"
    )
    assert [row["address"] for row in mail("suppression list b* --json").json] == ["bob@b.test"]
    page = mail("suppression list --limit 1")
    assert page.err == "there are more; the next page: --after anna@b.test\n"
    assert mail("suppression list --after anna@b.test --json").json[0]["reply"] == "gone"
    assert mail("suppression show BOB@b.test --json").json["status"] == "5.1.1"
    assert mail("suppression remove bob@B.test --json").json == {"removed": "bob@b.test"}
    assert mail("suppression show bob@b.test").status == 1
