"""The arguments of one command or test, as its row wants them.

Spec: RFC 5228 §2.6.  Status: complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailserver.sieve import syntax
from mailserver.sieve.errors import ScriptError
from mailserver.sieve.registry import Check, Kind, Row, Step, find_tag
from mailserver.sieve.strings import Text, Texts

if TYPE_CHECKING:
    from mailserver.sieve.compiler import Compiler

_Value = syntax.Str | syntax.Strings | syntax.Num | None


class Args:
    """What one command or test was given; asking for what its row has not is a bug.

    at, line: where it stands.
    """

    __slots__ = ("_positional", "_tags", "at", "compiler", "line", "node", "row")

    def __init__(self, compiler: Compiler, row: Row, node: syntax.Command | syntax.Test) -> None:
        self.compiler, self.row, self.node = compiler, row, node
        self.at, self.line = node.at, compiler.source.line(node.at)
        self._tags: dict[str, _Value] = {}
        self._positional: list[_Value] = []
        self._read()
        self._check_shape()

    def error(self, text: str, at: int | None = None) -> ScriptError:
        """An error where the command stands, or at an offset; to be raised."""
        return self.compiler.source.error(self.at if at is None else at, text)

    # tags

    def has(self, tag: str) -> bool:
        """Whether the tag was given."""
        return tag in self._tags

    def tag(self, group: str) -> str:
        """The tag of *group* that was given, "" for none."""
        for name in self._tags:
            found = find_tag(name, self.row)
            if found is not None and found.group == group:
                return name
        return ""

    def tag_text(self, tag: str) -> Text | None:
        """The string behind the tag; None where the tag is not."""
        value = self._tags.get(tag)
        return None if value is None else self._text(value)

    def tag_texts(self, tag: str) -> Texts | None:
        """The strings behind the tag; None where the tag is not."""
        value = self._tags.get(tag)
        return None if value is None else self._texts(value)

    def tag_number(self, tag: str) -> int | None:
        """The number behind the tag; None where the tag is not."""
        value = self._tags.get(tag)
        return value.value if isinstance(value, syntax.Num) else None

    def tag_constant(self, tag: str) -> str | None:
        """The string behind the tag, which may hold no variable.  Raises ScriptError."""
        value = self._tags.get(tag)
        return None if value is None else self._constant(value)

    # what follows them

    def text(self, index: int) -> Text:
        """The string at *index* of the row's positional arguments."""
        return self._text(self._positional[index])

    def texts(self, index: int) -> Texts:
        """The strings there."""
        return self._texts(self._positional[index])

    def is_given(self, index: int) -> bool:
        """Whether the argument, which may be left out, is there."""
        return self._positional[index] is not None

    def number(self, index: int) -> int:
        """The number there."""
        value = self._positional[index]
        if not isinstance(value, syntax.Num):
            raise TypeError(f"{self.row.name} has no number at {index}")
        return value.value

    def constant(self, index: int) -> str:
        """The string there, which may hold no variable.  Raises ScriptError."""
        return self._constant(self._positional[index])

    def constants(self, index: int) -> list[tuple[str, int]]:
        """(string as written, its offset) of each one there."""
        value = self._positional[index]
        if isinstance(value, syntax.Str):
            return [(value.value, value.at)]
        if isinstance(value, syntax.Strings):
            return [(item.value, item.at) for item in value.values]
        raise TypeError(f"{self.row.name} has no strings at {index}")

    def place(self, index: int) -> int:
        """The offset of the argument there."""
        value = self._positional[index]
        return self.at if value is None else value.at

    # what is inside

    def checks(self) -> list[Check]:
        """The tests that follow, compiled."""
        return [self.compiler.test(inner) for inner in self.node.tests]

    def block(self) -> Step:
        """The block, compiled."""
        if not isinstance(self.node, syntax.Command) or self.node.block is None:
            raise TypeError(f"{self.row.name} has no block")
        return self.compiler.block(self.node.block)

    # reading

    def _read(self) -> None:
        given = list(self.node.arguments)
        positional: list[syntax.Str | syntax.Strings | syntax.Num] = []
        while given:
            argument = given.pop(0)
            if not isinstance(argument, syntax.Tag):
                positional.append(argument)
                continue
            if positional:
                raise self.error(
                    f":{argument.name} must stand before the other arguments", argument.at
                )
            self._take(argument, given)
        self._place(positional)

    def _take(self, tag: syntax.Tag, rest: list[syntax.Argument]) -> None:
        row = find_tag(tag.name, self.row)
        if row is None:
            raise self.error(f'"{self.row.name}" has no tag :{tag.name}', tag.at)
        self.compiler.need(row.capability, f":{tag.name}", tag.at)
        other = self.tag(row.group) if row.group else ""
        if tag.name in self._tags or other:
            clash = f":{other} and :{tag.name}" if other != tag.name else f":{tag.name} twice"
            raise self.error(f'"{self.row.name}" cannot have {clash}', tag.at)
        value: _Value = None
        if row.value is not None:
            following = rest.pop(0) if rest else None
            if (
                following is None
                or isinstance(following, syntax.Tag)
                or not _fits(following, row.value)
            ):
                at = tag.at if following is None else following.at
                raise self.error(f":{tag.name} must be followed by {row.value.value}", at)
            value = following
        self._tags[tag.name] = value

    def _place(self, given: list[syntax.Str | syntax.Strings | syntax.Num]) -> None:
        row = self.row
        wanted, least = len(row.positional), len(row.positional) - (row.optional >= 0)
        if len(given) > wanted:
            raise self.error(
                f'"{row.name}" has {_count(wanted)}, not {len(given)}', given[wanted].at
            )
        if len(given) < least:
            missing = row.positional[len(given) + (row.optional == 0)]
            raise self.error(f'"{row.name}" lacks an argument: {missing.value}')
        self._positional = list(given)
        if len(given) < wanted:
            self._positional.insert(row.optional, None)
        for value, kind in zip(self._positional, row.positional, strict=True):
            if value is not None and not _fits(value, kind):
                raise self.error(f'"{row.name}" wants {kind.value} here', value.at)

    def _check_shape(self) -> None:
        row, tests = self.row, self.node.tests
        if row.tests == 0 and tests:
            raise self.error(f'"{row.name}" is followed by no test', tests[0].at)
        if row.tests == 1 and len(tests) != 1:
            raise self.error(f'"{row.name}" must be followed by one test')
        if row.tests < 0 and not tests:
            raise self.error(f'"{row.name}" must be followed by tests in parentheses')
        if isinstance(self.node, syntax.Command):
            if row.has_block and self.node.block is None:
                raise self.error(f'"{row.name}" must be followed by a block in {{ }}')
            if not row.has_block and self.node.block is not None:
                raise self.error(f'"{row.name}" must be followed by ";", not by a block')

    def _text(self, value: _Value) -> Text:
        if not isinstance(value, syntax.Str):
            raise TypeError(f"{self.row.name} has no string there")
        return self.compiler.text(value)

    def _texts(self, value: _Value) -> Texts:
        if isinstance(value, syntax.Str):
            return Texts((self.compiler.text(value),))
        if isinstance(value, syntax.Strings):
            return Texts(tuple(self.compiler.text(item) for item in value.values))
        raise TypeError(f"{self.row.name} has no strings there")

    def _constant(self, value: _Value) -> str:
        text = self._text(value)
        if not isinstance(text, str):
            at = self.at if value is None else value.at
            raise self.error("no variable can stand here", at)
        return text


def _fits(value: syntax.Argument, kind: Kind) -> bool:
    if kind is Kind.NUMBER:
        return isinstance(value, syntax.Num)
    if kind is Kind.STRING:
        return isinstance(value, syntax.Str)
    return isinstance(value, syntax.Str | syntax.Strings)


def _count(number: int) -> str:
    if number == 0:
        return "no arguments beside its tags"
    return "one argument" if number == 1 else f"{number} arguments"
