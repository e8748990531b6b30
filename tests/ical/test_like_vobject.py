"""The same cards here and in vobject: what one writes, the other reads."""

import io

import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.base.limits import ContactLimits
from mailserver.ical import writing
from mailserver.ical.splitting import pieces
from mailserver.ical.vcard import read

LIMITS = ContactLimits()
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30
)
NAMES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, st.lists(st.emails(), max_size=3, unique=True), WORDS)
def test_what_vobject_writes_is_read(family, given_name, emails, uid):
    card = vobject.vCard()
    card.add("n").value = vobject.vcard.Name(family=family, given=given_name)
    card.add("fn").value = f"{given_name} {family}"
    card.add("uid").value = uid
    for email in emails:
        card.add("email").value = email
    found = read(card.serialize().encode(), LIMITS)
    assert (found.name, found.uid, found.emails) == (f"{given_name} {family}", uid, tuple(emails))
    assert found.structure[:2] == (family, given_name)


@settings(max_examples=60, deadline=None)
@given(NAMES, st.lists(st.emails(), max_size=3, unique=True), WORDS)
def test_what_is_written_vobject_reads(name, emails, uid):
    card = vobject.readOne(writing.made(uid, name, emails).decode())
    assert (card.fn.value, card.uid.value) == (name, uid)
    assert [email.value for email in card.contents.get("email", [])] == emails
    assert " ".join(filter(None, (card.n.value.given, card.n.value.family))) == name


FILE = b"""\
BEGIN:VCARD\r
VERSION:3.0\r
item1.EMAIL;type=INTERNET;type=pref:bob@example.com\r
item1.X-ABLabel:_$!<Work>!$_\r
N:Builder\\, Jr.;Bob;;;\r
FN:Bob\\nBuilder\r
NOTE:a long text that is folded in the middle of a wo\r
 rd\r
UID:1\r
END:VCARD\r
BEGIN:VCARD\r
VERSION:2.1\r
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg;;;\r
FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=B6rg M=C3=BC=\r
ller\r
EMAIL;HOME;INTERNET:joerg@example.com\r
UID:2\r
END:VCARD\r
"""


@pytest.mark.rfc(2426, "2.6", "3.1.1", "3.3.2")
def test_a_file_with_cards():
    ours = [read(p.octets, LIMITS, p.line) for p in pieces(io.BytesIO(FILE).readline, 10_000)]
    theirs = list(vobject.readComponents(FILE.decode(), allowQP=True))
    assert [c.uid for c in ours] == [c.uid.value for c in theirs] == ["1", "2"]
    assert [c.name for c in ours] == [" ".join(c.fn.value.split()) for c in theirs]
    assert [c.emails for c in ours] == [(c.email.value,) for c in theirs]
    assert [c.structure[:2] for c in ours] == [(c.n.value.family, c.n.value.given) for c in theirs]
