"""Reads the arguments of one IMAP command, whose literals stand in the line itself.

Spec: RFC 3501 §9; RFC 7888 §8 (non-synchronising literals).  Status: complete.
Client: people and clients that know UTF-8 put it into quoted strings and mailbox names; it is read as such.
"""

import datetime as dt
import re
from collections.abc import Callable
from typing import Final, Self, TypeVar

from mailserver.base.errors import PeerError
from mailserver.base.limits import ImapLimits
from mailserver.base.numset import STAR, NumSet
from mailserver.imap import names
from mailserver.imap.errors import UidRequired

T = TypeVar("T")

_ATOM: Final = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_ASTRING: Final = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
_LIST: Final = re.compile(rb"[^\x00-\x20\x7f(){\"\\]+")  # 8-bit octets: clients that know UTF-8
_MAILBOX: Final = re.compile(rb"[^\x00-\x20\x7f(){%*\"\\]+")  # the same tolerance
_TAG: Final = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]+")
_QUOTED: Final = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*)"')
_LITERAL: Final = re.compile(rb"\{([0-9]{1,10})\+?\}\r?\n")
_ANNOUNCED: Final = re.compile(rb"\{([0-9]{1,20})(\+?)\}\Z")
_NUMBER: Final = re.compile(rb"[0-9]{1,20}")
_SET: Final = re.compile(rb"[0-9*][0-9*:,]*")
_RANGE: Final = re.compile(rb"(?:([1-9][0-9]{0,9})|\*)(?::(?:([1-9][0-9]{0,9})|\*))?")
_FLAG: Final = re.compile(rb"\\?[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_DATE: Final = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME: Final = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_MONTHS: Final = {
    m: n
    for n, m in enumerate(
        (
            b"jan",
            b"feb",
            b"mar",
            b"apr",
            b"may",
            b"jun",
            b"jul",
            b"aug",
            b"sep",
            b"oct",
            b"nov",
            b"dec",
        ),
        1,
    )
}
_NUMBER_MAX: Final = 0xFFFF_FFFF


class Parser:
    """A cursor over one command.  A method consumes what it returns, or raises PeerError.

    line:   the whole command without its final CRLF; a literal is `{n}` CRLF and its n octets, in place.
    at:     where the next method reads; a command's own grammar starts right behind its name.
    is_uid: the command came as "UID name", so that its numbers are UIDs.
    is_utf8: the client has enabled names of mailboxes in UTF-8.
    is_uid_only: it has given up message numbers (RFC 9586 §3).
    has_numbers: message numbers were read.
    written: the mailbox name that was read last, as it came.
    """

    __slots__ = (
        "_depth",
        "at",
        "has_numbers",
        "is_uid",
        "is_uid_only",
        "is_utf8",
        "limits",
        "line",
        "written",
    )

    def __init__(
        self,
        line: bytes,
        limits: ImapLimits,
        *,
        at: int = 0,
        is_uid: bool = False,
        is_utf8: bool = False,
        is_uid_only: bool = False,
    ) -> None:
        self.line, self.limits, self.at, self.is_uid = line, limits, at, is_uid
        self.is_utf8, self.is_uid_only = is_utf8, is_uid_only
        self.has_numbers = False
        self.written = b""
        self._depth = 0

    # the cursor

    def take(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        """Consume *pattern*; *what* names the grammar rule for the error text."""
        m = pattern.match(self.line, self.at)
        if m is None:
            raise self.error(f"expected {what}")
        self.at = m.end()
        return m.group()

    def error(self, problem: str) -> PeerError:
        """The error to raise for *problem* at the cursor."""
        return PeerError(f"{problem} at column {self.at}")

    def sp(self) -> Self:
        """SP, exactly one (RFC 3501 §9, note 2)."""
        return self.expect(b" ", "space")

    def end(self) -> None:
        """Nothing may be left."""
        if self.at != len(self.line):
            raise self.error("unexpected arguments")

    def at_end(self) -> bool:
        """Nothing is left."""
        return self.at == len(self.line)

    def peek(self, token: bytes) -> bool:
        """The next octets are *token*; nothing is consumed.  *token* is upper case, the input may be either."""
        return self.line[self.at : self.at + len(token)].upper() == token

    def accept(self, token: bytes) -> bool:
        """Consume *token*, in any case, if it comes next; whether it did."""
        if self.peek(token):
            self.at += len(token)
            return True
        return False

    def expect(self, token: bytes, what: str = "") -> Self:
        """Consume *token*, in any case."""
        if not self.accept(token):
            raise self.error(f"expected {what or token.decode('ascii')}")
        return self

    def tokens(self, item: "Callable[[Parser], T]") -> list[T]:
        """item *(SP item), at least one."""
        out = [item(self)]
        while self.accept(b" "):
            out.append(item(self))
        return out

    def group(self, item: "Callable[[Parser], T]", *, empty: bool = False) -> list[T]:
        """ "(" item *(SP item) ")"; *empty* allows "()".  Nesting is bounded, also through *item*."""
        self.open()
        if empty and self.accept(b")"):
            self._depth -= 1
            return []
        out = self.tokens(item)
        self.close()
        return out

    def open(self) -> None:
        """ "(", bounded in depth; `close` is its other half."""
        self.expect(b"(")
        self._depth += 1
        if self._depth > self.limits.nesting:
            raise self.error("too many parentheses inside each other")

    def close(self) -> None:
        """ ")" of the last `open`."""
        self.expect(b")")
        self._depth -= 1

    # words and strings

    def tag(self) -> bytes:
        """Tag (RFC 3501 §9)."""
        return self.take(_TAG, "tag")

    def atom(self) -> str:
        """Atom, as written (RFC 3501 §4.1)."""
        return self.take(_ATOM, "atom").decode("ascii")

    def word(self) -> str:
        """Atom in upper case, for names of commands, items and keys."""
        return self.atom().upper()

    def astring(self) -> bytes:
        """Astring (RFC 3501 §9)."""
        if self.peek(b'"') or self.peek(b"{"):
            return self.string()
        return self.take(_ASTRING, "astring")

    def string(self) -> bytes:
        """A quoted string or literal (RFC 3501 §4.3).

        Octets above 127 are let through in quoted strings: people write UTF-8 where RFC 9051 §4.3 allows it.
        """
        if self.peek(b"{"):
            at, data = self.at, self._literal()
            if b"\0" in data:
                self.at = at
                raise self.error("NUL in literal")
            return data
        m = _QUOTED.match(self.line, self.at)
        if m is None:
            raise self.error("expected string")
        self.at = m.end()
        data = m.group(1)
        if b"\\" in data:
            return re.sub(rb"\\(.)", rb"\1", data)
        return data

    def value(self) -> bytes | None:
        """Nstring or literal8, which may hold NUL (RFC 5464 §5; RFC 4466 §4)."""
        if self.accept(b"~"):
            return self._literal()
        return self.nstring()

    def _literal(self) -> bytes:
        m = _LITERAL.match(self.line, self.at)
        if m is None:
            raise self.error("expected literal")
        end = m.end() + int(m.group(1))
        if end > len(self.line):
            raise self.error("literal is cut short")
        self.at = end
        return self.line[m.end() : end]

    def announcement(self) -> tuple[int, bool]:
        """(size, whether the client waits) of a literal whose octets are still to come; nothing may be left."""
        m = _ANNOUNCED.match(self.line, self.at)
        if m is None:
            raise self.error("expected literal")
        self.at = m.end()
        return int(m.group(1)), not m.group(2)

    def nstring(self) -> bytes | None:
        """Nstring: None for NIL (RFC 3501 §4.5)."""
        if self.accept(b"NIL"):
            return None
        return self.string()

    # numbers

    def number(self) -> int:
        """Number, below 2^32 (RFC 3501 §9)."""
        n = int(self.take(_NUMBER, "number"))
        if n > _NUMBER_MAX:
            raise self.error("number above 4294967295")
        return n

    def nz_number(self) -> int:
        """nz-number: from 1, without leading zeros (RFC 3501 §9)."""
        if self.peek(b"0"):
            raise self.error("expected a number from 1")
        return self.number()

    def number64(self) -> int:
        """A number below 2^63: a modseq, an object's number (RFC 7162 §7, mod-sequence-valzer)."""
        n = int(self.take(_NUMBER, "number"))
        if n >> 63:
            raise self.error("number above 9223372036854775807")
        return n

    def numset(self, *, is_uid: bool | None = None) -> NumSet:
        """sequence-set; of UIDs if *is_uid* or, where that is None, if the command is a "UID" one (RFC 3501 §9).

        "$" stands for a whole one, never for a part of it (RFC 5182 §3).  Raises UidRequired.
        """
        is_uid = self.is_uid if is_uid is None else is_uid
        if self.accept(b"$"):
            return NumSet((), is_uid, is_saved=True)
        if not is_uid:
            if self.is_uid_only:
                raise UidRequired
            self.has_numbers = True
        ranges: list[tuple[int, int]] = []
        for part in self.take(_SET, "sequence-set").split(b","):
            m = _RANGE.fullmatch(part)
            if m is None:
                raise self.error("broken sequence-set")
            first = int(m.group(1)) if m.group(1) else STAR
            last = first if b":" not in part else int(m.group(2)) if m.group(2) else STAR
            if first > _NUMBER_MAX or last > _NUMBER_MAX:
                raise self.error("number above 4294967295 in a sequence-set")
            ranges.append((first, last))
            if len(ranges) > self.limits.set_ranges:
                raise self.error(f"more than {self.limits.set_ranges} ranges in a sequence-set")
        return NumSet(tuple(ranges), is_uid)

    # names

    def mailbox(self) -> str:
        """A mailbox name to look up, as the store keeps it (RFC 3501 §5.1; see `names.decode`)."""
        octets = self._mailbox()
        try:
            return names.decode(octets, is_utf8=self.is_utf8)
        except ValueError:
            raise self.error(f"mailbox name is not {self._encoding}") from None

    def new_mailbox(self) -> str:
        """A mailbox name to be created, strictly (see `names.decode_new`).  Raises Cannot."""
        octets = self._mailbox()
        try:
            return names.decode_new(octets, is_utf8=self.is_utf8)
        except ValueError:
            raise self.error(f"mailbox name is not {self._encoding}") from None

    def _mailbox(self) -> bytes:
        if self.peek(b'"') or self.peek(b"{"):
            self.written = self.string()
        else:
            self.written = self.take(_MAILBOX, "mailbox name")
        return self.written

    @property
    def _encoding(self) -> str:
        return "UTF-8" if self.is_utf8 else "modified UTF-7 or UTF-8"

    def list_mailbox(self) -> str:
        """list-mailbox: a pattern with "%" and "*" in a name, NFC (RFC 3501 §6.3.8)."""
        octets = (
            self.string() if self.peek(b'"') or self.peek(b"{") else self.take(_LIST, "pattern")
        )
        try:
            return names.decode_pattern(octets, is_utf8=self.is_utf8)
        except ValueError:
            raise self.error(f"mailbox pattern is not {self._encoding}") from None

    def flag(self) -> str:
        r"""One flag as written: "\Seen" or a keyword (RFC 3501 §2.3.2)."""
        return self.take(_FLAG, "flag").decode("ascii")

    def flag_list(self) -> list[str]:
        """flag-list, in parentheses, perhaps empty (RFC 3501 §9)."""
        return self.group(Parser.flag, empty=True)

    # dates

    def date(self) -> dt.date:
        """Date, quoted or not (RFC 3501 §9)."""
        m = _DATE.match(self.line, self.at)
        if m is None:
            raise self.error("expected date")
        day = self._day(m.group(2), m.group(3), m.group(4))
        self.at = m.end()
        return day

    def date_time(self) -> int:
        """date-time as seconds since 1970 (RFC 3501 §9)."""
        m = _DATE_TIME.match(self.line, self.at)
        if m is None:
            raise self.error("expected date-time")
        day = self._day(m.group(1), m.group(2), m.group(3))
        hour, minute, second = int(m.group(4)), int(m.group(5)), int(m.group(6))
        zone = dt.timedelta(hours=int(m.group(8)), minutes=int(m.group(9)))
        if hour > 23 or minute > 59 or second > 60 or zone >= dt.timedelta(days=1):
            raise self.error("no such time")
        try:
            moment = dt.datetime(
                day.year,
                day.month,
                day.day,
                hour,
                minute,
                min(second, 59),
                tzinfo=dt.timezone(-zone if m.group(7) == b"-" else zone),
            ).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            raise self.error("no such time") from None
        self.at = m.end()
        return int(moment.timestamp())

    def _day(self, day: bytes, month: bytes, year: bytes) -> dt.date:
        try:
            return dt.date(int(year), _MONTHS[month.lower()], int(day))
        except (KeyError, ValueError):
            raise self.error("no such day") from None
