"""`mailserver sieve test --user`: a draft tried on mail that is there already, applied, and undone."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from mailserver.app.load import load
from mailserver.directory import accounts
from mailserver.directory.addresses import parse
from mailserver.store.tx import Read, Write

ALICE = "alice@example.test"

DRAFT = r"""
require ["fileinto", "imap4flags", "mailbox", "vacation", "editheader"];
if header :contains "subject" "list" { fileinto :create :flags ["\\Flagged", "$List"] "Lists/a"; }
elsif header :contains "subject" "spam" { discard; }
elsif header :contains "subject" "away" { redirect "x@elsewhere.example"; vacation "gone"; }
elsif header :contains "subject" "both" { fileinto :create "Copies"; keep; }
elsif header :contains "subject" "mark" { addflag "$Marked"; addheader "X-A" "b"; }
elsif header :contains "subject" "nowhere" { fileinto "No such mailbox"; }
"""
SUBJECTS = ("list", "spam", "away", "both", "mark", "nowhere", "other", "list two")


@pytest.fixture
def alice(cli, tmp_path: Path):
    cli("domain add example.test")
    cli(f"user add {ALICE} --password-stdin", "correct horse")
    folder = tmp_path / "Maildir"
    for sub in ("cur", "new", "tmp"):
        (folder / sub).mkdir(parents=True)
    for n, subject in enumerate(SUBJECTS):
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "bob@example.org", ALICE, subject
        message["Message-ID"] = f"<{n}@example.org>"
        message.set_content("hello\n")
        name = f"{1_700_000_000 + n}.M{n}.host:2,{'S' if n % 2 else ''}"
        (folder / "cur" / name).write_bytes(message.as_bytes())
    assert cli(f"mail import {ALICE} {folder}").status == 0
    (tmp_path / "draft.sieve").write_text(DRAFT)
    return cli


def state(cli) -> dict[str, set[tuple[str, int, str]]]:
    """Mailbox -> (subject, flags, keywords) of its messages."""

    def job(tx: Read) -> dict[str, set[tuple[str, int, str]]]:
        account = accounts.at(tx, parse(ALICE))
        return {
            box.name: set(
                tx.messages.rows(box.id, [(1, 2**32 - 1)], "subject", "flags", "keywords")
            )
            for box in tx.mailboxes.all(account.id)
        }

    return in_store(job)


def in_store(job, *, writes=False):
    from mailserver.app.admin import opened

    with opened(load(None)) as store:
        return store.write_now(job) if writes else store.read_now(job)


def uids(mailbox: str) -> list[int]:
    def job(tx: Read) -> list[int]:
        account = accounts.at(tx, parse(ALICE))
        return list(tx.messages.uids(tx.mailboxes.get(account.id, mailbox).id))

    return in_store(job)


def test_it_is_shown_and_nothing_changes(alice):
    before = state(alice)
    done = alice(f"sieve test draft.sieve --user {ALICE}")
    assert done.status == 0, done.err
    assert state(alice) == before
    lines = done.out.splitlines()
    assert lines[-1] == "nothing is changed; --apply does it, and sends nothing"
    assert lines[-2].startswith("8 messages: ")
    assert '2 filed into "Lists/a"' in lines[-2]
    assert "1 thrown away" in lines[-2]
    text = done.out
    assert "sent on to x@elsewhere.example (line 5): not done to mail that is there already" in text
    assert "thrown away (line 4): with --apply, into Trash" in text
    assert "other" not in [line.split("  ")[-1] for line in lines]
    told = alice(f"sieve test draft.sieve --user {ALICE} --json --last 3").json
    assert told["tried"] == 3
    assert [row["subject"] for row in told["messages"]] == ["nowhere", "other", "list two"]
    assert [row["changes"] for row in told["messages"]] == [True, False, True]


def test_it_is_applied_and_undone(alice):
    before = state(alice)
    done = alice(f"sieve test draft.sieve --user {ALICE} --apply --json").json
    assert done["changed"] == 5
    after = state(alice)
    assert {s for s, *_ in after["INBOX"]} == {"away", "both", "mark", "nowhere", "other"}
    assert {s for s, *_ in after["Lists/a"]} == {"list", "list two"}
    assert {words for *_, words in after["Lists/a"]} == {"$List"}
    assert {flags & 4 for _, flags, _ in after["Lists/a"]} == {4}
    assert {s for s, *_ in after["Trash"]} == {"spam"}
    assert {s for s, *_ in after["Copies"]} == {"both"}
    assert ("mark", 0, "$Marked") in after["INBOX"]
    assert [row["messages"] for row in alice(f"sieve applied {ALICE} --json").json] == [5]
    number = done["number"]
    undone = alice(f"sieve undo {number} --json").json
    assert undone == {"number": number, "back": 5, "changed_since": []}
    again = state(alice)
    assert again["INBOX"] == before["INBOX"]
    assert [again[name] for name in ("Lists/a", "Trash", "Copies")] == [set(), set(), set()]
    assert len(uids("INBOX")) == len(set(uids("INBOX"))) == 8
    assert "was undone at" in alice(f"sieve undo {number}").err
    assert alice("sieve undo 999").err.startswith("Nothing was applied under the number 999")


def test_undo_refuses_what_was_changed_since(alice):
    number = alice(f"sieve test draft.sieve --user {ALICE} --apply --json").json["number"]

    def meddle(tx: Write) -> None:
        account = accounts.at(tx, parse(ALICE))
        box = tx.mailboxes.get(account.id, "Lists/a")
        inbox = tx.mailboxes.get(account.id, "INBOX")
        first = list(tx.messages.uids(box.id))[:1]
        tx.messages.move(box.id, first, inbox.id)
        rest = list(tx.messages.uids(box.id))
        tx.messages.change_flags(box.id, rest, "add", 1)  # read since: that is no reason

    in_store(meddle, writes=True)
    before = state(alice)
    refused = alice(f"sieve undo {number}")
    assert refused.status == 1
    assert "1 messages were moved or deleted since" in refused.err
    assert state(alice) == before
    done = alice(f"sieve undo {number} --rest --json").json
    assert (done["back"], len(done["changed_since"])) == (4, 1)
    after = state(alice)
    assert {s for s, *_ in after["INBOX"]} == set(SUBJECTS)
    assert {flags for s, flags, _ in after["INBOX"] if s == "list two"} == {1}
    assert [row["messages"] for row in alice(f"sieve applied {ALICE} --json").json] == [1]


def test_twice_changes_nothing_more(alice):
    alice(f"sieve test draft.sieve --user {ALICE} --apply")
    before = state(alice)
    again = alice(f"sieve test draft.sieve --user {ALICE} --apply --json").json
    assert again["changed"] == 0
    assert state(alice) == before
    Path("draft.sieve").write_text("keep;")
    assert alice(f"sieve test draft.sieve --user {ALICE} --apply --json").json["number"] is None


@pytest.mark.parametrize(
    ("command", "status", "error"),
    [
        (f"sieve test draft.sieve --user {ALICE} --mailbox Nowhere", 1, "No such mailbox"),
        ("sieve test draft.sieve --user nobody@example.test", 1, "nobody"),
        (f"sieve test draft.sieve draft.sieve --user {ALICE}", 2, "Either messages"),
        ("sieve test draft.sieve", 2, "Name messages"),
        ("sieve test draft.sieve draft.sieve --apply", 2, "Name messages"),
        (f"sieve test draft.sieve --user {ALICE} --last 0", 2, "--last"),
    ],
)
def test_refusals(alice, command, status, error):
    done = alice(command)
    assert done.status == status
    assert error in done.err


def test_many_messages_in_slices(alice, monkeypatch):
    from mailserver.app import trying_mailbox

    monkeypatch.setattr(trying_mailbox, "READ", 2)
    monkeypatch.setattr(trying_mailbox, "WRITTEN", 2)
    before = state(alice)
    number = alice(f"sieve test draft.sieve --user {ALICE} --apply --json").json["number"]
    assert alice(f"sieve undo {number} --json").json["back"] == 5
    assert state(alice)["INBOX"] == before["INBOX"]
