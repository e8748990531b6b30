"""A search program: the keys of one command in postfix order, and what is known of each.

Spec: RFC 3501 §6.4.4, §9 (search-key); RFC 6203 §3, §7 (FUZZY).  Status: complete.

Every key knows for each message of a slice: matches, does not match, or cannot tell yet.  NOT, OR and AND work on the
pair of sets (surely, perhaps), so a message leaves the search as soon as nothing that is still unknown can change its
result.  There is no recursion: the parser keeps a stack of open keys, the evaluation one of set pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from mailserver.imap.parser import Parser
from mailserver.imap.registry import SEARCH_KEYS, SearchKey
from mailserver.imap.searching import fuzzy
from mailserver.imap.searching.bits import full
from mailserver.imap.searching.fold import fold
from mailserver.imap.searching.key import Key
from mailserver.imap.searching.keys.numbers import numbers
from mailserver.imap.searching.prefilter import Hints


class Known(NamedTuple):
    """What is known of a key, or of the whole program, on one slice: *surely* is part of *perhaps*."""

    surely: int
    perhaps: int


class Op(Enum):
    """The steps of a program."""

    KEY = "key"
    NOT = "not"
    OR = "or"
    AND = "and"
    FUZZY = "fuzzy"  # while a program is read


class Step(NamedTuple):
    """One step: KEY pushes what is known of key *n*, NOT turns the top over, OR and AND join the *n* topmost."""

    op: Op
    n: int = 0


@dataclass(frozen=True, slots=True)
class Program:
    """Search keys, each once however often the command names it, and the steps that join them.

    asks_modseq: MODSEQ is among the keys, so that the answer has one too (RFC 7162 §3.1.5).
    hints:       what the text index has said about the keys while the program runs.
    """

    keys: tuple[Key, ...]
    steps: tuple[Step, ...]
    asks_modseq: bool = False
    asks_last: bool = False
    is_fuzzy: bool = False
    graded: "tuple[tuple[Program, Program], ...]" = ()
    hints: Hints = field(default_factory=Hints, compare=False, repr=False)

    def evaluate(self, known: Sequence[Known], size: int) -> Known:
        """What is known of the whole program on a slice of *size* messages, from what is known of each key."""
        everything = full(size)
        stack: list[Known] = []
        for op, n in self.steps:
            if op is Op.KEY:
                stack.append(known[n])
            elif op is Op.NOT:
                surely, perhaps = stack.pop()
                stack.append(Known(everything ^ perhaps, everything ^ surely))
            else:
                surely, perhaps = stack.pop()
                for _ in range(n - 1):
                    more = stack.pop()
                    if op is Op.OR:
                        surely, perhaps = surely | more.surely, perhaps | more.perhaps
                    else:
                        surely, perhaps = surely & more.surely, perhaps & more.perhaps
                stack.append(Known(surely, perhaps))
        (result,) = stack
        return result


@dataclass(slots=True)
class _Open:
    """A key whose operands are being read: NOT, OR, FUZZY, or a list (AND) that a parenthesis ends, or the line.

    is_fuzzy: FUZZY is around it.
    """

    op: Op
    done: int = 0
    in_parentheses: bool = False
    is_fuzzy: bool = False


def parse_program(p: Parser, charset: str) -> Program:
    """search-key *(SP search-key) up to the end of the command (RFC 3501 §9).

    The space before the first key has been read.  *charset* names the codec of all strings.
    """
    limits = p.limits
    places: dict[bytes, int] = {}  # a key as written -> its place in *found*
    found: list[Key] = []
    steps: list[Step] = []
    stack = [_Open(Op.AND)]
    depth = count = ranges = 0
    asks_modseq = asks_last = is_fuzzy = False
    graded: list[tuple[Program, Program]] = []

    def add(written: bytes, key: Key) -> None:
        nonlocal ranges
        ranges += key.ranges
        if ranges > limits.set_ranges:
            raise p.error(f"more than {limits.set_ranges} ranges in sequence-sets")
        if written not in places:
            places[written] = len(found)
            found.append(key)
        steps.append(Step(Op.KEY, places[written]))

    while stack:
        count += 1
        if count > limits.search_keys:
            raise p.error(f"more than {limits.search_keys} search keys")
        start = p.at
        if p.accept(b"("):
            depth += 1
            if depth > limits.nesting:
                raise p.error("too many parentheses inside each other")
            stack.append(_Open(Op.AND, 0, in_parentheses=True, is_fuzzy=stack[-1].is_fuzzy))
            continue
        name = _name(p)
        if name in ("NOT", "OR", "FUZZY"):
            p.sp()
            op = Op(name.lower())
            is_fuzzy = is_fuzzy or op is Op.FUZZY
            stack.append(_Open(op, is_fuzzy=stack[-1].is_fuzzy or op is Op.FUZZY))
            continue
        row, argument = _key(p, name, charset)
        written = p.line[start : p.at]
        asks_modseq = asks_modseq or name == "MODSEQ"
        asks_last = asks_last or (name == "UID" and b"*" in written)
        grades = fuzzy.grades(argument) if stack[-1].is_fuzzy and name in fuzzy.KEYS else None
        if grades is None:
            add(written, _made(row, argument))
        else:
            exact, words, stems = ([_made(row, a).loosely() for a in grade] for grade in grades)
            count += len(stems)
            for n, key in enumerate(stems):
                add(b"%b %d" % (written, n), key)
            if len(stems) > 1:
                steps.append(Step(Op.AND, len(stems)))
            graded.append((_all_of(exact), _all_of(words)))
        while stack:  # this key may be the last operand of several open ones
            top = stack[-1]
            top.done += 1
            if top.op is Op.OR and top.done < 2:
                p.sp()
                break
            if top.op is Op.AND:
                if p.accept(b" "):
                    break
                if top.in_parentheses:
                    p.expect(b")")
                    depth -= 1
                else:
                    p.end()
            if top.op is Op.NOT:
                steps.append(Step(Op.NOT))
            elif top.done > 1:
                steps.append(Step(top.op, top.done))
            stack.pop()
    return Program(tuple(found), tuple(steps), asks_modseq, asks_last, is_fuzzy, tuple(graded))


def _all_of(keys: Sequence[Key]) -> Program:
    """The program that all of *keys* have to match."""
    steps = [Step(Op.KEY, n) for n in range(len(keys))]
    return Program(tuple(keys), (*steps, Step(Op.AND, len(keys))))


def _name(p: Parser) -> str:
    """The next key's name in upper case, "" before a sequence-set."""
    if p.line[p.at : p.at + 1].isdigit() or p.peek(b"*") or p.peek(b"$"):
        return ""
    return p.word()


def _key(p: Parser, name: str, charset: str) -> tuple[SearchKey | None, object]:
    """The row of the key and its argument, decoded; None and a set of messages for a sequence-set."""
    if not name:
        return None, p.numset(is_uid=False)
    row = SEARCH_KEYS.get(name)
    if row is None:
        raise p.error("unknown search key")
    return row, _decoded(p, row.parse(p), charset) if row.parse else None


def _made(row: SearchKey | None, argument: Any) -> Key:
    if row is None:
        return numbers(argument)
    key: Key = row.run(argument) if row.parse else row.run()
    return key


def _decoded(p: Parser, argument: object, charset: str) -> object:
    """A key's argument with its octet strings, if it has any, as folded text."""
    if isinstance(argument, tuple):
        return tuple(_decoded(p, part, charset) for part in argument)
    if not isinstance(argument, bytes):
        return argument
    try:
        text = argument.decode(charset)
        text.encode()  # no half surrogate pairs, which UTF-7 and UTF-16 can hide
    except UnicodeError:
        raise p.error("a string does not fit the charset") from None
    return fold(text)
