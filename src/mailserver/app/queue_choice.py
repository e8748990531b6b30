"""Which mail of the queue a command is about: message ids and filters on the command line, as the store takes them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mailserver.app.command import Command

if TYPE_CHECKING:
    from mailserver.store.queue_filter import QueueFilter
    from mailserver.store.queue_holding import Acted
    from mailserver.store.store import Store
    from mailserver.store.tx import Read, Write

STATES = (
    "pending",
    "claimed",
    "deferred",
    "held",
    "delivered",
    "failed",
    "expired",
    "cancelled",
)


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time, as an option's value."""

    seconds: int


class SpanType(click.ParamType[Span]):
    """30m, 2h, 3d."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Span:
        """Raises click's usage error."""
        from mailserver.app.spans import parse_span

        try:
            return value if isinstance(value, Span) else Span(parse_span(str(value)))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was written on the command line.

    ids: numbers of messages, or ids of the transactions that brought them; () means all that the filters leave.
    """

    ids: tuple[str, ...]
    states: tuple[str, ...]
    sender: str | None
    recipient: str | None
    domain: str | None
    destination: str | None
    account: str | None
    older_than: Span | None
    is_all: bool

    @property
    def is_nothing(self) -> bool:
        """Neither messages nor a filter nor --all."""
        filters = (self.sender, self.recipient, self.domain, self.destination, self.account)
        return not (
            self.ids
            or self.states
            or self.is_all
            or self.older_than
            or any(value is not None for value in filters)
        )

    def filters(
        self, tx: "Read", now: int, states: tuple[str, ...] | None = None
    ) -> "list[QueueFilter]":
        """The same for the store, one filter for each message or one for all.

        states: those meant when --state does not say; None: the open ones.  Raises NotFound, Cannot.
        """
        from mailserver.directory import accounts
        from mailserver.directory.addresses import parse
        from mailserver.store.queue_filter import QueueFilter

        which = QueueFilter(
            sender="" if self.sender == "<>" else self.sender,
            recipient=self.recipient,
            domain=self.domain,
            destination=self.destination,
            account=accounts.at(tx, parse(self.account)).id if self.account is not None else None,
            before=now - self.older_than.seconds if self.older_than is not None else None,
        )
        if self.states or states is not None:
            which = which._replace(states=self.states or states or ())
        if not self.ids:
            return [which]
        return [which._replace(message=message) for id in self.ids for message in found(tx, id)]


class Choosing(Command):
    """A command whose function takes a Choice, named `choice`, made of [ID...] and the filters."""

    def __init__(self, *args: Any, all_means: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [
            click.Argument(["ids"], nargs=-1, metavar="[ID]..."),
            *_filters(all_means),
            *self.params,
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        ctx.params["choice"] = Choice(
            **{name: ctx.params.pop(name) for name in Choice.__dataclass_fields__}
        )
        return super().invoke(ctx)


def _filters(all_means: str) -> list[click.Parameter]:
    def text(name: str, metavar: str, help: str) -> click.Option:
        return click.Option([f"--{name}"], metavar=metavar, help=help)

    return [
        click.Option(
            ["--state", "states"],
            multiple=True,
            type=click.Choice(STATES),
            metavar="STATE",
            help=f"Only recipients in this state, one of {', '.join(STATES)}; may be given several times.",
        ),
        text("sender", "PATTERN", "Envelope sender; * stands for anything, <> for the null sender."),
        text("recipient", "PATTERN", "Recipient's address; * stands for anything."),
        text("domain", "PATTERN", "Recipient's domain; * stands for anything."),
        text(
            "destination",
            "NAME",
            "Next hop: a domain, [ADDRESS], smtp:HOST:PORT, lmtp:HOST:PORT or local.",
        ),
        text("account", "ADDRESS", "User who submitted it, or whose forward it is."),
        click.Option(
            ["--older-than"], type=SpanType(), metavar="SPAN", help="In the queue for longer: 30m, 2h, 3d."
        ),
        click.Option(["--all", "is_all"], is_flag=True, help=all_means),
    ]  # fmt: skip


def found(tx: "Read", id: str) -> "list[Any]":
    """The messages that *id* names: a number, or the id of a transaction.  Raises NotFound."""
    from mailserver.base.errors import NotFound
    from mailserver.base.ids import QueuedId

    messages = tx.queue.of_trace(id)
    if not messages and re.fullmatch(r"[0-9]{1,15}", id):
        messages = [tx.queue.show(QueuedId(int(id))).queued.id]
    if not messages:
        raise NotFound(f"No message {id} in the queue.")
    return messages


def act(
    store: "Store",
    choice: Choice,
    now: int,
    do: "Callable[[Write, QueueFilter, int], Acted]",
) -> int:
    """How many recipients *do* concerned, in slices.  Raises NotFound, Cannot."""
    number = 0
    for which in store.read_now(lambda tx: choice.filters(tx, now)):
        after: int | None = 0
        while after is not None:
            acted = store.write_now(lambda tx, w=which, a=after: do(tx, w, a))  # type: ignore[misc]
            number += acted.number
            after = acted.rest
    return number
