"""What is wrong with a script, told so that its author can mend it.

Spec: RFC 5228 §2.10.6.  Status: complete.
"""

from typing import NamedTuple

from mailserver.base.errors import MailError


class Place(NamedTuple):
    """Where in a script: both count from 1, columns in characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class ScriptError(MailError):
    """The script does not compile.  script: the name of the included script it is in, "" for the main one."""

    def __init__(self, place: Place, text: str, script: str = "") -> None:
        self.place, self.text, self.script = place, text, script
        inside = f"in included script {script}, " if script else ""
        super().__init__(f"{inside}{place}: {text}")


class RunError(MailError):
    """The script cannot go on with this message: a bound was reached, or its actions contradict each other."""

    def __init__(self, text: str, line: int = 0) -> None:
        self.text, self.line = text, line
        super().__init__(f"line {line}: {text}" if line else text)
