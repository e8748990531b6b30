"""What senders hear of a message at once, if they asked to: it was delivered, passed on, or handed to several.

Spec: RFC 3461 §5.2.2, §5.2.3, §5.2.7.2, §5.2.7.3 (a).  Status: complete.

Recipients elsewhere whom the client named itself are told of when their mail has left.
"""

from collections.abc import Iterable

from mailserver.mta.notice import Kind, Recipient, is_wanted
from mailserver.mta.route import Route
from mailserver.smtp.events import Recipient as Said

News = tuple[Kind, list[Recipient]]  #: a kind of notice, and of whom it tells


def news(recipients: Iterable[tuple[Said, Route]], now: int) -> list[News]:
    """What there is to tell of *recipients*, all of which are taken at *now*, UTC epoch seconds."""
    found: dict[Kind, list[Recipient]] = {}
    for said, route in recipients:
        kind = _kind(route)
        if kind is not None and is_wanted(kind, said.notify):
            one = Recipient(
                str(said.address), said.original, said.notify, "2.1.5", 250, _TEXT[kind], at=now
            )
            found.setdefault(kind, []).append(one)
    return list(found.items())


_TEXT = {
    Kind.DELIVERED: "Delivered",
    Kind.RELAYED: "Passed on to another server",
    Kind.EXPANDED: "Passed on to several recipients",
}


def _kind(route: Route) -> Kind | None:
    """What has become of mail on *route* once it is committed; None: its time is yet to come."""
    if not route.remotes:
        return Kind.DELIVERED
    if all(remote.forwarder is None for remote in route.remotes):
        return None
    alone = len(route.targets) + len(route.remotes) == 1
    return Kind.RELAYED if alone else Kind.EXPANDED
