"""spamtest and virustest: what filters in front say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.servers.upstream import Upstream
from mailserver.sieve.scores import Scores, spam_score, virus_verdict
from sieve.sieve_messages import BARE, PLAIN
from sieve.sieve_tools import message, shown


@pytest.mark.rfc(5235, "3.2")
@pytest.mark.parametrize(
    ("value", "score"),
    [
        ("Yes, score=7.5 required=5.0 tests=BAYES_99 autolearn=no version=4.0.0", 1.0),
        ("No, score=2.5 required=5.0", 0.5),
        ("No, hits=-1.2 required=5.0", 0.0),
        ("default: False [3.00 / 15.00]; ARC_NA(0.00)[]", 0.2),
        ("4.5", 0.9),
        ("score=1; bar=1", 0.2),
        ("*****", 1.0),
        ("++", 0.4),
        ("-3.1", 0.0),
        ("99999999999999999999", None),
        ("Yes", None),
        ("", None),
        ("1e5", None),
        ("No, score=1 required=0", 1.0),
    ],
)
def test_spam(value, score):
    found = spam_score(value, 5.0)
    assert found == (None if score is None else pytest.approx(score))


@pytest.mark.rfc(5235, "3.3")
@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("Clean", 1),
        ("clean (clamav)", 1),
        ("No", 1),
        ("Infected (Eicar-Signature)", 5),
        ("3", 3),
        ("6", 0),
        ("45", 0),
        ("Suspicious: packed", 4),
        ("cured", 3),
        ("Cleaned by x", 3),
        ("what?", 0),
        ("", 0),
    ],
)
def test_viruses(value, verdict):
    assert virus_verdict(value) == verdict


@given(st.text(max_size=3_000))
def test_any_text(value):
    score = spam_score(value, 5.0)
    assert score is None or 0 <= score <= 1
    assert virus_verdict(value) in range(6)


def test_many_words_cost_little():
    assert spam_score("score=1 " * 250 + "x" * 1_000_000, 5.0) == pytest.approx(0.2)


BEFORE = 'require ["spamtestplus", "virustest", "relational", "comparator-i;ascii-numeric"];'


@pytest.mark.rfc(5235, "3.1", "3.2.1", "3.2.2", "3.3")
@pytest.mark.parametrize(
    ("test", "raw", "result"),
    [
        ('spamtest :value "eq" :comparator "i;ascii-numeric" "9"', PLAIN, True),
        ('spamtest :percent "90"', PLAIN, True),
        ('spamtest :count "eq" "1"', PLAIN, True),
        ('spamtest "0"', BARE, True),
        ('spamtest :percent "0"', BARE, True),
        ('spamtest :percent :count "eq" "0"', BARE, True),
        ('virustest "0"', PLAIN, True),
        ('virustest :count "eq" "0"', PLAIN, True),
        ('virustest "5"', b"X-Virus: Infected\r\nX-Virus: Clean\r\n" + PLAIN, True),
        (
            'virustest :value "ge" :comparator "i;ascii-numeric" "4"',
            b"X-Virus: Clean\r\n" + PLAIN,
            False,
        ),
    ],
)
def test_tests(test, raw, result):
    assert (shown(f"{BEFORE} if {test} {{ discard; }}", raw) == ["discard"]) is result


@pytest.mark.rfc(5235, "4")
def test_whose_word_counts():
    import ipaddress

    scores = Scores("X-Spam-Score")
    assert Upstream(scores).of("192.0.2.1") == scores
    some = Upstream(scores, (ipaddress.ip_network("192.0.2.0/24"),))
    assert some.of("192.0.2.1") == some.of("::ffff:192.0.2.1") == scores
    for client in ("", "198.51.100.1", "2001:db8::1"):
        assert some.of(client).spam(message(PLAIN)) is None
