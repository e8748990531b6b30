"""`mailserver filter`: what is set, changed, read back, edited by hand, restored."""

import json

import pytest

from mailserver.app.filter_answers import lines
from mailserver.directory.filter_settings.model import Settings

ALICE = "alice@example.test"


@pytest.fixture
def alice(cli):
    cli("domain add example.test")
    cli(f"user add {ALICE} --password-stdin", "correct horse")
    return cli


def test_all_that_can_be_set(alice, tmp_path):
    cli = alice
    assert cli(f"filter show {ALICE}").out == "nothing is set\n"
    text = tmp_path / "away.txt"
    text.write_text("Back soon.\n\nAlice\n")
    assert cli(f"filter block {ALICE} --to trash").status == 0
    done = cli(f"filter auto-reply {ALICE} --file {text} --first 2026-12-20 --alias a@example.test")
    assert done.status == 0, done.err
    assert cli(f"filter auto-reply {ALICE} --days 3 --last 2027-01-06").status == 0
    assert cli(f"filter forward {ALICE} x@example.org y@example.org --no-keep").status == 0
    assert cli(f"filter rule add {ALICE} acme --list-id acme.example --into Lists/acme").status == 0
    assert (
        cli(
            f"filter rule add {ALICE} bills --subject bill --from b@x.example --any --into Money --flag \\Seen"
        ).status
        == 0
    )
    assert (
        cli(
            f"filter rule add {ALICE} boss --from boss@x.example --is --flag \\Flagged --go-on --at 1"
        ).status
        == 0
    )
    assert cli(f"filter rule add {ALICE} acme --list-id acme.example --into Acme --off").status == 0
    assert cli(f"filter show {ALICE}").out.splitlines() == [
        "block       messages of blocked senders go into Trash",
        "auto-reply  from 2026-12-20 until 2027-01-06 once in 3 days to each sender: Back soon. Alice",
        "forward     to x@example.org, y@example.org, no copy is kept",
        'rule        boss: from is "boss@x.example" -> with \\Flagged, goes on',
        'rule        acme: list-id contains "acme.example" -> into "Acme", (off)',
        'rule        bills: from contains "b@x.example" or subject contains "bill" -> into "Money", with \\Seen',
    ]
    shown = cli(f"filter show {ALICE} --json").json
    assert shown["auto_reply"]["text"] == "Back soon.\n\nAlice\n"
    assert [rule["name"] for rule in cli(f"filter rule list {ALICE} --json").json] == [
        "boss",
        "acme",
        "bills",
    ]
    assert cli(f"filter rule remove {ALICE} bills").status == 0
    assert cli(f"filter rule remove {ALICE} bills").err == 'There is no rule called "bills".\n'
    assert cli(f"filter auto-reply {ALICE} --off").status == 0
    assert cli(f"filter show {ALICE} --json").json["auto_reply"]["is_on"] is False
    for word in ("block", "forward"):
        assert cli(f"filter {word} {ALICE} --off --json").json[word] is None


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (f"forward {ALICE} nobody", "is no address"),
        (f"forward {ALICE} {ALICE}", "cannot be forwarded to"),
        (f"auto-reply {ALICE} --days 3", "needs a text"),
        (f"rule add {ALICE} x --from a", "does nothing"),
        (f"rule add {ALICE} x --into a", "has no condition"),
        ("show nobody@example.test", "example.test"),
        (f"restore {ALICE} 1", "Nothing was ever set"),
    ],
)
def test_refusals(alice, command, error):
    done = alice(f"filter {command}")
    assert done.status == 1
    assert error in done.err
    assert alice(f"filter show {ALICE}").out == "nothing is set\n"


def test_wrong_usage(alice):
    assert alice(f"filter forward {ALICE}").status == 2
    assert alice(f"filter forward {ALICE} a@b.example --off").status == 2


def test_what_was_edited_is_left_alone(alice, tmp_path):
    cli = alice
    cli(f"filter forward {ALICE} x@example.org")
    script = cli(f"filter show {ALICE} --sieve").out
    file = tmp_path / "settings.sieve"
    file.write_text(script)
    assert cli(f"filter load {ALICE} {file} --json").json["edited"] is False
    file.write_text(script + "if size :over 1M { discard; }\n")
    done = cli(f"filter load {ALICE} {file}")
    assert "edited by hand" in done.out
    for command in ("show", "block", "rule list"):
        refused = cli(f"filter {command} {ALICE}")
        assert (refused.status, "was edited by hand" in refused.err) == (1, True)
    assert cli(f"filter show {ALICE} --sieve").out.endswith("{ discard; }\n")
    file.write_text("nosuch;")
    assert cli(f"filter load {ALICE} {file}").status == 1
    versions = cli(f"filter history {ALICE} --json").json
    assert [row["version"] for row in versions] == [2, 1]
    assert cli(f"filter restore {ALICE} 1").status == 0
    assert cli(f"filter show {ALICE} --json").json["forward"]["to"] == ["x@example.org"]
    assert cli(f"filter reset {ALICE}").status == 0
    assert cli(f"filter show {ALICE}").out == "nothing is set\n"


def test_it_has_no_name_among_scripts(alice, tmp_path):
    cli = alice
    cli(f"filter forward {ALICE} x@example.org")
    file = tmp_path / "settings.sieve"
    file.write_text("keep;")
    assert cli(f"sieve list {ALICE} --json").json == []
    assert cli(f"sieve put {ALICE} {file} --activate").status == 0
    assert [row["name"] for row in cli(f"sieve list {ALICE} --json").json] == ["settings"]
    assert cli(f"filter show {ALICE} --json").json["forward"]["to"] == ["x@example.org"]
    assert json.loads(cli(f"filter history {ALICE} --json").out)[0]["version"] == 1


def test_nothing_is_a_line():
    assert list(lines(Settings())) == ["nothing is set"]
