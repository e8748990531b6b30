"""The settings that a script was made from; none where somebody has edited it.

Spec: RFC 5228 §2.3.  Status: complete.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from mailserver.base.errors import Cannot
from mailserver.directory.filter_settings.as_sieve import HEAD, Part, part, write
from mailserver.directory.filter_settings.model import (
    AutoReply,
    Block,
    Condition,
    Forward,
    Rule,
    Settings,
)

_MARK = re.compile(r"\r\n# (block|auto-reply|forward|rule) (\{[^\r\n]*\})\r\n")
_REQUIRE = re.compile(r"\Arequire \[[^\r\n]*\];\r\n")


class EditedByHand(Cannot):
    """The script is no longer the one that was made; it stays as it is."""

    def __init__(self) -> None:
        super().__init__(
            "What the settings made was edited by hand, and is left alone.  It runs as it stands;"
            " 'mailserver filter show --sieve' shows it, 'mailserver filter reset' begins anew."
        )


def read(script: bytes) -> Settings:
    """The settings that `write` made *script* of.  Raises EditedByHand."""
    try:
        text = script.decode()
        if not text.startswith(HEAD):
            raise EditedByHand
        settings = _settings(_parts(_REQUIRE.sub("", text[len(HEAD) :], count=1)))
        if write(settings) == text:
            return settings
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass  # a mark that nobody wrote
    raise EditedByHand


def _parts(text: str) -> Iterator[Part]:
    """What the marks say, each followed by the commands that it means."""
    at = 0
    while at < len(text):
        m = _MARK.match(text, at)
        if m is None:
            raise EditedByHand
        value = _value(m[1], json.loads(m[2]))
        written = part(value, set())
        if not text.startswith(written, at):
            raise EditedByHand
        at += len(written)
        yield value


def _value(word: str, said: dict[str, Any]) -> Part:
    match word:
        case "block":
            return Block(**said)
        case "auto-reply":
            return AutoReply(**{**said, "aliases": tuple(said["aliases"])})
        case "forward":
            return Forward(**{**said, "to": tuple(said["to"])})
    conditions = tuple(Condition(**one) for one in said["conditions"])
    return Rule(**{**said, "conditions": conditions, "flags": tuple(said["flags"])})


def _settings(parts: Iterable[Part]) -> Settings:
    found = Settings()
    for one in parts:
        match one:
            case Block():
                found = replace(found, block=one)
            case AutoReply():
                found = replace(found, auto_reply=one)
            case Forward():
                found = replace(found, forward=one)
            case Rule():
                found = replace(found, rules=(*found.rules, one))
    return found
