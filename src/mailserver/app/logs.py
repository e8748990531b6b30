"""The log's rendering and its file: JSON lines for programs, one line for people, never a broken line.

Lines are rendered where they arise and written by a thread, some 20 ms later at most, so that a slow disk or a stopped
reader of the pipe holds up nobody.  If the output stands still, lines beyond BACKLOG are dropped and counted.
"""

import json
import logging
import os
import re
import select
import sys
import threading
import time
from collections import deque
from functools import lru_cache
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from mailserver.base.errors import MailError
from mailserver.base.log import FIELDS, Log

BACKLOG = 20_000  #: lines that wait for the output
PAUSE_S = 0.02  #: lines are collected this long, so that a busy server writes rarely
MOST = 100  #: elements of a list
TEXT_SIZE = 2_000  #: characters of one value
CLOSE_S = 2.0  #: at the end, for the lines that wait
STDERR = 2
_LEVELS = {level: logging.getLevelName(level).lower() for level in (10, 20, 30, 40)}

_RESERVED = frozenset({"time", "level", "logger", "pid", "event"})  #: no field stands in for these
_NEEDS_QUOTES = re.compile(r'[ "=\\]').search
_encode = json.JSONEncoder(default=str).encode  # ASCII only
_quoted = json.encoder.encode_basestring_ascii


class Line(NamedTuple):
    """What a line says.  at: UTC epoch seconds; traceback: "" if there is none."""

    at: float
    level: str
    name: str  # of the logger, without "mailserver."
    event: str
    fields: dict[str, Any]
    traceback: str = ""


def line_of(record: logging.LogRecord) -> Line:
    """What a record of `logging` says."""
    return Line(
        record.created,
        record.levelname.lower(),
        record.name.removeprefix("mailserver."),
        record.getMessage(),
        getattr(record, FIELDS, {}),
        traceback_of(record),
    )


def render_json(line: Line) -> str:
    """One JSON object in ASCII: whatever a peer sent, it can neither end the line nor reach a terminal."""
    what = _what(line.level, line.name, _process.pid, line.event)
    parts = [f'{{"time": "{timestamp(line.at)}", {what}']
    for name, value in line.fields.items():
        if type(value) is str and len(value) <= TEXT_SIZE and name not in _RESERVED:
            parts.append(_key(name) + _quoted(value))
        elif value is not None and name not in _RESERVED:
            parts.append(_key(name) + _json(value))
    if line.traceback:
        parts.append(f'"traceback": {_quoted(line.traceback)}')
    return ", ".join(parts) + "}"


def render_console(line: Line) -> str:
    """`10:00:00.123 info    smtp     k3v9 message accepted  size=812 peer=192.0.2.1`."""
    fields = dict(line.fields)
    clock = timestamp(line.at)[11:23]
    session = fields.pop("session", None)
    parts = [f"{clock} {line.level:7} {line.name:8}"]
    if session is not None:
        parts.append(_word(session))
    parts.append(_visible(_short(line.event)))
    parts += [f"{key}={_word(value)}" for key, value in fields.items() if value is not None]
    text = " ".join(parts)
    if line.traceback:
        indented = (f"    | {_visible(text)}" for text in line.traceback.splitlines())
        return "\n".join((text, *indented))
    return text


RENDERERS = {"json": render_json, "console": render_console}


class _Process:
    """Its number, which the kernel need not be asked for with each line."""

    def __init__(self) -> None:
        self.look()
        os.register_at_fork(after_in_child=self.look)

    def look(self) -> None:
        """It may be another one now."""
        self.pid = os.getpid()


_process = _Process()


def timestamp(seconds: float) -> str:
    """Epoch seconds -> "2026-11-22T10:00:00.123Z"."""
    whole = int(seconds)
    return f"{_clock(whole)}.{int((seconds - whole) * 1000):03}Z"


@lru_cache(maxsize=4)
def _clock(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def traceback_of(record: logging.LogRecord) -> str:
    """The traceback that came with *record*; "" if none did."""
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return logging.Formatter().formatException(record.exc_info)


def _short(text: str) -> str:
    return text if len(text) <= TEXT_SIZE else f"{text[:TEXT_SIZE]}... ({len(text)} characters)"


@lru_cache(maxsize=256)
def _what(level: str, name: str, pid: int, event: str) -> str:
    """What a line is about; there are few such things, and each is logged very many times."""
    return (
        f'"level": "{level}", "logger": {_quoted(name)}, "pid": {pid},'
        f' "event": {_quoted(_short(event))}'
    )


@lru_cache(maxsize=1_000)
def _key(name: str) -> str:
    """How a field begins; there are few names, and each is on very many lines."""
    return f"{_quoted(name)}: "


def _json(value: Any) -> str:
    """*value* in JSON; the kinds that nearly all values are of without a detour."""
    kind = type(value)
    if kind is str:
        return _quoted(value if len(value) <= TEXT_SIZE else _short(value))
    if kind is int:
        return str(value)
    if kind is list and len(value) <= MOST:
        return f"[{', '.join(map(_json, value))}]"
    if kind is float and isfinite(value):
        return repr(value)
    return _encode(_plain(value))


def _plain(value: Any) -> Any:
    """*value* as JSON has it; octets as text with what is not ASCII escaped."""
    if isinstance(value, str):
        return _short(value)
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, bytes):
        return _short(value.decode("ascii", "backslashreplace"))
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in list(value)[:MOST]]
    return _short(str(value))


def _visible(text: str) -> str:
    """*text* with what a terminal would obey escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _word(value: Any) -> str:
    """*value* in the console format: bare, or quoted when it has spaces or the like."""
    value = _plain(value)
    if isinstance(value, str) and value.isprintable() and value and not _NEEDS_QUOTES(value):
        return value
    return _encode(value)


class Output(logging.Handler):
    """Writes lines to standard error or a file; `start` moves the writing to a thread.

    Until then lines are written at once, as long as the output takes them: a process that is going to fork has no
    threads.
    """

    def __init__(self, path: Path | None, form: str = "json") -> None:
        """Raises MailError when the file cannot be opened."""
        super().__init__()
        self._render = RENDERERS[form]
        self._path = path
        self._fd = STDERR if path is None else _open(path)
        self._fresh: deque[int] = deque()  # files to go on in, opened by who asked for it
        self._lines: deque[str] = deque()
        self._wake = threading.Event()
        self._io = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ending = False
        self.lost = 0  # lines that were dropped since the last that was written

    def emit(self, record: logging.LogRecord) -> None:
        """Keep or write the line of *record*; never raises."""
        try:
            line = self._render(line_of(record))
        except Exception as error:
            line = self._unreadable(error)
        self._keep(line)

    def take(self, name: str, level: int, event: str, fields: dict[str, Any]) -> None:
        """The same for a line that is no record yet (`Log.take`)."""
        try:
            level_name = _LEVELS.get(level, "")
            name = name.removeprefix("mailserver.")
            line = self._render(Line(time.time(), level_name, name, event, fields))
        except Exception as error:
            line = self._unreadable(error)
        self._keep(line)

    def _unreadable(self, error: Exception) -> str:
        """In place of a line with a value that cannot even be turned into text."""
        return self._notice("log line cannot be rendered", error=type(error).__name__)

    def _keep(self, line: str) -> None:
        if len(self._lines) >= BACKLOG:
            self.lost += 1
            return
        self._lines.append(line)
        if self._thread is None:
            self._write()
        elif not self._wake.is_set():
            self._wake.set()

    def start(self) -> None:
        """From now on a thread writes."""
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def reopen(self) -> None:
        """Go on in a new file of the same name: the old one was renamed (log rotation).  Raises MailError."""
        if self._path is not None:
            fresh = _open(self._path)
            self._fresh.append(fresh)
            if self._thread is None:
                self._write()
            else:
                self._wake.set()

    def close(self) -> None:
        """Write what waits, give the file back; who does not take it within CLOSE_S does without."""
        self._ending = True
        if Log.take == self.take:
            Log.take = None
        if self._thread is not None:
            self._wake.set()
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():  # the output stands still, and the end must not
                super().close()
                return
            self._thread = None
        self._write()
        with self._io:
            if self._path is not None and self._fd != STDERR:
                os.close(self._fd)
                self._fd = STDERR
        super().close()

    def _notice(self, event: str, **fields: Any) -> str:
        """A line about the log itself."""
        return self._render(Line(time.time(), "warning", "log", event, fields))

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait()
            if not self._ending:
                time.sleep(PAUSE_S)
            self._wake.clear()
            self._write()

    def _write(self) -> None:
        with self._io:
            while self._fresh:
                os.close(self._fd)
                self._fd = self._fresh.popleft()
            count = len(self._lines)
            if not count or (self._thread is None and not self._is_ready()):
                return
            lines = [self._lines.popleft() for _ in range(count)]
            if self.lost:
                lines.append(self._notice("log lines lost", count=self.lost))
                self.lost = 0
            data = memoryview("".join(f"{line}\n" for line in lines).encode())
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:  # a full disk, or nobody reads the pipe: mail matters more
                self.lost += count

    def _is_ready(self) -> bool:
        """The output takes a line without waiting; asked where there is no thread that could wait."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(0))


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise MailError(f"log.file {path}: cannot be written: {error.strerror}") from error


def set_up(level: str, form: str, path: Path | None) -> Output:
    """All loggers write to one Output from now on.  Raises MailError when the file cannot be opened."""
    output = Output(path, form)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(output)
    Log.take = output.take
    root.setLevel(logging.WARNING)  # what libraries say
    logging.getLogger("mailserver").setLevel(level)
    # what we never print need not be looked up for every line (the documentation of logging calls it an optimisation)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    setattr(logging, "_srcfile", None)  # noqa: B010  # typeshed has no name for it
    sys.excepthook = _unhandled if path is None else _unhandled_aloud
    threading.excepthook = lambda hook: _unhandled(
        hook.exc_type, hook.exc_value, hook.exc_traceback
    )
    return output


def _unhandled_aloud(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """For the log, and for who sits at the terminal."""
    _unhandled(kind, error, trace)
    sys.__excepthook__(kind, error, trace)


def _unhandled(kind: type[BaseException], error: BaseException | None, trace: Any) -> None:
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger("mailserver.app").error("bug", exc_info=(kind, error, trace))  # type: ignore[arg-type]
