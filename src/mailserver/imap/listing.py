r"""Which names LIST and LSUB show, and with which attributes.

Spec: RFC 3501 §6.3.8, §6.3.9; RFC 5258 §3; RFC 3348 §3; RFC 6154 §2.  Status: complete.
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
    r"""One LIST response.  child_info: a name below matches the selection (RFC 5258 §3.5)."""

    name: str
    attributes: tuple[str, ...]
    mailbox: Mailbox | None
    child_info: bool = False


def select(
    mailboxes: Sequence[Visible],
    subscriptions: Sequence[str],
    matches: Callable[[str], bool],
    selection: Selection,
    *,
    tell_subscribed: bool,
) -> Iterator[Entry]:
    r"""The entries, sorted by name.

    mailboxes: all that the user may look up.     tell_subscribed: \Subscribed is to be among the attributes.
    """
    existing = {seen.name: seen.mailbox for seen in mailboxes}
    parents = _superiors(existing)
    subscribed = set(subscriptions)

    def meets(name: str) -> bool:
        mailbox = existing.get(name)
        return (not selection.subscribed or name in subscribed) and (
            not selection.special_use or (mailbox is not None and bool(mailbox.special_use))
        )

    names = {*existing, *(subscribed if selection.subscribed else ())}
    above: set[str] = set()
    redundant: set[str] = set()  # names above whose matching inferiors are all listed themselves
    if selection.recursive:
        chosen = [name for name in names if meets(name)]
        above = _superiors(chosen)
        redundant = above - _superiors(name for name in chosen if not matches(name))
    for name in sorted(names | above):
        if not matches(name) or not (meets(name) or (name in above and name not in redundant)):
            continue
        mailbox = existing.get(name)
        attributes = _attributes(mailbox, has_children=name in parents)
        if tell_subscribed and name in subscribed:
            attributes = (*attributes, "\\Subscribed")
        yield Entry(name, attributes, mailbox, name in above)


def subscribed(subscriptions: Sequence[str], matches: Callable[[str], bool]) -> Iterator[Entry]:
    r"""What LSUB shows: the names that match; in place of names below them, the \Noselect ones above that match.

    So `LSUB "" %` shows "a" where only "a/b" is subscribed (RFC 3501 §6.3.9).
    """
    names = set(subscriptions)
    hidden = _superiors(name for name in names if not matches(name)) - names
    for name in sorted(names | hidden):
        if matches(name):
            yield Entry(name, () if name in names else ("\\Noselect",), None)


def _attributes(mailbox: Mailbox | None, *, has_children: bool) -> tuple[str, ...]:
    if mailbox is None:
        return ("\\NonExistent", "\\HasChildren") if has_children else ("\\NonExistent",)
    out = ["\\HasChildren" if has_children else "\\HasNoChildren"]
    if not mailbox.is_selectable:
        out.insert(0, "\\Noselect")
    if mailbox.special_use:
        out.append(mailbox.special_use)
    return tuple(out)


def _superiors(names: Iterable[str]) -> set[str]:
    """All names above *names*."""
    out: set[str] = set()
    for name in names:
        above = name.rpartition("/")[0]
        while above and above not in out:
            out.add(above)
            above = above.rpartition("/")[0]
    return out
