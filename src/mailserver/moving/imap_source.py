r"""Mail from another IMAP server: its folders as mailboxes, its messages once each, over connections that may break.

Spec: RFC 3501 §2.3.1.1; RFC 6154 §2; RFC 2342 §5.  Status: complete.

Folders that only show what others hold (\All, \Flagged, \Important; Gmail has them) are left out unless they are named.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from mailserver.base.errors import Cannot, TryLater
from mailserver.moving.imap_client import Client, Facts, Folder, Login, Lost, Opened, Refused
from mailserver.moving.mail import Box, Mail, Unreadable
from mailserver.store import flags as bits
from mailserver.store.names import INBOX, canonical

T = TypeVar("T")

ROWS: Final = 100  #: messages that are asked for at a time
SIZE: Final = 4_194_304  #: octets of them in memory; a larger message comes a piece at a time
ATTEMPTS: Final = 8  #: connections in a row that bring nothing, before we give up for today
FIRST_WAIT_S: Final = 1.0  #: before the second of them; then twice as long each time
LONGEST_WAIT_S: Final = 60.0

_BITS: Final = {name.lower(): bit for bit, name in bits.NAMES.items()}
_USES: Final = {
    name.lower(): name for name in ("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash")
}
_VIRTUAL: Final = {"\\all", "\\flagged", "\\important"}
_NO_MAILBOX: Final = {"\\noselect", "\\nonexistent"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which folders, and what they are called here.  All by their names there.

    only: none but these, if there are any.     leave_out: not these, nor what is below them.
    renamed: name there -> name here.
    """

    only: frozenset[str] = frozenset()
    leave_out: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)


class ImapSource:
    """All that *login* has there.

    report: hears what happens.     wait: sleeps that many seconds.
    trouble: a line for each folder that could not be read.
    """

    def __init__(
        self,
        login: Login,
        choice: Choice,
        report: Callable[[str], None],
        *,
        connect: Callable[[Login], Client] = Client,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connects.  Raises Cannot when that will never do, TryLater when it does not do now."""
        self.name = f"imap://{login.user}@{login.host}:{login.port}"
        self.trouble: list[str] = []
        self._login, self._choice, self._report = login, choice, report
        self._connect, self._wait = connect, wait
        self._client: Client | None = None
        self._opened: Box | None = None
        self._failures = 0
        self._ask(lambda client: client.namespaces())

    def close(self) -> None:
        """Log out."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def boxes(self) -> Iterable[Box]:
        """INBOX first, then by name."""
        own, others = self._ask(lambda client: client.namespaces())
        subscribed = self._ask(lambda client: client.subscribed())
        found: list[tuple[str, Folder]] = []
        listed = self._ask(lambda client: client.folders())
        for folder in listed:
            if self._is_wanted(folder, others):
                found.append((self._name_here(folder, own), folder))
        missing = self._choice.only - {folder.name for folder in listed}
        if missing:
            raise Cannot(f"there is no folder {min(missing)!r} on {self._login.host}")
        for name, folder in sorted(found, key=lambda pair: (pair[0] != INBOX, pair[0])):
            try:
                status = self._ask(lambda client, f=folder: client.status(f.name))  # type: ignore[misc]  # bound now
            except Refused as error:
                self._trouble(folder.name, str(error))
                continue
            use = next((_USES[a] for a in sorted(folder.attributes) if a in _USES), None)
            yield Box(
                name,
                folder.name,
                status.uidvalidity,
                status.uidnext,
                use,
                folder.name in subscribed,
            )

    def mail(self, box: Box, done: set[int]) -> Iterator[Mail]:
        """UIDs ascending; a connection that breaks is made again, and goes on with the next one."""
        self._opened = None
        try:
            exists, uids = self._in(box, lambda client: _scan(client, box.folder))
        except Refused as error:
            self._trouble(box.folder, str(error))
            return
        todo = sorted(uids - done)
        if todo:
            self._report(f"{box.folder}: {exists} messages, {len(todo)} to bring")
        for start in range(0, len(todo), ROWS):
            part = todo[start : start + ROWS]
            try:
                facts = self._in(box, lambda client, p=part: client.facts(p))  # type: ignore[misc]  # bound now
            except Refused as error:
                self._trouble(box.folder, str(error))
                return
            for batch in _batches([uid for uid in part if uid in facts], facts):
                yield from self._fetched(box, batch, facts)

    # helpers

    def _is_wanted(self, folder: Folder, others: Sequence[str]) -> bool:
        name, only = folder.name, self._choice.only
        if folder.attributes & _NO_MAILBOX:
            return False
        if only:
            return name in only
        if any(name.startswith(prefix) for prefix in others):
            return False
        if any(
            name == out or name.startswith(out + folder.separator) for out in self._choice.leave_out
        ):
            return False
        if folder.attributes & _VIRTUAL:
            self._report(f"{name}: left out, it shows mail that is in other folders")
            return False
        return True

    def _name_here(self, folder: Folder, own: Sequence[str]) -> str:
        """Without the prefix of the user's own mailboxes, "/" between levels."""
        renamed = self._choice.renamed.get(folder.name)
        if renamed is not None:
            return canonical(renamed)
        name = folder.name
        for prefix in own:
            if prefix and name.startswith(prefix) and name != prefix.rstrip(folder.separator):
                name = name[len(prefix) :]
                break
        if folder.separator != "/":
            name = name.replace("/", "_")
            if folder.separator:
                name = name.replace(folder.separator, "/")
        return canonical(name)

    def _fetched(self, box: Box, uids: Sequence[int], facts: Mapping[int, Facts]) -> Iterator[Mail]:
        if len(uids) == 1 and facts[uids[0]].size > SIZE:
            (uid,) = uids
            yield _mail(box, uid, facts[uid], lambda: self._in_pieces(box, uid, facts[uid].size))
            return
        try:
            found = self._in(box, lambda client: client.octets(uids))
        except Refused as error:
            if len(uids) == 1:
                reason = str(error)
                yield _mail(box, uids[0], facts[uids[0]], lambda: _unreadable(reason))
                return
            for uid in uids:  # one of them is at fault
                yield from self._fetched(box, [uid], facts)
            return
        for uid in uids:
            data = found.get(uid)
            if data is not None:  # else it has gone meanwhile
                yield _mail(box, uid, facts[uid], lambda d=data: iter((d,)))  # type: ignore[misc]

    def _in_pieces(self, box: Box, uid: int, size: int) -> Iterator[bytes]:
        """A large message.  Raises Unreadable."""
        at = 0
        while at < size:
            try:
                data = self._in(box, lambda client, a=at: client.part(uid, a, SIZE))  # type: ignore[misc]  # bound now
            except Refused as error:
                raise Unreadable(str(error)) from error
            if not data:
                break
            at += len(data)
            yield data
        if not at:
            raise Unreadable("is empty")

    def _in(self, box: Box, act: Callable[[Client], T]) -> T:
        """What *act* gives while *box* is open.  Raises Refused, TryLater."""

        def job(client: Client) -> T:
            if self._opened != box:
                opened: Opened = client.open(box.folder)
                if opened.uidvalidity != box.uidvalidity:
                    raise Refused("its UIDs have changed meanwhile; run the command again")
                self._opened = box
            return act(client)

        return self._ask(job)

    def _ask(self, act: Callable[[Client], T]) -> T:
        """What *act* gives, over a new connection if the old one is gone.  Raises Refused, Cannot, TryLater."""
        while True:
            try:
                if self._client is None:
                    self._opened = None
                    self._client = self._connect(self._login)
                given = act(self._client)
            except Lost as error:
                self.close()
                self._failures += 1
                if self._failures >= ATTEMPTS:
                    raise TryLater(
                        f"{self._login.host}: {error}; what has come is here, run the command again to go on"
                    ) from error
                pause = min(FIRST_WAIT_S * 2 ** (self._failures - 1), LONGEST_WAIT_S)
                self._report(f"{self._login.host}: {error}; again in {pause:.0f} s")
                self._wait(pause)
            else:
                self._failures = 0
                return given

    def _trouble(self, folder: str, reason: str) -> None:
        line = f"{folder}: {reason}"
        self.trouble.append(line)
        self._report(f"left out: {line}")


def _scan(client: Client, folder: str) -> tuple[int, set[int]]:
    exists = client.open(folder).exists  # what is told from here on is told by these numbers
    return exists, client.uids(exists)


def _batches(uids: Sequence[int], facts: Mapping[int, Facts]) -> Iterator[list[int]]:
    """*uids* in parts that fit into memory together."""
    batch: list[int] = []
    size = 0
    for uid in uids:
        if batch and size + facts[uid].size > SIZE:
            yield batch
            batch, size = [], 0
        batch.append(uid)
        size += facts[uid].size
    if batch:
        yield batch


def _mail(box: Box, uid: int, facts: Facts, octets: Callable[[], Iterator[bytes]]) -> Mail:
    value = 0
    keywords: list[str] = []
    for flag in facts.flags:
        if flag.startswith("\\"):
            value |= _BITS.get(flag.lower(), 0)
        else:
            keywords.append(flag)
    label = f"{box.folder}, UID {uid}"
    return Mail(uid, label, value, tuple(keywords), facts.internal_at, uid, octets)


def _unreadable(reason: str) -> Iterator[bytes]:
    raise Unreadable(reason)
    yield
