"""Cards as programs write them, and what is read from them."""

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.base.limits import ContactLimits
from mailserver.ical import writing
from mailserver.ical.lines import properties, unescaped, unfolded
from mailserver.ical.vcard import Card, read

LIMITS = ContactLimits()


def card(*lines: str, version: str = "3.0") -> bytes:
    whole = ["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""]
    return "\r\n".join(whole).encode()


@pytest.mark.rfc(6350, "3.2", "3.3", "3.4", "6.1.4", "6.2.1", "6.2.2", "6.4.2", "6.7.6")
def test_a_card_of_version_4():
    octets = card(
        "UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1",
        "KIND:individual",
        "FN;PID=1.1:J. Do",
        " e\\, Jr.",
        "N:Doe;J.;Karl\\;August,Max;;Jr.",
        'EMAIL;PID=4.1,5.3;TYPE="work,home";PREF=1:jdoe@example.com',
        "item1.EMAIL:JDoe@Example.ORG",
        "X-SOMETHING;X=1:kept",
        version="4.0",
    )
    assert read(octets, LIMITS) == Card(
        version="4.0",
        uid="urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1",
        name="J. Doe, Jr.",
        structure=("Doe", "J.", "Karl;August Max", "", "Jr."),
        kind="individual",
        emails=("jdoe@example.com", "JDoe@Example.ORG"),
    )


@pytest.mark.rfc(2426, "2.6", "3")
def test_apples_cards():
    octets = card(
        "PRODID:-//Apple Inc.//macOS 15//EN",
        "N:;;;;",
        "FN:Choir",
        "X-ADDRESSBOOKSERVER-KIND:group",
        "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1",
        "item1.X-ABLabel:_$!<HomePage>!$_",
        "UID:ABC:ABPerson",
    )
    found = read(octets, LIMITS)
    assert (found.name, found.kind, found.uid) == ("Choir", "group", "ABC:ABPerson")


def test_old_cards_of_telephones():
    octets = (
        b"BEGIN:VCARD\r\nVERSION:2.1\r\n"
        b"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=4D=C3=BC=6C=6C=65=72;=4A=C3=B6=\r\n=72=67;;;\r\n"
        b"TEL;CELL;PREF:+49 1\r\n"
        b"EMAIL;INTERNET:joerg@example.org\r\n"
        b"NOTE;CHARSET=ISO-8859-1:sch\xf6n\r\n"
        b"ORG;CHARSET=ISO-8859-1:M\xfcller\\; S\xf6hne\r\n"
        b"PHOTO;ENCODING=BASE64;JPEG:\r\n /9j/4AAQSkZJRgABAQEASABIAAD/\r\n 2wBDAAYEBQYFBAYGBQY=\r\n\r\n"
        b"AGENT:\r\nBEGIN:VCARD\r\nVERSION:2.1\r\nN:Agent\r\nEMAIL:agent@example.org\r\nEND:VCARD\r\n"
        b"END:VCARD\r\n"
    )
    assert read(octets, LIMITS) == Card(
        "2.1",
        "",
        "Jörg Müller",
        ("Müller", "Jörg", "", "", ""),
        "individual",
        ("joerg@example.org",),
    )
    org = octets.replace(b"N;CHARSET=UTF-8", b"X-N")
    assert read(org, LIMITS).name == "Müller; Söhne"


def test_old_folds_keep_their_space():
    lines = b"NOTE:a\r\n  b\r\nX:1\r\n\t2\r\n"
    assert list(unfolded(lines, "2.1")) == [(1, b"NOTE:a  b"), (3, b"X:1\t2")]
    assert list(unfolded(lines, "4.0")) == [(1, b"NOTE:a b"), (3, b"X:12")]


def test_base64_that_is_not_indented():
    photo = b"PHOTO;ENCODING=BASE64;JPEG:/9j/4AAQ\nSkZJRgABAQEA\nSABI==\n\n"
    octets = b"BEGIN:VCARD\nVERSION:2.1\n%bFN:Bob\nEND:VCARD\n" % photo
    assert read(octets, LIMITS).name == "Bob"
    with pytest.raises(PeerError, match="line 4"):
        read(octets.replace(b"2.1", b"3.0"), LIMITS)


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ((), ""),
        (("EMAIL:mailto:a@b.test",), "a@b.test"),
        (("ORG:Acme\\, Inc.;Sales", "EMAIL:a@b.test"), "Acme, Inc."),
        (("NICKNAME:Bob", "EMAIL:a@b.test"), "Bob"),
        (
            ("N:Stevenson;John;Philip,Paul;Dr.;Jr.,M.D.,A.C.P.",),
            "Dr. John Philip Paul Stevenson Jr. M.D. A.C.P.",
        ),
        (("FN:Second", "FN;PREF=2:First", "FN;PREF=50:Third"), "First"),
        (("FN:Second", "FN;TYPE=work,pref:First"), "First"),
        (("FN:First", "FN;PREF=101:x", "FN;PREF=0:x", "FN;PREF=one:x"), "First"),
        (("EMAIL:b@b.test", "EMAIL;PREF=1:a@b.test"), "a@b.test"),
        (("N:Doe;Jane;;Dr.;",), "Dr. Jane Doe"),
        (("FN:", "N:Doe;Jane"), "Jane Doe"),
        (("FN:a\\nb\x07c",), "a b c"),
        ((f"FN:{'x' * 1_000}",), "x" * 500),
        (("FN;ENCODING=b:SsO2cmc=",), "Jörg"),
        (("FN;ENCODING=b:S",), ""),
    ],
)
@pytest.mark.rfc(6350, "5.3", "6.2.2", "6.2.3", "6.6.4")
def test_names(lines, name):
    assert read(card(*lines), LIMITS).name == name


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (b"", "line 1: the card does not say its version"),
        (b"VERSION:3.0\r\n", "line 1: a card begins with BEGIN:VCARD"),
        (card(version="5.0"), "line 1: cards are read in versions 2.1, 3.0, 4.0"),
        (card("nonsense"), "line 3: this is no property"),
        (card("FN:a", ";x:y"), "line 4: this is no property"),
        (card('TEL;TYPE="a:1'), "line 3: this is no property"),
        (card()[:-12], "line 1: the card has no END:VCARD"),
        (card() + card(), "line 4: something follows the end of the card"),
        (card(*["X:1"] * 1_000), "line 1001: more than 1000 properties"),
        (card(*[f"EMAIL:a{n}@b.test" for n in range(101)]), "line 3: a card may have 100 mail"),
        (card(f"UID:{'x' * 1_001}"), "line 3: a UID may have 1000 characters"),
        (card("X:" + "x" * 2_000_000), "line 1: the card has more than 1048576 octets"),
    ],
)
def test_refused_with_the_line(octets, error):
    with pytest.raises(PeerError) as caught:
        read(octets, LIMITS)
    assert str(caught.value).startswith(error)


def test_lines_are_counted_from_the_first():
    with pytest.raises(PeerError, match="line 42: "):
        read(card("nonsense"), LIMITS, first=40)


@given(st.text(max_size=300), st.lists(st.emails(), max_size=3), st.text(max_size=100))
@pytest.mark.rfc(2426, "3.1.1", "3.1.2", "3.3.2", "3.6.7")
def test_what_is_written_is_read(name, emails, uid):
    octets = writing.made(uid, name, emails)
    found = read(octets, LIMITS)
    assert all(len(line) <= 75 for line in octets.split(b"\r\n"))
    if name.isprintable() and name.strip() == name and "  " not in name:
        assert found.name == name or (not name and found.name == (emails or [""])[0])
    assert found.emails == tuple(dict.fromkeys(emails))
    values = {p.name: p for p in properties(octets, "3.0", 100)}
    clean = name.replace("\r\n", "\n").replace("\r", "\n").encode(errors="replace").decode()
    assert values["FN"].text("3.0") == clean


@given(st.text(max_size=300))
def test_escapes_come_back(text):
    assert unescaped(writing.escaped(text), "4.0") == text.replace("\r\n", "\n").replace("\r", "\n")


def test_a_uid_is_added_and_nothing_else_changes():
    for end in (b"\r\n", b"\n"):
        octets = end.join([b"BEGIN:VCARD", b"VERSION:3.0", b"FN:x", b"END:VCARD", b""])
        with_uid = writing.with_uid(octets, "a,b")
        assert read(with_uid, LIMITS).uid == "a,b"
        assert with_uid.replace(b"UID:a\\,b" + end, b"") == octets


@pytest.mark.rfc(2426, "2.4.2")
def test_an_agent_in_one_value():
    """The example of the RFC, which is all one text; nothing of it is said of the card's owner."""
    octets = card(
        "FN:Boss",
        "AGENT:BEGIN:VCARD\\nFN:Joe Friday\\nTEL:+1-919-555-7878\\n",
        " TITLE:Area Administrator\\, Assistant\\n EMAIL\\;TYPE=INTERN\\n",
        " ET:jfriday@host.com\\nEND:VCARD\\n",
    )
    assert read(octets, LIMITS)[2:] == ("Boss", (), "individual", ())


@pytest.mark.rfc(6350, "3.3", "6.7.9")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("begin:vcard\r\nVersion:4.0\r\n", "FN:x\r\nEND:VCARD\r\n"),
        ("BEGIN:VCARD\nVERSION;X=1:4.0\n", "FN:x\nEND:VCARD\n"),
        ("BEGIN:VCARD\r\nVERSION:3.0\r\n  \r\n\t\r\n", "FN:x\r\nEND:VCARD\r\n"),
        ("a.BEGIN:VCARD\na.VERSION:3.0\n", "FN:x\na.END:VCARD\n"),
        ("BEGIN:VCARD\r\n", "FN:x\r\nVERSION:3.0\r\nEND:VCARD\r\n"),
        ("BEGIN:VCARD\r\n", "VERSIONS:1\r\nVERSION:3.0\r\nEND:VCARD"),
    ],
)
def test_a_uid_does_not_part_begin_and_version(before, after):
    octets = (before + after).encode()
    with_uid = writing.with_uid(octets, "urn:uuid:1")
    assert with_uid.startswith(f"{before}UID:urn:uuid:1".encode())
    assert with_uid.endswith(after.encode())
    assert read(with_uid, LIMITS)._replace(uid="") == read(octets, LIMITS)


@given(st.lists(st.sampled_from([b"VERSION:3.0", b" ", b" x", b"FN:a", b"", b"UID:1"]), max_size=8))
def test_a_uid_changes_nothing_else_that_is_read(lines):
    octets = b"\r\n".join([b"BEGIN:VCARD", *lines, b"END:VCARD", b""])
    try:
        found = read(octets, LIMITS)
    except PeerError:
        return
    again = read(writing.with_uid(octets, "new"), LIMITS)
    assert again == found._replace(uid="new")


LINES = [
    *(
        b"BEGIN:VCARD",
        b"END:VCARD",
        b"VERSION:2.1",
        b"VERSION:4.0",
        b"N:a;b",
        b" x",
        b"=",
        b"",
        b"\t",
    ),
    *(b"EMAIL;QUOTED-PRINTABLE:=", b"FN;CHARSET=x:\xff", b'X;A="b;c":d', b"a.b:c", b"UID:\\"),
]


@settings(max_examples=300)
@given(st.binary(max_size=400) | st.lists(st.sampled_from(LINES), max_size=20).map(b"\r\n".join))
def test_garbage_is_refused_or_read(octets):
    with contextlib.suppress(PeerError):
        assert read(octets, LIMITS).version in ("2.1", "3.0", "4.0")


@pytest.mark.parametrize(
    "line",
    [
        "A" + ";" * 900_000,
        "N:" + "\\" * 900_001,
        "N:" + ";" * 900_000,
        'X;A="' + "a" * 900_000,
        "FN:" + " " * 900_000 + "x",
        "EMAIL:" + "(" * 900_000,
        "X;QUOTED-PRINTABLE:" + "=\r\n" * 200_000,
    ],
    ids=lambda line: line[:5],
)
def test_hostile_cards_end_soon(line):
    begun = time.process_time()
    with contextlib.suppress(PeerError):
        read(card(line), LIMITS)
    assert time.process_time() - begun < 5
