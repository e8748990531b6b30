"""What scripts do, what is wrong with them, and where they end."""

import contextlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.base.limits import SieveLimits
from mailserver.sieve import registry
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.environment import Environment
from mailserver.sieve.errors import ScriptError
from mailserver.sieve.lexer import Kind, Source, tokens
from mailserver.sieve.matching import wildcards
from mailserver.sieve.run import run
from mailserver.sieve.syntax import parse
from sieve.sieve_messages import ALL, BARE, NO_BODY, PLAIN, TWICE
from sieve.sieve_tools import LIMITS, message, outcome, shown, told


def test_tables(golden):
    registry.load()
    golden("sieve.txt", registry.table())


@pytest.mark.rfc(5228, "2.10.6")
@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("keep", 'line 1, column 5: ";" or a block in { } is missing behind "keep"'),
        ("\n  kep;", 'line 2, column 3: there is no command "kep", did you mean "keep"?'),
        (
            'if headr "a" "b" {}',
            'line 1, column 4: there is no test "headr", did you mean "header"?',
        ),
        (
            'fileinto "a";',
            'line 1, column 1: "fileinto" needs  require "fileinto";  at the beginning',
        ),
        ('require "fileintoo";', 'there is no extension "fileintoo", did you mean "fileinto"?'),
        ('redirect "a@b.example', "line 1, column 10: this string is not closed"),
        ("redirect \u201ca@b.example\u201d;", "strings stand in straight double quotes"),
        ("if true { keep;", 'line 1, column 9: this block is not closed with "}"'),
        ("keep; }", 'line 1, column 7: this "}" closes nothing'),
        ("else {}", '"else" must follow the block of an "if"'),
        ("if size {}", '"size" needs :over or :under with a number'),
        ("if size :over {}", ":over must be followed by a number"),
        ('if header :is "a" {}', '"header" lacks an argument: a list of strings'),
        ('if header :iss "a" "b" {}', '"header" has no tag :iss'),
        ('if header :is :contains "a" "b" {}', '"header" cannot have :is and :contains'),
        ('keep "a";', '"keep" has no arguments beside its tags, not 1'),
        ("if keep {}", '"keep" is a command, a test should stand here'),
        ('header "a" "b";', '"header" is a test: it stands behind "if", "elsif", "not"'),
        ("/* no end", "line 1, column 1: this comment is not closed with */"),
        ("redirect text:\nabc", 'this text is not closed with a line that is only "."'),
        ('redirect "nobody";', 'line 1, column 10: "nobody" is no address'),
        ('require "include"; include "x";', ""),
    ],
)
def test_errors_help(script, error):
    if not error:
        assert compile_script(script.encode(), LIMITS).warnings
        return
    with pytest.raises(ScriptError) as caught:
        compile_script(script.encode(), LIMITS)
    assert error in str(caught.value)


def test_no_utf8_and_nul():
    with pytest.raises(ScriptError, match="line 2, column 3: the script must be UTF-8"):
        compile_script(b"# \xc3\xbc\n# \xff", LIMITS)
    with pytest.raises(ScriptError, match="NUL"):
        compile_script(b"keep;\0", LIMITS)
    assert compile_script(b"\xef\xbb\xbfkeep;", LIMITS)


@pytest.mark.rfc(5228, "2.4.2")
def test_texts():
    script = 'require "reject"; reject text: # hash\r\nOne\r\n..dot\r\n.\r\n;'
    (action,) = outcome(script, PLAIN).actions
    assert action.reason == "One\r\n.dot\r\n"
    (token, _) = tokens(Source(b'"a\\"b\\\\c\\d\ne"'))
    assert (token.kind, token.text) == (Kind.STRING, 'a"b\\cd\r\ne')


@pytest.mark.rfc(5183, "4")
@pytest.mark.rfc(5228, "2.10.2")
@pytest.mark.rfc(5463, "5")
@pytest.mark.rfc(5490, "3.1")
@pytest.mark.rfc(8579, "3")
@pytest.mark.rfc(9042, "5")
@pytest.mark.parametrize(
    ("script", "raw", "actions"),
    [
        ("", BARE, ["store INBOX"]),
        ('if header :matches "subject" "*" { discard; }', NO_BODY, ["discard"]),
        ('require "body"; if body :contains "" { discard; }', NO_BODY, ["store INBOX"]),
        ('require "duplicate"; if duplicate { discard; }', PLAIN, ["discard"]),
        ('require "duplicate"; if duplicate :seconds 0 { discard; }', PLAIN, ["store INBOX"]),
        ('require "duplicate"; if duplicate { discard; }', BARE, ["store INBOX"]),
        (
            'require ["mailbox", "fileinto"]; if mailboxexists ["inbox", "Work"] { fileinto "Work"; }',
            PLAIN,
            ["store Work"],
        ),
        (
            'require "mailbox"; if mailboxexists ["Work", "Play"] { discard; }',
            PLAIN,
            ["store INBOX"],
        ),
        ('require "special-use"; if specialuse_exists "\\\\Junk" { discard; }', PLAIN, ["discard"]),
        (
            'require "special-use"; if specialuse_exists "Work" "\\\\Junk" { discard; }',
            PLAIN,
            ["store INBOX"],
        ),
        ('require "mailboxid"; if mailboxidexists "Fq1" { discard; }', PLAIN, ["discard"]),
        ('require "environment"; if environment "location" "MDA" { discard; }', PLAIN, ["discard"]),
        ('require "ihave"; error "oh";', PLAIN, ["error", "store INBOX"]),
    ],
)
def test_what_is_known(script, raw, actions):
    known = {
        "mailboxes": frozenset({"INBOX", "Work"}),
        "special_uses": {"\\junk": frozenset({"Junk"})},
        "mailbox_ids": frozenset({"Fq1"}),
        "items": {"location": "MDA"},
        "is_duplicate": lambda handle, seconds, renews: True,
    }
    assert shown(script, raw, **known) == actions


@pytest.mark.rfc(6609, "3")
def test_include():
    scripts = {
        (
            "personal",
            "a",
        ): b'require ["include", "variables"]; global "g"; set "g" "G"; set "own" "x";',
        (
            "global",
            "b",
        ): b'require ["include", "fileinto"]; fileinto "b"; return; fileinto "never";',
        ("personal", "loop"): b'require "include"; include "loop";',
        ("personal", "bad"): b"\nnosuch;",
    }

    def program(script: str):
        return compile_script(script.encode(), LIMITS, load=lambda *key: scripts.get(key))

    done = run(
        program(
            'require ["include", "variables", "fileinto"]; global "g"; set "own" "mine"; include "a";'
            'include :global :once "b"; include :global :once "b"; include :optional "c";'
            'fileinto "${g}${own}"; include "missing";'
        ),
        message(PLAIN),
        Environment(),
        LIMITS,
    )
    assert done.error is not None
    assert 'no personal script "missing"' in str(done.error)
    done = run(
        program(
            'require ["include", "variables", "fileinto"]; global "g"; set "own" "mine"; include "a";'
            'include :global :once "b"; include :global :once "b"; include :optional "c"; fileinto "${g}${own}";'
        ),
        message(PLAIN),
        Environment(),
        LIMITS,
    )
    assert [line for action in done.actions for line in told(action)] == ["store b", "store Gmine"]
    with pytest.raises(ScriptError, match="includes itself"):
        program('require "include"; include "loop";')
    with pytest.raises(ScriptError, match="in included script bad, line 2"):
        program('require "include"; include "bad";')


def test_edited_header():
    script = 'require "editheader"; addheader "X-A" "gr\u00fcn"; deleteheader "x-num"; deleteheader "received"; keep;'
    (action,) = outcome(script, TWICE).actions
    assert action.edited.header.startswith(b"X-A: =?utf-8?")
    assert b"X-Num" not in action.edited.header
    assert action.edited.header.endswith(b"\r\n\r\n")
    (action,) = outcome("keep;", TWICE).actions
    assert action.edited is None


def test_trace():
    program = compile_script(
        b'if allof(size :over 10,\n header :contains "subject" "FWD") { discard; }',
        LIMITS,
        traced=True,
    )
    said = run(program, message(PLAIN), Environment(), LIMITS).trace
    assert [(t.line, t.test, t.result) for t in said] == [
        (1, "size", True),
        (2, "header", True),
        (1, "allof", True),
    ]
    assert said[1].value == "[acme-users] [fwd] version 1.0 is out"
    assert said[1].key == "FWD"


# bounds


@pytest.mark.rfc(5228, "2.10.7")
def test_nesting():
    def blocks(depth: int) -> bytes:
        return b"if true {" * depth + b"keep;" + b"}" * depth

    assert compile_script(blocks(15), LIMITS)
    with pytest.raises(ScriptError, match="nest deeper than 32"):
        compile_script(blocks(7_000), LIMITS)
    assert compile_script(b"if " + b"not " * 15 + b"true {}", LIMITS)
    with pytest.raises(ScriptError, match="nest deeper than 32"):
        compile_script(b"if " + b"not " * 15_000 + b"true {}", LIMITS)
    with pytest.raises(ScriptError, match="nest deeper than 32"):
        compile_script(b"if " + b"allof(" * 10_000, LIMITS)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (
            "".join(f'redirect "u{n}@example.org";' for n in range(1_000)),
            "redirect to 10 addresses",
        ),
        (
            'require "fileinto";' + "".join(f'fileinto "{n}";' for n in range(1_000)),
            "100 things at most",
        ),
        (
            'require "variables";' + "".join(f'set "v{n}" "x";' for n in range(1_000)),
            "250 variables",
        ),
        (
            'require "variables"; set "a" "0123456789";' + 'set "a" "${a}${a}";' * 5_000,
            "takes too long",
        ),
        ('require "editheader";' + 'addheader "a" "b";' * 1_000, "add 200 header fields"),
        (  # 640 MB of keys
            'require "variables"; set "a" "0123456789";'
            + 'set "a" "${a}${a}";' * 13
            + 'if string "x" ["${a}"'
            + ',"${a}"' * 9_998
            + "] {}",
            "takes too long",
        ),
        (
            "".join(
                f'if header :matches ["subject", "received"] "*{n}*a*b*c*d*e*?*?*f" {{ }}'
                for n in range(10_000)
            ),
            "takes too long",
        ),
    ],
)
def test_bounds(script, error):
    done = outcome(script, PLAIN, SieveLimits(commands=30_000))
    assert done.error is not None
    assert error in str(done.error)
    assert [type(action).__name__ for action in done.actions] == ["Keep"]


def test_too_much():
    for script, error in (
        (b"keep;" * 30_000, "20000 commands"),
        (b"#" * 2_000_000, "1048576 octets"),
        (b'if header "a" ["b"' + b',"b"' * 20_000 + b"] {}", "10000 strings"),
        (b'redirect "' + b"a" * 300_000 + b'";', "262144 characters"),
    ):
        with pytest.raises(ScriptError, match=error):
            compile_script(script, LIMITS)


@pytest.mark.parametrize(
    "pattern", ["*a" * 200 + "b", "*" * 500, "?*" * 200 + "b", "*aaaa?" * 50 + "b"]
)
def test_wildcards_never_go_back(pattern):
    assert wildcards(pattern, True).fullmatch("a" * 20_000) is None or pattern == "*" * 500


def test_a_string_of_many_variables_stays_small():
    """Of 50,000 times 64 kB no more is put together than a variable may hold."""
    script = (
        'require ["variables", "fileinto"]; set "a" "0123456789";'
        + 'set "a" "${a}${a}";' * 13
        + 'set "b" "'
        + "${a}" * 50_000
        + '"; set :length "c" "${b}"; fileinto "${c}";'
    )
    tracemalloc.start()
    assert shown(script, PLAIN) == ["store 65536"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000


# any input


@given(st.text(alphabet='abc ":;{}()[],\\\n.*?#/:text0K', max_size=200))
def test_garbage(text):
    try:
        compile_script(text.encode(), LIMITS)
    except ScriptError as error:
        place = error.place
    else:
        return
    lines = text.count("\n") + 1
    assert 1 <= place.line <= lines
    assert place.column >= 1


WORDS = st.sampled_from(
    [
        *("if", "elsif", "else", "{", "}", "(", ")", "[", "]", ",", ";", "keep", "discard", "stop"),
        *("true", "false", "not", "allof", "anyof", "header", "address", "size", ":over", "1"),
        *('"a"', '"subject"', ":is", ":contains", ":matches", "require", '"fileinto"', "fileinto"),
        *("set", '"variables"', "redirect", '"a@b.example"', "exists"),
    ]
)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=40), st.sampled_from(sorted(ALL)))
def test_words(words, name):
    with contextlib.suppress(ScriptError):
        outcome(" ".join(words), ALL[name])


@given(st.text(alphabet="abAB*?\\", max_size=12), st.text(alphabet="abAB", max_size=12))
def test_wildcards_are_right(pattern, value):
    assert bool(wildcards(pattern, True).fullmatch(value)) is _like(pattern.lower(), value.lower())


def _like(pattern: str, value: str) -> bool:
    """The definition, slowly."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(_like(pattern[1:], value[at:]) for at in range(len(value) + 1))
    if pattern[0] == "?":
        return bool(value) and _like(pattern[1:], value[1:])
    if pattern[0] == "\\" and len(pattern) > 1:
        pattern = pattern[1:]
    return bool(value) and value[0] == pattern[0] and _like(pattern[1:], value[1:])


def test_strings_round_trip():
    for text in ('a"b', "a\\b", "\u00fc", "line\r\nline", ""):
        written = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        (command,) = parse(Source(f"redirect {written};".encode()), LIMITS)
        assert command.arguments[0].value == text
