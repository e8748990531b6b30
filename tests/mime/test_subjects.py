"""Base subjects and thread keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.subjects import base_subject
from mailserver.mime.threads import message_ids, thread_keys


@pytest.mark.rfc(5256, "2.1", "5")
@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("", ""),
        ("Lunch", "Lunch"),
        ("Re: Lunch", "Lunch"),
        ("RE:Lunch", "Lunch"),
        ("re : Lunch", "Lunch"),
        ("Fw: Lunch", "Lunch"),
        ("fwd: Lunch", "Lunch"),
        ("Re: Fwd: re: Lunch", "Lunch"),
        ("Re[2]: Lunch", "Lunch"),
        ("re [x] : Lunch", "Lunch"),
        ("Re[2][3]: Lunch", "Re[2][3]: Lunch"),  # one blob only
        ("Aw: Lunch", "Aw: Lunch"),  # not in the grammar
        ("Reg: Lunch", "Reg: Lunch"),
        ("Lunch (fwd)", "Lunch"),
        ("Lunch (FWD) (fwd)  ", "Lunch"),
        ("[list] Lunch", "Lunch"),
        ("[list] Re: Lunch", "Lunch"),
        ("[a] [b] Re: [c] Lunch", "Lunch"),
        ("[list]", "[list]"),
        ("[a][b]", "[b]"),
        ("Re: [list]", "[list]"),
        ("Lunch [today]", "Lunch [today]"),
        ("[fwd: Lunch]", "Lunch"),
        ("[Fwd: Re: Lunch (fwd)]", "Lunch"),
        ("Re: [fwd: [fwd: Lunch]] (fwd)", "Lunch"),
        ("[fwd: Lunch", "[fwd: Lunch"),
        ("[fwd:]", ""),
        ("a\t b\r\n  c", "a b c"),
        ("Re:", ""),
        ("(fwd)", ""),
        ("[un[closed] x", "[un[closed] x"),
    ],
)
def test_base_subject(subject, base):
    assert base_subject(subject) == base


@given(
    st.lists(
        st.sampled_from(["re", "fwd", ":", "[", "]", "(fwd)", " ", "x", "[fwd:", "\t", "[a]"]),
        max_size=20,
    ).map("".join)
)
def test_a_base_subject_has_nothing_more_to_remove(subject):
    base = base_subject(subject)
    assert base_subject(base) == base
    assert base_subject(f"Re: {subject}") == base
    assert base_subject(f"{subject} (fwd)") == base


@pytest.mark.rfc(5322, "3.6.4")
@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (b"", []),
        (b" <a@b>", [b"<a@b>"]),
        (b"<a@b>\r\n <c@d><e@f>", [b"<a@b>", b"<c@d>", b"<e@f>"]),
        (b"< a @ b >", [b"<a@b>"]),
        (b"<a\r\n b@c>", [b"<ab@c>"]),
        (b'Your message of "Mon" <a@b>', [b"<a@b>"]),
        (b"<> < > <<a>", [b"<a>"]),
        (b"no brackets", []),
    ],
)
def test_message_ids(value, ids):
    assert message_ids(value) == ids


@pytest.mark.rfc(5256, "3")
def test_a_reply_shares_a_key_with_what_it_answers():
    first = thread_keys([b"<1@x>"], [], [], "Lunch")
    reply = thread_keys([b"<2@x>"], [b"<1@x>"], [b"<0@x> <1@x>"], "LUNCH")
    assert len(first) == 1
    assert reply[0] != first[0]
    assert first[0] in reply
    assert len(reply) == 3
    assert not set(first) & set(thread_keys([b"<2@x>"], [b"<1@x>"], [], "Dinner"))
    assert thread_keys([], [], [], "Lunch") == ()


def test_the_nearest_ancestors_are_kept():
    references = b" ".join(b"<%d@x>" % i for i in range(100))
    keys = thread_keys([b"<own@x>"], [], [references], "")
    assert len(keys) == 32
    assert keys[1] == thread_keys([b"<99@x>"], [], [], "")[0]
