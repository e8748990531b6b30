r"""Which names LIST and LSUB show, and with which attributes.

Spec: RFC 3501 §6.3.8, §6.3.9; RFC 9051 §6.3.9, §7.3.1; RFC 5258 §3; RFC 3348 §3; RFC 6154 §2.  Status: complete.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mailserver.imap.access import Visible
from mailserver.store.values import Mailbox


@dataclass(frozen=True, slots=True)
class Selection:
    """Selection options (RFC 5258 §3.1; RFC 6154 §2); there are no remote mailboxes, so REMOTE selects nothing."""

    subscribed: bool = False
    special_use: bool = False
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    r"""One LIST response.

    seen:        None: no such mailbox, or none that the user may look up.
    child_info:  a name below matches the selection (RFC 5258 §3.5).
    """

    name: str
    attributes: tuple[str, ...]
    seen: Visible | None
    child_info: bool = False


class Listing:
    r"""The names a user may look up, and his subscriptions, as of one moment.

    visible: all of them.      user: whose special uses count (RFC 6154 §2: somebody else's \Sent is not mine).
    """

    __slots__ = ("_existing", "_levels", "_parents", "_subscribed", "_user")

    def __init__(self, visible: Sequence[Visible], subscriptions: Iterable[str], user: int) -> None:
        self._existing = {seen.name: seen for seen in visible}
        self._parents = superiors(self._existing)
        self._levels = self._parents - self._existing.keys()
        self._subscribed = set(subscriptions)
        self._user = user

    def select(
        self,
        matches: Callable[[str], bool],
        selection: Selection = Selection(),
        *,
        level: Callable[[str], bool] | None = None,
        tell_subscribed: bool = False,
    ) -> Iterator[Entry]:
        r"""The entries, sorted by name.

        level:            which missing levels of hierarchy are shown as well (RFC 9051 §6.3.9).
        tell_subscribed:  \Subscribed is to be among the attributes.
        """
        subscribed = self._subscribed if selection.subscribed else set[str]()
        names = {*self._existing, *subscribed}
        above: set[str] = set()
        redundant: set[str] = (
            set()
        )  # names above whose matching inferiors are all listed themselves
        if selection.recursive:
            chosen = [name for name in names if self._meets(name, selection)]
            above = superiors(chosen)
            redundant = above - superiors(name for name in chosen if not matches(name))
        levels = set[str]()
        if level is not None and selection == Selection():
            levels = {name for name in self._levels if level(name)}
        for name in sorted(names | above | levels):
            if not matches(name):
                continue
            if not (
                self._meets(name, selection)
                or (name in above and name not in redundant)
                or name in levels
            ):
                continue
            attributes = self.attributes(name)
            if tell_subscribed and name in self._subscribed:
                attributes = (*attributes, "\\Subscribed")
            yield Entry(name, attributes, self._existing.get(name), name in above)

    def attributes(self, name: str) -> tuple[str, ...]:
        r"""What is told of *name* (RFC 9051 §7.3.1); \Noselect for old clients, where \NonExistent says it all."""
        has_children = name in self._parents
        seen = self._existing.get(name)
        if seen is None:
            return ("\\NonExistent", "\\HasChildren") if has_children else ("\\NonExistent",)
        out = ["\\HasChildren" if has_children else "\\HasNoChildren"]
        if not seen.mailbox.is_selectable:
            out.insert(0, "\\Noselect")
        if use := self._use(seen.mailbox):
            out.append(use)
        return tuple(out)

    def _meets(self, name: str, selection: Selection) -> bool:
        if selection.subscribed and name not in self._subscribed:
            return False
        if not selection.special_use:
            return True
        seen = self._existing.get(name)
        return seen is not None and bool(self._use(seen.mailbox))

    def _use(self, mailbox: Mailbox) -> str | None:
        return mailbox.special_use if mailbox.account == self._user else None


def subscribed(subscriptions: Sequence[str], matches: Callable[[str], bool]) -> Iterator[Entry]:
    r"""What LSUB shows: the names that match; in place of names below them, the \Noselect ones above that match.

    So `LSUB "" %` shows "a" where only "a/b" is subscribed (RFC 3501 §6.3.9).
    """
    names = set(subscriptions)
    hidden = superiors(name for name in names if not matches(name)) - names
    for name in sorted(names | hidden):
        if matches(name):
            yield Entry(name, () if name in names else ("\\Noselect",), None)


def superiors(names: Iterable[str]) -> set[str]:
    """All names above *names*."""
    out: set[str] = set()
    for name in names:
        above = name.rpartition("/")[0]
        while above and above not in out:
            out.add(above)
            above = above.rpartition("/")[0]
    return out
