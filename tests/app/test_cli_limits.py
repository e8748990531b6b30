"""`mailserver limits`: what is allowed, what was counted, what can be changed."""

import time
from pathlib import Path

import pytest

from app.conftest import Cli
from mailserver.base.rate_limits import RatesLimits
from mailserver.base.window import SLICES
from mailserver.store.rates import Count, RateFile

ALICE = "alice@example.test"


@pytest.fixture
def known(cli: Cli) -> Cli:
    cli("domain add example.test")
    cli(f"user add {ALICE} --password-stdin", "correct horse battery")
    return cli


def count(folder: Path, kind: str, name: str, measure: str, period: str, n: int) -> None:
    seconds = {"minute": 60, "hour": 3_600, "day": 86_400}[period]
    slot = int(time.time() // (seconds / SLICES))
    file = RateFile(folder / "data")
    until = int(time.time()) + seconds
    file.exchange([Count(kind, name, measure, period, slot, n, until)], [], 0, int(time.time()))
    file.close()


def test_list_has_every_limit_with_its_origin(known: Cli, tmp_path: Path) -> None:
    (tmp_path / "mailserver.yaml").write_text(
        "hostname: mail.example.test\nlimits: {rates: {account: {messages_per_hour: 7}}}\n"
    )
    count(tmp_path, "address", "192.0.2.1", "messages", "hour", 30)
    known(f"limits set {ALICE} messages_per_day=9")
    told = known("limits list --json").json
    limit = told["configuration"]["limits.rates.account.messages_per_hour"]
    assert limit["value"] == 7
    assert limit["from"].endswith("mailserver.yaml:2")
    assert "limits.overload.loop_lag_s" in told["configuration"]
    assert told["overrides"] == [
        {"kind": "account", "name": ALICE, "measure": "messages", "period": "day", "most": 9}
    ]
    assert told["busiest"][0]["name"] == "192.0.2.1"
    out = known("limits list").out
    assert "limits.smtp.message_size" in out
    assert "192.0.2.1" in out
    assert known("limits list --busiest 0 --json").json["busiest"] == []


def test_show_an_account(known: Cli, tmp_path: Path) -> None:
    most = RatesLimits().account.messages_per_hour
    count(tmp_path, "account", ALICE, "messages", "hour", most)
    count(tmp_path, "sender", ALICE, "messages", "hour", 5)
    count(tmp_path, "pair", f"{ALICE} at 192.0.2.0/24", "failed_logins", "hour", 4)
    rows = known(f"limits show {ALICE.upper()} --json").json
    by = {(row["kind"], row["measure"], row["period"]): row for row in rows}
    hour = by["account", "messages", "hour"]
    assert (hour["count"], hour["most"], hour["is_reached"]) == (most, most, True)
    assert hour["room_again_at"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    day = by["account", "messages", "day"]
    assert (day["count"], day["is_reached"], day["room_again_at"]) == (0, False, None)
    assert by["sender", "messages", "hour"]["most"] is None
    assert by["login", "failed_logins", "hour"]["most"] is None
    pair = by["pair", "failed_logins", "hour"]
    assert (pair["count"], pair["most"]) == (4, RatesLimits().address.failed_logins_per_hour)
    assert f"{most}" in known(f"limits show {ALICE}").out


@pytest.mark.parametrize(
    ("what", "kinds"),
    [
        ("192.0.2.1", {"address", "network"}),
        ("127.0.0.1", {"address", "network"}),
        ("2001:db8::1", {"address", "network"}),
        ("192.0.2.0/24", {"network"}),
    ],
)
def test_show_a_client(known: Cli, what: str, kinds: set[str]) -> None:
    rows = known(f"limits show {what} --json").json
    assert {row["kind"] for row in rows} == kinds


def test_show_a_domain(known: Cli) -> None:
    assert known("limits show example.test").out == "no limit on example.test, nothing is counted\n"
    known("limits set example.test messages_per_hour=100")
    (row,) = known("limits show example.test --json").json
    assert (row["kind"], row["most"]) == ("domain", 100)


def test_set_and_unset(known: Cli) -> None:
    told = known(f"limits set {ALICE} messages_per_hour=5 bytes_per_day=none --json").json
    assert [(row["measure"], row["most"]) for row in told] == [("bytes", 0), ("messages", 5)]
    rows = known(f"limits show {ALICE} --json").json
    shown = {(r["measure"], r["period"]): r["most"] for r in rows if r["kind"] == "account"}
    assert shown["messages", "hour"] == 5
    assert ("bytes", "day") not in shown
    known(f"limits set {ALICE} messages_per_hour=6")
    out = known(f"limits set {ALICE} messages_per_hour=default bytes_per_day=default").out
    assert out == f"{ALICE} has no limits of its own\n"


def test_each_user_of_a_domain(known: Cli) -> None:
    known("limits set example.test --each messages_per_day=3")
    known("limits set example.test messages_per_day=50")
    rows = known(f"limits show {ALICE} --json").json
    shown = {(r["kind"], r["measure"], r["period"]): r["most"] for r in rows}
    assert shown["account", "messages", "day"] == 3
    known("limits set example.test --each messages_per_day=default")
    (row,) = known("limits list --json").json["overrides"]
    assert (row["kind"], row["most"]) == ("domain", 50)


def test_what_was_set_goes_with_the_user(known: Cli) -> None:
    known(f"limits set {ALICE} messages_per_day=3")
    known(f"user remove {ALICE} --yes")
    assert known("limits list --json").json["overrides"] == []


def test_reset(known: Cli, tmp_path: Path) -> None:
    count(tmp_path, "account", ALICE, "messages", "hour", 5)
    count(tmp_path, "pair", f"{ALICE} at 192.0.2.0/24", "failed_logins", "hour", 4)
    count(tmp_path, "address", "192.0.2.1", "failed_logins", "hour", 4)
    count(tmp_path, "network", "192.0.2.0/24", "failed_logins", "hour", 4)
    assert known(f"limits reset {ALICE} --json").json == {"what": ALICE, "reset": 2}
    assert known("limits reset 192.0.2.1").out == "2 counters of 192.0.2.1, 192.0.2.0/24 set to 0\n"
    assert known("limits reset 192.0.2.1 --json").json["reset"] == 0
    assert known("limits list --json").json["busiest"] == []


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (f"limits set {ALICE} messages=5", 1, "is none of messages_per_hour"),
        (f"limits set {ALICE} messages_per_hour=x", 1, "behind = stands a number"),
        (f"limits set {ALICE} messages_per_hour=-1", 1, "behind = stands a number"),
        (f"limits set {ALICE} connections_per_minute=1", 1, "is none of"),
        (f"limits set {ALICE} --each messages_per_hour=1", 2, "--each is for domains"),
        ("limits set nobody@example.test messages_per_hour=1", 1, "nobody@example.test"),
        ("limits set elsewhere.test messages_per_hour=1", 1, "elsewhere.test"),
        ("limits show a..b", 1, ""),
        (f"limits set {ALICE}", 2, ""),
    ],
)
def test_refusals(known: Cli, command: str, status: int, said: str) -> None:
    answer = known(command)
    assert answer.status == status
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_a_damaged_file_is_no_traceback(known: Cli, tmp_path: Path) -> None:
    (tmp_path / "data" / "cache.db").write_bytes(b"x" * 10_000)
    assert known("limits list").status == 0
    assert known(f"limits reset {ALICE}").status == 1
    assert known(f"limits reset {ALICE}").status == 0
