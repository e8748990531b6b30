"""Rules that are passed over together: the same comes out, and takes the same steps, as where each is tried."""

import sys
import time
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.mime.headers import split_fields
from mailserver.sieve import skipping
from mailserver.sieve.actions import Keep
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.environment import Environment
from mailserver.sieve.errors import RunError
from mailserver.sieve.header import Header
from mailserver.sieve.program import Program
from mailserver.sieve.run import Outcome, Run, Stop, run
from sieve.sieve_tools import LIMITS, message

NEEDS = (
    'require ["fileinto", "variables", "relational", "subaddress", "editheader", "envelope", "imap4flags",'
    ' "index", "mime", "comparator-i;ascii-numeric", "comparator-i;unicode-casemap"];\r\n'
)
#: letters whose case is not as simple as it looks, beside what has a meaning in patterns
LETTERS = 'aaaAbbB*?\\ é"ÉßK\u212aſıİ＊１1'
ADDRESSES = ("a@b", "A@B", "ab+a@a.b", "a+@b", '"a b"@b', "b@é", "none", "")
FIELDS = (
    *('"subject"', '"subject"', '"Subject"', '["subject", "x-a"]', '"x-a"', '"x-a"'),
    *('"x-${v}"', '"none"', '"no name"', '"received"'),
)
ACTIONS = (
    *("keep;", "discard;", "stop;", 'fileinto "a";', 'fileinto "${1}b";', 'set "v" "a";', ""),
    *('addheader "X-A" "ab";', 'deleteheader "subject";', 'addflag "\\\\Seen";'),
)
OTHER_TESTS = (
    *("true", "false", "size :over 1", 'exists "x-a"', 'envelope "from" "a@b"'),
    *('header :value "gt" "x-a" "b"', 'header :count "eq" "x-a" "1"'),
)


class Author:
    """Writes scripts of which much is plain, and messages in which something of it may be found."""

    def __init__(self, random) -> None:
        self.random, self.pick = random, random.choice

    def some(self, most: int, least: int = 0) -> range:
        return range(self.random.randint(least, most))

    def is_one_of(self, number: int) -> bool:
        return self.random.randrange(number) == 0

    def word(self, most: int, least: int = 0) -> str:
        letters = "ab*?" if self.is_one_of(3) else LETTERS
        return "".join(self.pick(letters) for _ in self.some(most, least))

    def keys(self) -> str:
        words = [
            self.pick(["${v}", "${1}"])
            if self.is_one_of(20)
            else self.word(4, 0 if self.is_one_of(15) else 1)
            for _ in self.some(3, 1)
        ]
        if self.is_one_of(4):
            words.append(self.pick(ADDRESSES))
        quoted = [word.replace("\\", "\\\\").replace('"', '\\"') for word in words]
        return "[" + ", ".join(f'"{word}"' for word in quoted) + "]"

    def plain(self) -> str:
        match = self.pick(["", ":is", ":contains", ":contains", ":matches", ":matches"])
        how = ["", "", ':comparator "i;octet"', ':comparator "i;unicode-casemap"']
        if match in ("", ":is"):
            how.append(':comparator "i;ascii-numeric"')
        place = (
            self.pick([":index 1", ":index 1 :last", ":mime :anychild"])
            if self.is_one_of(15)
            else ""
        )
        if self.is_one_of(2):
            return f"header {place} {match} {self.pick(how)} {self.pick(FIELDS)} {self.keys()}"
        part = self.pick(["", ":all", ":localpart", ":domain", ":user", ":detail"])
        fields = self.pick(['"from"', '["from", "to"]', '"to"'])
        return f"address {place} {part} {match} {self.pick(how)} {fields} {self.keys()}"

    def test(self, depth: int = 0) -> str:
        if self.is_one_of(12):
            return self.pick(OTHER_TESTS)
        if depth < 3 and self.is_one_of(4):
            if self.is_one_of(3):
                return f"not {self.test(depth + 1)}"
            inner = ", ".join(self.test(depth + 1) for _ in self.some(3, 1))
            return f"{self.pick(['allof', 'anyof'])}({inner})"
        return self.plain()

    def rule(self, depth: int = 0) -> str:
        if self.is_one_of(15):
            return self.pick(ACTIONS) + "\r\n"
        out = f"if {self.test()} {{ {self.block(depth)} }}\r\n"
        for _ in self.some(2) if self.is_one_of(4) else ():
            out += f"elsif {self.test()} {{ {self.block(depth)} }}\r\n"
        return out + (f"else {{ {self.block(depth)} }}\r\n" if self.is_one_of(12) else "")

    def block(self, depth: int) -> str:
        if depth < 2 and self.is_one_of(6):
            return "".join(self.rule(depth + 1) for _ in self.some(4))
        return self.pick(ACTIONS)

    def script(self) -> str:
        return NEEDS + "".join(self.rule() for _ in self.some(12, 1))

    def value(self) -> str:
        return self.word(12) + ("x" * 600 if self.is_one_of(8) else "")

    def letter(self) -> bytes:
        """Of some scripts it has no field at all: then most is passed over."""
        fields = [f"Subject: {self.value()}" for _ in self.some(2)]
        for name in ("From", "To"):
            fields += [
                f"{name}: {', '.join(self.pick(ADDRESSES) for _ in self.some(2))}"
                for _ in self.some(2)
            ]
        fields += [f"X-A: {self.value()}" for _ in self.some(2)]
        return "\r\n".join([*fields, "", "body", ""]).encode()


def compiled(script: str, *, fewest: int = 1, most: int = 16) -> Program:
    with patch.object(skipping, "FEWEST", fewest), patch.object(skipping, "MOST", most):
        return compile_script(script.encode(), LIMITS)


def state(program: Program, raw: bytes, steps: int) -> tuple[object, ...]:
    """All that can be seen of a run, above all the steps that are left."""
    limits = replace(LIMITS, steps=steps)
    environment = Environment(sender="a@b", recipient="a+b@b")
    done = run(program, message(raw), environment, limits)
    it = Run(message(raw), environment, limits)
    try:
        program.main(it)
    except Stop:
        pass
    except RunError as error:
        return done.actions, str(done.error), str(error)
    return done.actions, it.left, it.is_taken, it.variables, it.matches, it.flags, it.edits


@settings(max_examples=150)
@given(
    st.randoms(use_true_random=True),
    st.sampled_from([3, 10, 40, 2_000, 100_000]),
    st.integers(1, 16),
)
def test_the_same_comes_out(random, steps, most):
    author = Author(random)
    script = author.script()
    plain, passing = compiled(script, fewest=10**9), compiled(script, most=most)
    for raw in (author.letter(), author.letter(), author.letter(), b"\r\n"):
        assert state(passing, raw, steps) == state(plain, raw, steps)


@settings(max_examples=150)
@given(st.randoms(use_true_random=True), st.sampled_from([3, 10, 40, 2_000, 100_000]))
def test_a_script_without_a_say_keeps_the_message(random, steps):
    author = Author(random)
    program = compiled(author.script())
    for raw in (author.letter(), author.letter(), b"\r\n"):
        about = message(raw)
        if not program.has_a_say(about.header, steps):
            done = run(program, about, Environment(), replace(LIMITS, steps=steps))
            assert done == Outcome((Keep(is_implicit=True),))


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    b"A: 1",
                    b"a:2",
                    b"A : 3",
                    b"Ab: 4",
                    b"A\x00: 5",
                    b" A: 6",
                    b"\tA: 7",
                    b"no colon",
                ),
                *(
                    b"",
                    b"\r",
                    b":",
                    b": 8",
                    b"A",
                    b"A:",
                    b"B: \xff",
                    b"A: 9\n A: 10\n  ",
                    b"\rA: 11",
                ),
            ]
        )
    ),
    st.sampled_from([b"\r\n", b"\n", b"\r\n\r\n"]),
)
def test_fields_that_are_looked_for(lines, end):
    block = end.join(lines) + end
    taken_apart = Header(split_fields(block))
    for name in ("a", "ab", "b", "", "no", "no colon", "é", "a\x00", "a", "ab", "b"):
        assert Header.of(block).octets(name) == taken_apart.octets(name)
    many = Header.of(block)  # more of them than are looked for one by one
    names = [f"x{n}" for n in range(20)] + ["a", "ab", "b"]
    assert [many.octets(name) for name in names] == [taken_apart.octets(name) for name in names]
    assert many.fields == taken_apart.fields


FIFTY = 'require "fileinto";\r\n' + "".join(
    f'if header :contains "subject" ["offer {n:02}", "news {n:02}"] {{ fileinto "{n}"; stop; }}\r\n'
    f'elsif address :domain :matches "from" "*.shop{n}.example" {{ discard; }}\r\n'
    for n in range(50)
)


def functions_called(program: Program, raw: bytes) -> int:
    """Those of ours, in one run."""
    count = 0

    def note(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event == "call"

    about = message(raw)
    about.values("subject"), about.addresses("from")
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run(program, about, Environment(), LIMITS)
    finally:
        sys.setprofile(before)
    return count


def test_few_functions_where_nothing_is_found():
    passing, plain = compiled(FIFTY, fewest=3), compiled(FIFTY, fewest=10**9)
    other = b"Subject: hello\r\nFrom: a@b.example\r\n\r\n"
    assert functions_called(passing, other) < functions_called(plain, other) / 5
    last = b"Subject: news 49\r\nFrom: a@b.example\r\n\r\n"  # the ones far before are passed over
    assert functions_called(passing, last) < functions_called(plain, last) / 2
    assert state(passing, last, 100_000) == state(plain, last, 100_000)


def test_whoever_asks_hears_of_every_test():
    program = compile_script(FIFTY.encode(), LIMITS, traced=True)
    told = run(program, message(b"Subject: hello\r\n\r\n"), Environment(), LIMITS).trace
    assert [one.line for one in told] == list(range(2, 102))
    assert not any(one.result for one in told)


def test_a_header_is_looked_at_again_once_a_rule_was_true():
    rules = [f'if header :is "x-a" "{n}" {{ addheader "X-A" "{n + 1}"; }}' for n in range(40)]
    script = 'require ["editheader", "fileinto"];' + "".join(rules)
    script += 'if header :is "x-a" "40" { fileinto "last"; }'
    done = run(compiled(script, fewest=3), message(b"X-A: 0\r\n\r\n"), Environment(), LIMITS)
    assert done.error is None
    assert [type(action).__name__ for action in done.actions] == ["FileInto"]


@pytest.mark.parametrize("name", ["subject", "x-{n}"])
def test_thousands_of_tests_over_a_long_header(name):
    """Nobody is kept waiting: what would take too many steps is not even looked for."""
    tests = [f'header :contains "{name.format(n=n)}" "c{n}"' for n in range(1_500)]
    script = f"if anyof({', '.join(tests)}) {{ discard; }}"
    raw = b"Subject: " + b"ab" * 200_000 + b"\r\n\r\n"
    program, about = compiled(script), message(raw)
    before = time.process_time()
    for _ in range(20):
        program.has_a_say(about.header, 2_000)
    assert time.process_time() - before < 2
    assert state(program, raw, 100_000) == state(compiled(script, fewest=10**9), raw, 100_000)
