"""The same scripts and messages here and in Debian's Pigeonhole: the same actions, or a reason why not."""

import pytest

from mailserver.sieve.errors import ScriptError
from sieve import peer_cases, sieve_messages
from sieve.sieve_tools import shown

_EMPTY_GROUP = "a group without members holds no address (RFC 5228 §2.7.4, RFC 5322 §3.4)"
_STRING = "the default comparator is that of all tests (RFC 5228 §2.7.3)"
_CHECKED = "what cannot be meant is told when the script is uploaded, not when mail comes (RFC 5228 §2.10.6)"

#: test or script -> (our reason, the messages where we differ; none: all)
DIFFERENCES: dict[str, tuple[str, tuple[str, ...]]] = {
    'address :contains "to" "undisclosed"': (_EMPTY_GROUP, ("nested",)),
    'address :count "eq" "to" "1"': (_EMPTY_GROUP, ("nested",)),
    'address :count "eq" :comparator "i;ascii-numeric" "to" "0"': (_EMPTY_GROUP, ("nested",)),
    'string "ABC" "abc"': (_STRING, ()),
    'string :contains "abcdef" "CDE"': (_STRING, ()),
    'require "ereject"; ereject "no thanks";': ("the peer knows no ereject", ()),
    'require ["variables", "fileinto"]; if allof(header :matches "subject" "*o*", false) {} '
    'fileinto "x${1}";': (
        "the last match counts, whatever becomes of its test (RFC 5229 §3.2)",
        (),
    ),
    'require ["variables"]; set "a" "${no.such}";': (
        "an unknown namespace is an error (RFC 5229 §3)",
        (),
    ),
    'require "date"; if date "date" "nosuch" "1" { keep; }': (_CHECKED, ()),
    'require "date"; if date :zone "0100" "date" "hour" "1" { keep; }': (_CHECKED, ()),
    'require "enotify"; notify "mailto:x@example.org,y@example.org";': (
        "commas part addresses (RFC 6068 §2)",
        (),
    ),
    'require "enotify"; notify "mailto:x@example.org?from=z@example.org&auto-submitted=no&received=x&date=now";': (
        "a Date in the URI is ignored (RFC 5436 §2.7)",
        (),
    ),
    'require "enotify"; if valid_notify_method "mailto:x@example.org?subject" { discard; }': (
        "a field in the URI has a value (RFC 6068 §2)",
        (),
    ),
    'require "enotify"; notify "nosuch:x";': (
        "what cannot notify is an error when it runs, as a test may stand before it (RFC 5435 §3.2)",
        (),
    ),
    'require ["editheader"]; deleteheader :last "a";': (
        ":last alone is an error (RFC 5293 §5)",
        (),
    ),
}

_INNER = "the peer breaks off where something follows an inner loop (RFC 5703 §3)"
_CHARACTERS = "`:first` counts characters, and HTML is text like any other (RFC 5703 §7)"
DIFFERENCES |= {
    f"{peer_cases.PARTS}{script}": reason
    for script, reason in (
        (
            'foreverypart { foreverypart { set "n" "${n}i"; } set "n" "${n}o"; } fileinto "a${n}";',
            (_INNER, ()),
        ),
        (
            'foreverypart { foreverypart { set "n" "${n}i"; break; } set "n" "${n}o"; } fileinto "a${n}";',
            (_INNER, ()),
        ),
        (
            'foreverypart :name "a" { foreverypart { break :name "a"; } set "n" "${n}o"; } fileinto "a${n}";',
            (_INNER, ("plain", "twice")),
        ),
        (
            'foreverypart :name "a" { foreverypart :name "a" { break :name "a"; } set "n" "${n}o"; }'
            ' fileinto "a${n}";',
            (_INNER, ()),
        ),
        (
            'foreverypart { extracttext :first 4 "t"; if string :matches "${t}" "?*" { fileinto "x${t}"; } }',
            (_CHARACTERS, ("alternative",)),
        ),
        (
            'foreverypart { extracttext :upper :first 3 "t"; fileinto "x${t}"; }',
            (_CHARACTERS, ("alternative",)),
        ),
    )
}

CASES = [
    (required, before, [line for line in tests.splitlines() if line])
    for required, before, tests in peer_cases.TESTS
]


def questions(required: str, before: str, tests: list[str]) -> str:
    """One script that files into "N" where test N is true."""
    required = required.replace("[", '["fileinto", ', 1)
    asked = [f'if {test} {{ fileinto "{n}"; }}' for n, test in enumerate(tests)]
    return "\n".join([f"require {required};", before, *asked, "keep;"])


def answers(lines: list[str], tests: list[str]) -> dict[str, bool]:
    """test -> whether it was true."""
    assert lines[-1:] == ["store INBOX"] or "store INBOX" in lines[-1], lines
    filed = {line.split()[1] for line in lines}
    return {test: str(n) in filed for n, test in enumerate(tests)}


@pytest.mark.rfc(4790, "9.1", "9.2", "9.3")
@pytest.mark.rfc(5173, "4", "5.1", "5.2", "5.3")
@pytest.mark.rfc(5228, "2.7.1", "2.7.3", "5.1", "5.4", "5.7")
@pytest.mark.rfc(5229, "3", "4.1", "5")
@pytest.mark.rfc(5231, "4.1", "4.2")
@pytest.mark.rfc(5232, "4")
@pytest.mark.rfc(5233, "4")
@pytest.mark.rfc(5260, "4", "5", "6")
@pytest.mark.needs("sieve-test")
@pytest.mark.parametrize("name", sieve_messages.ALL)
@pytest.mark.parametrize(("required", "before", "tests"), CASES, ids=lambda v: "")
def test_tests(pigeonhole, name, required, before, tests):
    script, raw = questions(required, before, tests), sieve_messages.ALL[name]
    ours = answers(shown(script, raw), tests)
    theirs = answers(pigeonhole.shown(script, raw), tests)
    unlike = {test for test in tests if ours[test] is not theirs[test]}
    reasoned = {
        test
        for test, (_, names) in DIFFERENCES.items()
        if test in tests and (not names or name in names)
    }
    assert unlike == reasoned, {test: ours[test] for test in unlike ^ reasoned}


@pytest.mark.rfc(3894, "3")
@pytest.mark.rfc(5228, "3.1", "3.2", "4.1", "4.2", "4.3", "4.4")
@pytest.mark.rfc(5293, "4", "5", "6")
@pytest.mark.rfc(5435, "3", "4", "5", "6", "7")
@pytest.mark.rfc(5436, "2.6", "2.7")
@pytest.mark.rfc(5463, "4")
@pytest.mark.rfc(5703, "3", "4.1", "4.2", "4.3", "7")
@pytest.mark.rfc(6131, "2")
@pytest.mark.needs("sieve-test")
@pytest.mark.parametrize("script", peer_cases.SCRIPTS)
def test_scripts(pigeonhole, script):
    names = ("plain", "twice", *(("nested", "alternative") if "foreverypart" in script else ()))
    for name in names:
        raw = sieve_messages.ALL[name]
        try:
            ours = shown(script, raw)
        except ScriptError:
            ours = ["does not compile"]
        theirs = pigeonhole.shown(script, raw)
        if script in DIFFERENCES and name in (DIFFERENCES[script][1] or names):
            assert ours != theirs
        else:
            assert ours == theirs, name
        if theirs == ["does not compile"]:
            return
