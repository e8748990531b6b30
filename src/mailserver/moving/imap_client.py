"""A connection to another IMAP server, as far as fetching whole mailboxes needs one.

Spec: RFC 3501 §6; RFC 2342 (namespaces); RFC 6154 §2 (special uses).  Status: complete; IMAPClient does the speaking.
"""

import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeVar

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from mailserver.base.errors import Cannot, MailError

T = TypeVar("T")
Tls = Literal["implicit", "starttls", "none"]

CONNECT_S: Final = 30.0
READ_S: Final = 300.0  #: some servers think long before they answer
SCANNED: Final = (
    500  #: messages whose UIDs are asked for at a time; each is named, and lines have bounds
)
LOST: Final = (IMAPClientAbortError, OSError, EOFError)


class Lost(MailError):
    """The connection is gone, or the server has no time; another attempt may do."""


class Refused(MailError):
    """The server said NO, and will again."""


class Login(NamedTuple):
    """Where, and as whom.  authorities: certificates to trust instead of the system's."""

    host: str
    port: int
    user: str
    password: str
    tls: Tls = "implicit"
    authorities: Path | None = None


class Folder(NamedTuple):
    """A mailbox there.  attributes: in lower case."""

    name: str
    separator: str
    attributes: frozenset[str]


class Opened(NamedTuple):
    """A mailbox that is selected."""

    exists: int
    uidvalidity: int
    uidnext: int


class Facts(NamedTuple):
    """What is known of a message beside its octets."""

    size: int
    flags: tuple[str, ...]
    internal_at: int


class Client:
    """One connection.  Every method raises Lost when it is gone, Refused for a NO, Cannot for what will never do."""

    def __init__(self, login: Login) -> None:
        context = ssl.create_default_context(cafile=login.authorities)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._client: Any = None
        try:
            self._client = IMAPClient(
                login.host,
                login.port,
                ssl=login.tls == "implicit",
                ssl_context=context,
                timeout=SocketTimeout(CONNECT_S, READ_S),
            )
            self._client.normalise_times = False
            if login.tls == "starttls":
                self._client.starttls(context)
            self._client.login(login.user, login.password)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise Cannot(
                f"{login.host}: its certificate proves nothing: {error.verify_message}"
            ) from error
        except ssl.SSLError as error:
            self.close()
            raise Cannot(f"{login.host}: no TLS: {error.reason or error}") from error
        except LoginError as error:
            self.close()
            raise Cannot(f"{login.host} refused the log-in: {_text(error)}") from error
        except LOST as error:
            self.close()
            raise Lost(f"{login.host}: {error or type(error).__name__}") from error
        except IMAPClientError as error:
            self.close()
            raise Cannot(f"{login.host}: {_text(error)}") from error

    def close(self) -> None:
        """Log out if that is still possible."""
        if self._client is not None:
            try:
                self._client.logout()
            except (IMAPClientError, OSError, EOFError):
                with suppress(OSError):
                    self._client.shutdown()
            self._client = None

    def folders(self) -> list[Folder]:
        """All that can be listed, in the user's own namespace; names without its prefix are the caller's business."""
        listed = self._ask(lambda client: client.list_folders())
        return [
            Folder(
                str(name),
                (separator or b"/").decode("ascii", "replace"),
                frozenset(a.decode("ascii", "replace").lower() for a in attributes),
            )
            for attributes, separator, name in listed
        ]

    def subscribed(self) -> set[str]:
        """Names; what cannot be told counts as nothing."""
        try:
            return {str(name) for _, _, name in self._ask(lambda c: c.list_sub_folders())}
        except Refused:
            return set()

    def namespaces(self) -> tuple[list[str], list[str]]:
        """Prefixes of the user's own mailboxes, and of those of others."""
        if not self._client.has_capability("NAMESPACE"):
            return [""], []
        try:
            found = self._ask(lambda client: client.namespace())
        except Refused:
            return [""], []
        own = [str(prefix) for prefix, _ in found.personal or ()]
        others = [str(p) for group in (found.other, found.shared) for p, _ in group or ()]
        return own or [""], [prefix for prefix in others if prefix]

    def status(self, folder: str) -> Opened:
        """What there is, without opening it."""
        wanted = ["MESSAGES", "UIDVALIDITY", "UIDNEXT"]
        found = self._ask(lambda client: client.folder_status(folder, wanted))
        return Opened(
            int(found.get(b"MESSAGES", 0)),
            int(found.get(b"UIDVALIDITY", 0)),
            int(found.get(b"UIDNEXT", 0)),
        )

    def open(self, folder: str) -> Opened:
        """Select it, read only: nothing there changes."""
        found = self._ask(lambda client: client.select_folder(folder, readonly=True))
        return Opened(
            int(found.get(b"EXISTS", 0)),
            int(found.get(b"UIDVALIDITY", 0)),
            int(found.get(b"UIDNEXT", 0)),
        )

    def uids(self, exists: int) -> set[int]:
        """The UIDs of the messages in the open mailbox.

        Asked for by number, in slices: no answer is long, however large the mailbox is.
        """
        found: set[int] = set()
        for first in range(1, exists + 1, SCANNED):
            numbers = list(range(first, min(first + SCANNED, exists + 1)))
            found |= self._ask(lambda client, n=numbers: _scan(client, n))  # type: ignore[misc]  # bound now
        return found

    def facts(self, uids: Sequence[int]) -> dict[int, Facts]:
        """Of those that are there."""
        items = ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]
        found = self._ask(lambda client: client.fetch(list(uids), items))
        return {
            int(uid): Facts(
                int(values.get(b"RFC822.SIZE", 0)),
                tuple(f.decode("ascii", "replace") for f in values.get(b"FLAGS", ())),
                _seconds(values.get(b"INTERNALDATE")),
            )
            for uid, values in found.items()
        }

    def octets(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Whole messages, of those that are there; nothing is marked as seen."""
        found = self._ask(lambda client: client.fetch(list(uids), ["BODY.PEEK[]"]))
        return {
            int(uid): bytes(values[b"BODY[]"])
            for uid, values in found.items()
            if values.get(b"BODY[]") is not None
        }

    def part(self, uid: int, offset: int, length: int) -> bytes:
        """Some octets of a large message; b"" behind its end."""
        item = f"BODY.PEEK[]<{offset}.{length}>"
        found = self._ask(lambda client: client.fetch([uid], [item]))
        return bytes(found.get(uid, {}).get(f"BODY[]<{offset}>".encode(), b"") or b"")

    def _ask(self, act: Callable[[Any], T]) -> T:
        if self._client is None:
            raise Lost("not connected")
        try:
            return act(self._client)
        except LOST as error:
            raise Lost(str(error) or type(error).__name__) from error
        except IMAPClientError as error:
            raise Refused(_text(error)) from error


def _scan(client: Any, numbers: list[int]) -> set[int]:
    client.use_uid = False
    try:
        found = client.fetch(numbers, ["UID"])
    finally:
        client.use_uid = True
    return {int(values[b"UID"]) for values in found.values() if b"UID" in values}


def _seconds(value: Any) -> int:
    return int(value.timestamp()) if isinstance(value, datetime) else 0


def _text(error: Exception) -> str:
    text = str(error)
    return text[2:-1] if text[:2] in ("b'", 'b"') else text
