"""A script as a tree of commands and tests, before anybody asks what they mean.

Spec: RFC 5228 §8.2.  Status: complete.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from mailserver.base.limits import SieveLimits
from mailserver.sieve.errors import ScriptError
from mailserver.sieve.lexer import Kind, Source, Token, tokens


class Str(NamedTuple):
    """A string as written, escapes undone."""

    value: str
    at: int


class Strings(NamedTuple):
    """A list in brackets."""

    values: tuple[Str, ...]
    at: int


class Num(NamedTuple):
    """A number, its unit applied."""

    value: int
    at: int


class Tag(NamedTuple):
    """A tag without its colon, in lower case."""

    name: str
    at: int


Argument: TypeAlias = Str | Strings | Num | Tag


@dataclass(frozen=True, slots=True)
class Test:
    """A test with the tests inside of it.  name: lower case."""

    name: str
    arguments: tuple[Argument, ...]
    tests: tuple["Test", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Command:
    """A command.  block: None where a semicolon ends it."""

    name: str
    arguments: tuple[Argument, ...]
    tests: tuple[Test, ...]
    block: tuple["Command", ...] | None
    at: int


def parse(source: Source, limits: SieveLimits) -> tuple[Command, ...]:
    """The commands of *source*.  Raises ScriptError, also where it nests too deep or is too long."""
    reader = _Reader(source, limits)
    commands = reader.commands(0)
    if reader.token.kind is not Kind.END:
        raise reader.error('this "}" closes nothing')
    return commands


class _Reader:
    """Looks one token ahead; recursion is bounded by `SieveLimits.nesting`."""

    def __init__(self, source: Source, limits: SieveLimits) -> None:
        self.source, self.limits = source, limits
        self.left = limits.commands
        self.stream: Iterator[Token] = tokens(source)
        self.token = next(self.stream)

    def error(self, text: str, at: int | None = None) -> ScriptError:
        return self.source.error(self.token.at if at is None else at, text)

    def take(self) -> Token:
        token = self.token
        if token.kind is not Kind.END:
            self.token = next(self.stream)
        return token

    def accept(self, mark: str) -> bool:
        if self.token.kind is Kind.MARK and self.token.text == mark:
            self.take()
            return True
        return False

    def commands(self, depth: int) -> tuple[Command, ...]:
        out = []
        while self.token.kind is Kind.WORD:
            out.append(self.command(depth))
        if self.token.kind not in (Kind.END, Kind.MARK) or self.token.text not in ("", "}"):
            raise self.error("a command should begin here")
        return tuple(out)

    def command(self, depth: int) -> Command:
        name = self.count()
        arguments, tests = self.arguments(depth)
        if self.accept(";"):
            return Command(name.text, arguments, tests, None, name.at)
        opening = self.token.at
        if not self.accept("{"):
            raise self.error(f'";" or a block in {{ }} is missing behind "{name.text}"')
        self.check(depth + 1, opening, "blocks")
        block = self.commands(depth + 1)
        if not self.accept("}"):
            raise self.error('this block is not closed with "}"', opening)
        return Command(name.text, arguments, tests, block, name.at)

    def arguments(self, depth: int) -> tuple[tuple[Argument, ...], tuple[Test, ...]]:
        out: list[Argument] = []
        while True:
            token = self.token
            if token.kind is Kind.STRING:
                out.append(self.string())
            elif token.kind is Kind.NUMBER:
                self.take()
                out.append(Num(token.number, token.at))
            elif token.kind is Kind.TAG:
                self.take()
                out.append(Tag(token.text, token.at))
            elif self.accept("["):
                out.append(self.strings(token.at))
            else:
                return tuple(out), self.tests(depth)

    def string(self) -> Str:
        token = self.token
        if token.kind is not Kind.STRING:
            raise self.error("a string should stand here")
        if len(token.text) > self.limits.string_size:
            raise self.error(f"a string may have {self.limits.string_size} characters at most")
        self.take()
        return Str(token.text, token.at)

    def strings(self, at: int) -> Strings:
        out: list[Str] = []
        if self.accept("]"):  # against the grammar, but it can mean only one thing
            return Strings((), at)
        while True:
            out.append(self.string())
            if self.accept("]"):
                return Strings(tuple(out), at)
            if len(out) >= self.limits.list_items:
                raise self.error(f"a list may have {self.limits.list_items} strings at most", at)
            if not self.accept(","):
                raise self.error('"," or "]" is missing in this list')

    def tests(self, depth: int) -> tuple[Test, ...]:
        if self.token.kind is Kind.WORD:
            return (self.test(depth + 1),)
        opening = self.token.at
        if not self.accept("("):
            return ()
        out = []
        while True:
            out.append(self.test(depth + 1))
            if self.accept(")"):
                return tuple(out)
            if not self.accept(","):
                raise self.error('"," or ")" is missing in this list of tests', opening)

    def test(self, depth: int) -> Test:
        self.check(depth, self.token.at, "tests")
        if self.token.kind is not Kind.WORD:
            raise self.error("a test should stand here")
        name = self.count()
        arguments, tests = self.arguments(depth)
        return Test(name.text, arguments, tests, name.at)

    def count(self) -> Token:
        self.left -= 1
        if self.left < 0:
            raise self.error(f"a script may have {self.limits.commands} commands and tests at most")
        return self.take()

    def check(self, depth: int, at: int, what: str) -> None:
        if depth > self.limits.nesting:
            raise self.error(f"{what} nest deeper than {self.limits.nesting} levels here", at)
