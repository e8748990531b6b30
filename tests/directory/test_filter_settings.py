"""Settings as Sieve, and back: nothing is lost, nothing edited by hand is overwritten, and mail goes where they say."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.base.errors import Cannot
from mailserver.base.limits import SieveLimits
from mailserver.directory.filter_settings.as_sieve import write
from mailserver.directory.filter_settings.model import (
    BLOCKED,
    FIELDS,
    MATCHES,
    AutoReply,
    Block,
    Condition,
    Forward,
    Rule,
    Settings,
    check,
)
from mailserver.directory.filter_settings.reading import EditedByHand, read
from mailserver.sieve.compiler import compile_script
from sieve.sieve_messages import PLAIN
from sieve.sieve_tools import LIMITS, shown

OWN = "alice@example.test"
LISTS = Rule(
    "lists",
    (Condition("list-id", "is", "acme-users.lists.example.com"),),
    "Lists/acme",
    ("\\Seen",),
)
ALL = Settings(
    Block("junk"),
    AutoReply('Back "soon".\nNot now.', "Away", "2026-12-20", "2027-01-06", 3, ("a@example.test",)),
    Forward(("x@example.org", "y@example.org")),
    (LISTS, Rule("any", (Condition("from", "contains", "bob"),), flags=("$Bob",), stops=False)),
)


def test_a_script_that_people_can_read(golden):
    golden("filter_settings.sieve", write(ALL).replace("\r\n", "\n"))


_LINE = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from('"\\#{}$'), max_size=30
)
_FILLED = _LINE.filter(lambda text: text.strip() != "")
_ADDRESSES = st.lists(
    st.sampled_from(["x@example.org", "y+z@example.net", '"q s"@example.org']),
    unique=True,
    max_size=3,
).map(tuple)
_TEXT = st.lists(
    _LINE | st.sampled_from(["", '# rule {"name": "x"}', '";', "stop;"]), min_size=1, max_size=5
).map("\n".join)
_DAYS = st.dates().map(lambda day: day.isoformat()) | st.just("")
_RULES = st.builds(
    Rule,
    _FILLED,
    st.lists(
        st.builds(Condition, st.sampled_from(FIELDS), st.sampled_from(MATCHES), _FILLED),
        min_size=1,
        max_size=3,
    ).map(tuple),
    _FILLED,
    st.lists(st.sampled_from(["\\Seen", "\\Flagged", "$Work"]), unique=True, max_size=2).map(tuple),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
_SETTINGS = st.builds(
    Settings,
    st.none() | st.builds(Block, st.sampled_from(BLOCKED)),
    st.none()
    | st.builds(
        AutoReply,
        _TEXT.filter(lambda text: text.strip() != ""),
        _LINE,
        _DAYS,
        st.just(""),
        st.integers(1, 365),
        _ADDRESSES,
        st.booleans(),
        st.booleans(),
    ),
    st.none() | st.builds(Forward, _ADDRESSES.filter(bool), st.booleans()),
    st.lists(_RULES, max_size=3, unique_by=lambda rule: rule.name).map(tuple),
)


def test_an_answer_for_contacts_alone():
    reply = AutoReply("Away.", only_contacts=True)
    script = write(Settings(auto_reply=reply))
    assert 'if allof (envelope :list "from" ":addrbook:default") {' in script
    assert '"only_contacts": true' in script
    assert "only_contacts" not in write(Settings(auto_reply=AutoReply("Away.")))


@settings(deadline=None, max_examples=300)
@given(_SETTINGS)
def test_what_is_written_is_read_back(wanted):
    check(wanted, OWN, LIMITS)
    script = write(wanted).encode()
    compile_script(script, LIMITS)
    assert read(script) == wanted


@settings(deadline=None, max_examples=200)
@given(_SETTINGS, st.data())
def test_any_edit_is_seen(wanted, data):
    script = write(wanted).encode()
    at = data.draw(st.integers(0, len(script) - 1))
    other = data.draw(
        st.sampled_from(
            [script[:at] + script[at + 1 :], script[:at] + b"x" + script[at:], script[:at]]
        )
    )
    try:
        again = read(other)
    except EditedByHand:
        return
    assert write(again).encode() == other  # it is what other settings make


@given(st.binary(max_size=300))
def test_garbage_is_edited_by_hand(script):
    for text in (script, write(Settings()).encode() + script):
        with contextlib.suppress(EditedByHand):
            assert write(read(text)).encode() == text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"block": Block("moon")}, "Blocked mail goes to one of"),
        ({"auto_reply": AutoReply(" \n")}, "needs a text"),
        ({"auto_reply": AutoReply("x\x00")}, "control characters"),
        ({"auto_reply": AutoReply("x", days=0)}, "1 to 365 days"),
        ({"auto_reply": AutoReply("x", first="24.12.")}, "is no day"),
        ({"auto_reply": AutoReply("x", first="2026-12-24", last="2026-12-23")}, "before it begins"),
        ({"auto_reply": AutoReply("x", aliases=("nobody",))}, "is no address"),
        ({"auto_reply": AutoReply("x", subject="a\r\nBcc: b")}, "control characters"),
        ({"forward": Forward(())}, "needs an address"),
        ({"forward": Forward(("nobody",))}, "is no address"),
        ({"forward": Forward((OWN.upper(),))}, "cannot be forwarded to"),
        ({"forward": Forward(("a@b.example", "A@b.example"))}, "stands twice"),
        ({"forward": Forward(tuple(f"{n}@b.example" for n in range(11)))}, "10 addresses at most"),
        ({"rules": (LISTS, LISTS)}, "two rules called"),
        ({"rules": (replace(LISTS, conditions=()),)}, "has no condition"),
        ({"rules": (replace(LISTS, mailbox="", flags=()),)}, "does nothing"),
        ({"rules": (replace(LISTS, flags=("a b",)),)}, "is no flag"),
        ({"rules": (replace(LISTS, mailbox="a\rb"),)}, "control characters"),
        ({"rules": (replace(LISTS, conditions=(Condition("size", "is", "1"),)),)}, "Rules look at"),
        ({"rules": (replace(LISTS, conditions=(Condition("from", "is", ""),)),)}, "has no value"),
    ],
)
def test_what_cannot_be_meant(change, error):
    with pytest.raises(Cannot, match=error):
        check(replace(Settings(), **change), OWN, LIMITS)
    with pytest.raises(Cannot, match="There may be 1 rules"):
        check(Settings(rules=(LISTS, replace(LISTS, name="b"))), OWN, SieveLimits(rules=1))


@pytest.mark.parametrize(
    ("field", "match", "value", "is_true"),
    [
        ("from", "is", "bob+lists@example.com", True),
        ("from", "is", "bob", False),
        ("from", "contains", "jones", True),
        ("to", "is", "dave@example.net", True),
        ("to", "contains", "carol", True),
        ("subject", "contains", "VERSION", True),
        ("subject", "is", "version", False),
        ("list-id", "is", "acme-users.lists.example.com", True),
        ("list-id", "is", "users.lists.example.com", False),
        ("list-id", "contains", "acme", True),
    ],
)
@pytest.mark.rfc(2919, "3")
def test_rules(field, match, value, is_true):
    rule = Rule("x", (Condition(field, match, value),), "There")
    found = shown(write(Settings(rules=(rule,))), PLAIN)
    assert found == (["store There"] if is_true else ["store INBOX"])


def test_rules_in_their_order():
    first = Rule("a", (Condition("from", "contains", "bob"),), "A", stops=False)
    second = Rule(
        "b", (Condition("from", "contains", "zzz"), Condition("to", "contains", "alice")), "B"
    )
    third = Rule("c", (Condition("from", "contains", "bob"),), "C", is_on=False)
    last = Rule("d", (Condition("from", "contains", "bob"),), "", ("\\Flagged",))
    some = replace(second, is_any=True)
    assert shown(write(Settings(rules=(first, second, third, last))), PLAIN) == ["store A"]
    assert shown(write(Settings(rules=(first, some, last))), PLAIN) == ["store A", "store B"]
    assert shown(write(Settings(rules=(second, last))), PLAIN) == ["store INBOX \\flagged"]
    marked = replace(last, stops=False)
    assert shown(write(Settings(rules=(marked, some))), PLAIN) == ["store B \\flagged"]


@pytest.mark.rfc(5230, "4")
@pytest.mark.parametrize(("day", "is_answered"), [(19, False), (20, True), (31, True)])
def test_auto_reply(day, is_answered):
    reply = replace(ALL.auto_reply, last="2026-12-31")
    found = shown(
        write(Settings(auto_reply=reply)), PLAIN, now=datetime(2026, 12, day, 12, tzinfo=UTC)
    )
    answer = ['vacation 259200 Away Back "soon". Not now.'] if is_answered else []
    assert found == [*answer, "store INBOX"]
    off = replace(reply, is_on=False)
    assert shown(write(Settings(auto_reply=off)), PLAIN) == ["store INBOX"]


@pytest.mark.rfc(3894, "3")
def test_forward():
    both = Forward(("x@example.org", "y@example.org"))
    sent = ["redirect x@example.org", "redirect y@example.org"]
    assert shown(write(Settings(forward=both)), PLAIN) == [*sent, "store INBOX"]
    away = replace(both, keeps_copy=False)
    assert shown(write(Settings(forward=away, rules=(LISTS,))), PLAIN) == sent
