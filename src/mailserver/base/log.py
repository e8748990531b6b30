"""Structured logging: an event in words, its facts as fields, and one session id through all lines of a connection.

Never log a password, a credential's wire form or message content; the fields are for who, what, how much, why.
Rendering (JSON, console), files and levels are set up once in `app`; here is only what rooms call.
"""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

#: the attribute of a LogRecord that carries the fields
FIELDS = "mail_fields"

# commands set nothing up, and answer for themselves: without a handler `logging` would print bare events beside that
logging.getLogger("mailserver").addHandler(logging.NullHandler())


@lru_cache(maxsize=1_000)
def _logger(name: str) -> logging.Logger:
    """`logging` looks its loggers up under a lock, and each connection has a log."""
    return logging.getLogger(f"mailserver.{name}")


class Log:
    """A named logger whose lines all carry the same bound fields, e.g. `Log("smtp", session="k3v9")`.

    take: is given a line's logger, level, event and fields and does with it what the handlers of `logging` would,
    in a third of the time; None: they do it.
    """

    __slots__ = ("_bound", "_logger")

    take: ClassVar[Callable[[str, int, str, dict[str, Any]], None] | None] = None

    def __init__(self, name: str, **bound: Any) -> None:
        self._logger = _logger(name)
        self._bound = bound

    @property
    def name(self) -> str:
        """As it was given."""
        return self._logger.name.removeprefix("mailserver.")

    @property
    def bound(self) -> dict[str, Any]:
        """The fields on every line."""
        return self._bound

    def bind(self, **more: Any) -> "Log":
        """The same log with further fields on every line."""
        return Log(self.name, **self._bound, **more)

    def debug(self, event: str, **fields: Any) -> None:
        """For developers; off by default."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What an administrator wants to find later: log-ins, deliveries, refusals."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Somebody should look at this some day."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, *, error: BaseException | None = None, **fields: Any) -> None:
        """Somebody should look at this now; *error* adds its traceback."""
        self._log(logging.ERROR, event, fields, error)

    def _log(
        self, level: int, event: str, fields: dict[str, Any], error: BaseException | None = None
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        fields = {**self._bound, **fields}
        if Log.take is not None and error is None:
            Log.take(self._logger.name, level, event, fields)
        else:
            self._logger.log(level, event, extra={FIELDS: fields}, exc_info=error)
