"""INPROGRESS: how far a command that takes long has come.

A conversation makes a `Progress` and asks it between two slices of its work; what it gets is sent with what else there
is to send.

Spec: RFC 9585 §4.  Status: complete.
"""

from typing import Final

from mailserver.imap import response
from mailserver.imap.registry import State, announce
from mailserver.imap.response import Response
from mailserver.imap.session import Session

EVERY_S: Final = (
    10.0  #: between two of them, and before the first (RFC 9585 §4: every 10 to 15 seconds)
)

announce("INPROGRESS", State.ANY)


class Progress:
    """What one command has done so far.

    goal: how many things there are to do; None where nobody knows.
    """

    __slots__ = ("_goal", "_next_at", "_session")

    def __init__(self, session: Session, goal: int | None = None) -> None:
        self._session, self._goal = session, goal
        self._next_at = session.server.clock() + EVERY_S

    def due(self, done: int) -> list[Response]:
        """An untagged OK that says so if it is time for one, with *done* things done; otherwise nothing.

        The number only grows, and stays below the goal (RFC 9585 §4).
        """
        session = self._session
        now = session.server.clock()
        if now < self._next_at or (self._goal is not None and done >= self._goal):
            return []
        self._next_at = now + EVERY_S
        tag = session.tag.decode("ascii")
        said = (
            "NIL" if not tag or "]" in tag else f'"{tag}"'
        )  # a tag needs no escaping (RFC 3501 §9)
        goal = "NIL" if self._goal is None else str(self._goal)
        of = "" if self._goal is None else f" of {self._goal}"
        return [response.ok(f"INPROGRESS ({said} {done} {goal})", f"{done}{of} done.")]
