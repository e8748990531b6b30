"""`mailserver explain` on traces as the server leaves them."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.conftest import Cli
from mailserver.base.ids import AccountId
from mailserver.base.limits import TraceLimits
from mailserver.store.queue_values import Result
from mailserver.store.store import Store
from mailserver.store.trace_values import Copy, Reached, Step, Trace
from mailserver.store.traces import TraceLog
from store.post import Post, attempt, ids

NOW_MS = int(time.time() * 1000)
TAKEN = Trace(
    id="00ff00ff00ff00ff",
    at_ms=NOW_MS,
    took_ms=12,
    is_taken=True,
    listener="submission",
    session="ab12",
    peer="192.0.2.1",
    helo="client.example",
    tls="TLSv1.3",
    account="alice@example.test",
    sender="alice@example.test",
    recipients=(
        Reached("bob@example.test", (99,)),
        Reached("x@remote.test", (), ("x@remote.test",)),
    ),
    message_id="<abc@example.test>",
    size=1_234,
    steps=(
        Step("rcpt", "recipient", "nobody@example.test", "550 5.1.1 no such user"),
        Step("data", "loop", "1 hops"),
    ),
    copies=(Copy(1, 1, 3, 4),),
    queued=(),
    omitted=2,
    reply="250 2.0.0 Taken as 00ff00ff00ff00ff",
)
TURNED = TAKEN._replace(
    id="",
    at_ms=NOW_MS - 3 * 86_400_000,
    is_taken=False,
    sender=None,
    account="",
    recipients=(),
    message_id="",
    size=0,
    steps=(Step("mail", "gram\x1b[31mmar", "", "501 5.5.4 no"),),
    copies=(),
    omitted=0,
    reply="501 5.5.4 no",
)


@pytest.fixture
def known(cli: Cli, tmp_path: Path) -> Cli:
    """A server with alice and two traces."""
    cli("domain add example.test")
    cli("user add alice@example.test --password-stdin", "correct horse battery")
    log = TraceLog(tmp_path / "data", TraceLimits())
    log.start()
    log.keep(TURNED)
    log.keep(TAKEN)
    log.close()
    return cli


def test_a_message_from_end_to_end(known: Cli) -> None:
    out = known("explain 00ff00ff00ff00ff").out.splitlines()
    assert out[0].endswith("taken as 00ff00ff00ff00ff, in 12 ms")
    assert [line.split()[0] for line in out[1:]] == [
        "connection", "account", "sender", "recipient", "recipient", "refused", "content", "check", "filed", "omitted",
        "reply",
    ]  # fmt: skip
    text = "\n".join(out)
    for part in (
        "192.0.2.1, called itself client.example, on submission, TLSv1.3, session ab12",
        "<bob@example.test> for account 99, which is gone",
        "<x@remote.test> for <x@remote.test> elsewhere",
        "recipient: nobody@example.test: 550 5.1.1 no such user",
        "1234 octets, Message-ID <abc@example.test>",
        "loop: 1 hops",
        "alice@example.test, INBOX, UID 3 (message 4)",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("00FF00FF00FF00FF", 1),
        ("<abc@example.test>", 1),
        ("abc@example.test", 1),
        ("Alice@example.test", 1),
        ("x@remote.test", 1),
        ("192.0.2.1", 2),
        ("192.0.2.1 --limit 1", 1),
        ("192.0.2.1 --since 2d", 1),
        ("192.0.2.1 --since 2020-01-01", 2),
        ("192.0.2.1 --since 2020-01-01T00:00:00+01:00", 2),
    ],
)
def test_names_and_bounds(known: Cli, name: str, count: int) -> None:
    found = known(f"explain {name} --json").json
    assert len(found) == count
    assert found[0]["id"] == "00ff00ff00ff00ff"


def test_json_has_all_of_it(known: Cli) -> None:
    (found,) = known("explain abc@example.test --json").json
    assert found["recipients"][1]["remote"] == ["x@remote.test"]
    assert found["steps"][0]["reply"] == "550 5.1.1 no such user"
    assert found["filed"] == [
        {"account": "alice@example.test", "mailbox": "INBOX", "uid": 3, "message": 4}
    ]
    assert found["is_taken"] is True


def test_nothing_breaks_the_terminal(known: Cli) -> None:
    out = known("explain 192.0.2.1").out
    assert "\x1b" not in out
    assert "gram\\x1b[31mmar: 501 5.5.4 no" in out


def test_nothing_found(known: Cli, cli: Cli) -> None:
    answer = known("explain nobody@example.test --since 2h")
    assert answer.status == 1
    assert "nothing is known of nobody@example.test since" in answer.err
    assert "limits.traces" in answer.err
    assert known("explain x --json").json["error"].startswith("nothing is known of x;")


@pytest.mark.parametrize("option", ["--since yesterday", "--since 2y", "--limit 0"])
def test_wrong_usage(known: Cli, option: str) -> None:
    assert known(f"explain x {option}").status == 2


def test_a_damaged_file_is_no_traceback(known: Cli, tmp_path: Path) -> None:
    (tmp_path / "data" / "log.db").write_bytes(b"x" * 10_000)
    assert known("explain 192.0.2.1").status == 1


def test_what_left_is_told_from_the_queue(known: Cli, tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    store.open()
    post = Post(SimpleNamespace(store=store))  # type: ignore[arg-type]
    message = post.add("x@remote.test", trace=TAKEN.id, account=AccountId(1))
    refused = attempt("4.2.1", "not \x1b now")
    post.settle(Result(ids(post.claim())[0], "deferred", NOW_MS // 1000 + 60, refused))
    store.close()
    out = known(f"explain {TAKEN.id}").out
    assert f"  queue       message {message}, submitted, from <alice@example.test>\n" in out
    assert "  leaves      x@remote.test: deferred, next attempt 20" in out
    assert "mx.b.test [192.0.2.1]  no TLS  450 4.2.1 not \\x1b now  deferred after 0.12 s\n" in out
    (told,) = known(f"explain {TAKEN.id} --json").json[0]["queued"]
    assert (told["id"], told["account"]) == (message, "alice@example.test")
    assert told["recipients"][0]["attempts_made"][0]["status"] == "4.2.1"


def test_by_its_number_in_the_queue_and_without_a_trace(known: Cli, tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    store.open()
    post = Post(SimpleNamespace(store=store))  # type: ignore[arg-type]
    first = post.add("x@remote.test", trace=TAKEN.id)
    second = post.add("y@remote.test", trace="9" * 15 + "a")
    store.close()
    (told,) = known(f"explain {first} --json").json
    assert (told["id"], told["peer"]) == (TAKEN.id, "192.0.2.1")
    (told,) = known(f"explain {second} --json").json
    assert (told["id"], told["peer"]) == ("9" * 15 + "a", None)
    assert "leaves      y@remote.test: pending" in known(f"explain {second}").out
    assert known("explain 4711").status == 1
