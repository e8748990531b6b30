"""From octets to commands: a word, then strings and numbers; strings may be literals that hold whole scripts.

Spec: RFC 5804 §1.2, §1.6, §4.  Status: complete.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

#: a string or a number that a client sent
Argument: TypeAlias = bytes | int

LINE = 8_192  #: octets of a command without its literals
QUOTED = 1_024  #: octets of a quoted string (RFC 5804 §4)
ARGUMENTS = 10
#: octets of a literal that is read only to be forgotten, so that the connection may go on
FORGOTTEN = 67_108_864

_TOKEN = re.compile(
    rb'(?P<word>[A-Za-z]+)|(?P<number>[0-9]{1,10})|"(?P<quoted>(?:[^"\\\r\n\0]|\\["\\])*)"'
    rb"|\{(?P<size>[0-9]{1,10})\+?\}\r\n",
)
_ESCAPED = re.compile(rb"\\(.)")
_GO_ON, _WAIT = object(), object()


@dataclass(frozen=True, slots=True)
class Command:
    """name: in capitals; "" for a string that answers a challenge."""

    name: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What cannot be read.  is_fatal: nor can what follows.  is_size: it is a script that is too large."""

    text: str
    is_fatal: bool = False
    is_size: bool = False


class Framer:
    """Takes octets as they come, gives commands.  literal: octets that a literal may have; changes with log-in."""

    __slots__ = ("_arguments", "_buffer", "_line", "_skip", "_too_large", "_word", "literal")

    def __init__(self, literal: int) -> None:
        self.literal = literal
        self._buffer = bytearray()
        self._begin()
        self._skip = 0

    def feed(self, data: bytes) -> None:
        """More of what the client sends."""
        self._buffer += data

    @property
    def held(self) -> int:
        """Octets of input that wait."""
        return len(self._buffer) + sum(len(a) for a in self._arguments if isinstance(a, bytes))

    def clear(self) -> None:
        """Forget all that has come (RFC 5804 §2.2: after STARTTLS)."""
        self._buffer.clear()
        self._begin()

    def next(self) -> Command | Refusal | None:
        """The next command, or what is wrong with it; None: more is needed."""
        while True:
            if self._skip:
                dropped = min(self._skip, len(self._buffer))
                del self._buffer[:dropped]
                self._skip -= dropped
                if self._skip:
                    return None
            end = self._buffer.find(b"\n") + 1
            if self._line + (end or len(self._buffer)) > LINE:
                return Refusal("the line is too long", is_fatal=True)
            if not end:
                return None
            found = self._read(bytes(self._buffer[:end]))
            if found is _WAIT:
                return None
            if isinstance(found, Command | Refusal):
                return found

    def _begin(self) -> None:
        self._word: str | None = None
        self._arguments: list[Argument] = []
        self._line = 0
        self._too_large = False

    def _read(self, line: bytes) -> "Command | Refusal | object":
        """What *line* completes, or _GO_ON where it was taken and does not; _WAIT: its literal has not come in full."""
        at, word = 0, self._word
        arguments: list[Argument] = []
        while True:
            while line[at : at + 1] == b" ":
                at += 1
            if line[at:] in (b"\r\n", b"\n"):
                return self._complete(len(line), word, arguments)
            m = _TOKEN.match(line, at)
            if m is None or len(self._arguments) + len(arguments) > ARGUMENTS:
                return self._wrong(len(line), "this cannot be read")
            at = m.end()
            if m["word"] is not None:
                if word is not None or arguments or self._arguments:
                    return self._wrong(len(line), "a word stands where a string should")
                word = m["word"].decode().upper()
            elif m["number"] is not None:
                arguments.append(int(m["number"]))
            elif m["quoted"] is not None:
                if len(m["quoted"]) > QUOTED:
                    return self._wrong(len(line), f"a quoted string may have {QUOTED} octets")
                arguments.append(_ESCAPED.sub(rb"\1", m["quoted"]))
            else:
                return self._literal(len(line), int(m["size"]), word, arguments)

    def _complete(self, size: int, word: str | None, arguments: list[Argument]) -> object:
        del self._buffer[:size]
        is_too_large, given = self._too_large, (*self._arguments, *arguments)
        self._begin()
        if is_too_large:
            return Refusal("the script is too large", is_size=True)
        if word is None and not given:
            return _GO_ON  # an empty line
        return Command(word or "", given)

    def _literal(
        self, size: int, octets: int, word: str | None, arguments: list[Argument]
    ) -> object:
        if octets > FORGOTTEN:
            return Refusal("the literal is too large", is_fatal=True)
        if octets > self.literal:
            self._too_large = True
            self._skip = octets
            del self._buffer[:size]
        elif len(self._buffer) < size + octets:
            return _WAIT
        else:
            arguments.append(bytes(self._buffer[size : size + octets]))
            del self._buffer[: size + octets]
        self._word = word
        self._arguments += arguments
        self._line += size
        return _GO_ON

    def _wrong(self, size: int, text: str) -> Refusal:
        del self._buffer[:size]
        self._begin()
        return Refusal(text)
