"""`mailserver contacts`: files in and out, single people, filters that ask."""

import pytest

ALICE = "alice@example.test"

FILE = b"""\
BEGIN:VCARD
VERSION:4.0
UID:u1
FN:Bob
EMAIL:bob@example.com
NOTE;X-KEPT=yes:as it
  came
END:VCARD

BEGIN:VCARD
VERSION:2.1
N;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:=C3=84gir;Anna
EMAIL;INTERNET:anna@example.com
END:VCARD
BEGIN:VCARD
VERSION:3.0
no property
END:VCARD
BEGIN:VCARD
VERSION:3.0
UID:u1
FN:Again
END:VCARD
"""


@pytest.fixture
def alice(cli):
    cli("domain add example.test")
    cli(f"user add {ALICE} --password-stdin", "correct horse")
    return cli


def test_a_file_in_and_out(alice, tmp_path):
    (tmp_path / "a.vcf").write_bytes(FILE)
    done = alice(f"contacts import {ALICE} a.vcf")
    assert done.status == 1
    assert done.out.splitlines() == [
        "line 17: this is no property: NAME:VALUE",
        "line 19: its UID is that of the card in line 1",
        "2 new, 0 changed, 0 were there, 2 refused",
    ]
    again = alice(f"contacts import {ALICE} - --json", FILE)
    assert again.status == 1
    assert (again.json["new"], again.json["same"], again.json["refused"]) == (0, 2, 2)
    assert again.json["refusals"][0] == {"line": 17, "why": "this is no property: NAME:VALUE"}
    rows = alice(f"contacts list {ALICE} --json").json
    assert [(row["name"], row["addresses"]) for row in rows] == [
        ("Anna Ägir", ["anna@example.com"]),
        ("Bob", ["bob@example.com"]),
    ]
    assert "Bob" in alice(f"contacts list {ALICE} bob@*").out
    assert "Bob" not in alice(f"contacts list {ALICE} *gir").out
    more = alice(f"contacts list {ALICE} --limit 1")
    assert "there are more" in more.err
    assert len(more.out.splitlines()) == 2
    exported = alice(f"contacts export {ALICE}").out.encode()
    assert FILE.split(b"\n\n")[0] in exported
    changed = exported.replace(b"FN:Bob", b"FN:Robert")
    done = alice(f"contacts import {ALICE} -", changed)
    assert (done.status, done.out) == (0, "0 new, 1 changed, 1 were there, 0 refused\n")
    assert alice(f"contacts export {ALICE} b.vcf").status == 0
    assert (tmp_path / "b.vcf").read_bytes().count(b"END:VCARD") == 2
    done = alice(f"contacts import {ALICE} b.vcf --book Family")
    assert done.out == "2 new, 0 changed, 0 were there, 0 refused\n"
    books = alice(f"contacts books {ALICE} --json").json
    assert [(b["book"], b["default"], b["cards"]) for b in books] == [
        ("Contacts", True, 2),
        ("Family", False, 2),
    ]


def test_single_people(alice):
    assert alice(f"contacts list {ALICE}").out == ""
    assert alice(f"contacts export {ALICE}").out == ""
    assert alice(f"contacts list {ALICE} --book Family").err == "There is no address book Family.\n"
    done = alice(f"contacts add {ALICE} Bob@Example.com Bob")
    assert done.out == f"bob@example.com is among the contacts of {ALICE}\n"
    assert alice(f"contacts add {ALICE} bob@example.com").status == 1
    assert alice(f"contacts add {ALICE} nonsense").status == 1
    assert alice(f"contacts add {ALICE} eve@example.com --book Family --json").json["name"] == (
        "eve@example.com"
    )
    assert alice(f"contacts remove {ALICE} bob@example.com").status == 0
    assert alice(f"contacts remove {ALICE} bob@example.com").status == 1
    assert alice(f"contacts drop {ALICE} Family").status == 0
    assert alice(f"contacts drop {ALICE} Family").err == "There is no address book Family.\n"
    assert alice("contacts list nobody@example.test").status == 1


def test_bounds_are_told_by_the_line(alice, tmp_path):
    (tmp_path / "mailserver.yaml").write_text(
        "hostname: mail.example.test\nlimits: {contacts: {cards: 1, card_size: 200}}\n"
    )
    file = FILE + b"BEGIN:VCARD\nVERSION:3.0\nNOTE:" + b"x" * 200 + b"\nEND:VCARD\n"
    done = alice(f"contacts import {ALICE} -", file)
    assert "line 9: An address book may have 1 cards.\n" in done.out.replace("line 10", "line 9")
    assert "line 24: the card has more than 200 octets\n" in done.out
    assert "1 new" in done.out


def test_a_script_on_mail_that_is_there_asks_the_address_book(alice, tmp_path):
    for name in ("bob", "eve"):
        raw = b"From: %s@example.com\r\nSubject: hi\r\n\r\nhello\r\n" % name.encode()
        (tmp_path / f"{name}.eml").write_bytes(raw)
    done = alice(f"mail import {ALICE} {maildir(tmp_path)}")
    assert done.status == 0, done.err
    alice(f"contacts add {ALICE} BOB@example.com")
    (tmp_path / "known.sieve").write_text(
        'require ["extlists", "imap4flags"]; if address :list "from" ":addrbook:default" { addflag "known"; }'
    )
    rows = alice(f"sieve test known.sieve --user {ALICE} --json").json["messages"]
    assert [row["changes"] for row in sorted(rows, key=lambda row: row["uid"])] == [True, False]


def maildir(folder):
    for part in ("cur", "new", "tmp"):
        (folder / "Maildir" / part).mkdir(parents=True)
    for n, name in enumerate(("bob", "eve")):
        (folder / f"{name}.eml").rename(folder / "Maildir/cur" / f"{n}.M1.host:2,S")
    return folder / "Maildir"
