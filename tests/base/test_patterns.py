"""Our regular expressions mean the same in every Python that we run on."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]

import pytest

import mailserver

SINGLE = {op.IN, op.LITERAL, op.NOT_LITERAL, op.ANY, op.CATEGORY}


def patterns() -> Iterator[tuple[str, re.Pattern]]:
    """Every compiled pattern that a module of ours holds."""
    for module in pkgutil.walk_packages(mailserver.__path__, "mailserver."):
        if not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern):
                    yield f"{module.name}.{name}", value


def possessive_groups(node: object) -> Iterator[object]:
    """The possessive repeats in a parsed pattern whose body is more than one character class."""
    if isinstance(node, tuple) and node and node[0] is op.POSSESSIVE_REPEAT:
        body = list(node[1][2])
        if len(body) != 1 or body[0][0] not in SINGLE:
            yield node
    if isinstance(node, tuple | list | parser.SubPattern):
        for inner in node:
            yield from possessive_groups(inner)


@pytest.mark.parametrize(
    ("name", "pattern"), list(patterns()), ids=lambda v: v if isinstance(v, str) else ""
)
def test_no_group_is_repeated_possessively(name, pattern):
    """`(?:...)*+` forgets matches before Python 3.11.5, and Debian 12 has 3.11.2; `mime.patterns.many` does not."""
    assert list(possessive_groups(parser.parse(pattern.pattern, pattern.flags))) == []


def test_the_look_itself_sees_one():
    assert list(possessive_groups(parser.parse("x(?:ab?)*+y")))
    assert not list(possessive_groups(parser.parse("x(?>(?:ab?)*)[^a]*+y")))
