"""regex: expressions that cannot take long."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.limits import SieveLimits
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.errors import ScriptError
from mailserver.sieve.expressions import BadExpression, expression, quoted
from sieve.sieve_messages import PLAIN
from sieve.sieve_tools import LIMITS, outcome, shown

BEFORE = 'require ["regex", "variables", "fileinto", "body", "comparator-i;ascii-numeric"];'


@pytest.mark.parametrize(
    ("written", "text", "found"),
    [
        ("(a|ab)(c|bcd)(d*)", "xabcdx", ("abcd", "a", "bcd", "")),  # the longest, then the first
        ("a*", "baaa", ("",)),
        ("^b", "ab", None),
        ("b$", "ab\n", None),
        ("a.b", "a\nb", ("a\nb",)),
        ("[[:digit:]]+", "no 42", ("42",)),
        (r"\d+\s\w", "1 ü 22 x", ("22 x",)),
        ("(x)|(y)", "y", ("y", "", "y")),
        ("GRÜSSE", "viele grüsse", ("grüsse",)),
        (".", "😀", ("😀",)),
    ],
)
def test_matches(written, text, found):
    assert expression(written, ignores_case=True).search(text) == found


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("(a", "missing )"),
        ("a{2000}", "invalid repetition size"),
        ("[[:foo:]]", "invalid character class range"),
        (r"(a)\1", "it cannot refer back"),
        ("(?=a)", "no argument for repetition operator"),
        ("(" * 1_500, "missing )"),
        ("(a{100}){10}" * 200, "too large"),
    ],
)
def test_no_expressions(written, why):
    with pytest.raises(BadExpression, match=re.escape(why)):
        expression(written, ignores_case=False)


@given(st.text(max_size=50), st.text(max_size=50))
def test_quoted_text_matches_itself_alone(text, around):
    whole = text.encode(errors="replace").decode()
    found = expression(quoted(text), ignores_case=False).search(around + text)
    assert found is not None
    assert found[0] == whole


@given(st.text(alphabet="ab()[]{}*+?|^$.\\1d,-:", max_size=30), st.text(max_size=30))
def test_any_expression(written, text):
    try:
        found = expression(written, ignores_case=True).search(text)
    except BadExpression:
        return
    assert found is None or found[0] in text


@pytest.mark.parametrize(
    ("script", "actions"),
    [
        (
            'if header :regex "subject" "\\\\[([a-z-]+)\\\\].*version ([0-9.]+)" { fileinto "${1}-${2}"; }',
            ["store acme-users-1.0"],
        ),
        (
            'if header :regex :comparator "i;octet" "subject" "VERSION" { discard; }',
            ["store INBOX"],
        ),
        ('if address :regex :domain "from" "^example\\\\.(com|org)$" { discard; }', ["discard"]),
        ('if body :regex "100% (plain|rich)" { discard; }', ["discard"]),
        (
            'set "v" "a.b*"; set :quoteregex "q" "${v}"; if string :regex "xa.b*y" "${q}" { fileinto "${q}"; }',
            ["store a\\.b\\*"],
        ),
        ('set "v" "("; if string :regex "x" "${v}" { discard; }', ["error", "store INBOX"]),
    ],
)
def test_scripts(script, actions):
    assert shown(BEFORE + script, PLAIN) == actions


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ('if header :regex "a" "b" {}', ':regex needs  require "regex"'),
        (
            BEFORE + '\nif header :regex "a" "(b" {}',
            'line 2, column 22: "(b" is no regular expression: missing )',
        ),
        (
            BEFORE + 'if header :regex :comparator "i;ascii-numeric" "a" "b" {}',
            "does not go with :regex",
        ),
        (BEFORE + f'if header :regex "a" "{"b" * 2_001}" {{}}', "may have 2000 characters"),
        (
            BEFORE + 'set :quoteregex :quotewildcard "a" "b";',
            "cannot have :quoteregex and :quotewildcard",
        ),
        ('require "variables"; set :quoteregex "a" "b";', ':quoteregex needs  require "regex"'),
    ],
)
def test_errors_help(script, error):
    with pytest.raises(ScriptError) as caught:
        compile_script(script.encode(), LIMITS)
    assert error in str(caught.value)


@pytest.mark.parametrize(
    "written",
    ["(a+)+b", "(a|aa)+b", "(.*)*b", "(x?){1,500}y", "([a-z]*[a-y]*[b-z]*){1,100}!", ".*.*.*.*.*b"],
)
def test_no_expression_takes_long(written):
    """What takes a backtracking engine for ever takes at most what the bound on steps is worth."""
    raw = b"Subject: " + b"a" * 50_000 + b"\r\n\r\n"
    began = time.process_time()
    done = outcome(f'{BEFORE} if header :regex "subject" "{written}" {{ discard; }}', raw)
    assert time.process_time() - began < 5
    assert done.error is None or "takes too long" in str(done.error)


def test_many_expressions_count():
    lines = "".join(f'if header :regex "subject" "(a*b*){{1,50}}{n}" {{}}' for n in range(500))
    raw = b"Subject: " + b"a" * 10_000 + b"\r\n\r\n"
    done = outcome(BEFORE + lines, raw, SieveLimits(steps=50_000))
    assert "takes too long" in str(done.error)
