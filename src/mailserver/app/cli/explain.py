"""`mailserver explain ID|ADDRESS|MESSAGE-ID|QUEUE-ID`."""

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Command, limit_option, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from mailserver.store.trace_values import Trace
    from mailserver.store.tx import Read

EXAMPLES = """\
mailserver explain 4f0c9e2b7a6d1583                 the id in the 250 reply and in Received
mailserver explain alice@example.org --since 2d     mail from her and to her, newest first
mailserver explain '<abc@example.org>'              a Message-ID
mailserver explain 4711                             a message in the queue
mailserver explain 192.0.2.1 --limit 50             what this client tried
"""


class Since(click.ParamType[int]):
    """2h, 3d: seconds back from now; or a date."""

    name = "since"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Epoch seconds.  Raises click's usage error."""
        import time
        from datetime import UTC, datetime

        from mailserver.app.spans import parse_span

        text = str(value)
        with suppress(ValueError):
            return int(time.time()) - parse_span(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{text!r} is neither a span, as 2h or 3d, nor a date, as 2026-11-22", param, ctx
            )
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


@click.command(cls=Command, examples=EXAMPLES)
@click.argument("what")
@click.option("--since", type=Since(), help="Not what is older: 30m, 2h, 3d, 1w, or a date in UTC.")
@limit_option("How many at most, the newest.", 10, most=1_000)
@click.pass_obj
def command(caller: Caller, what: str, since: int | None, limit: int) -> None:
    """Say what became of a message, and why: who connected, what each check found, where it went.

    WHAT is the id in the reply and the Received field, a Message-ID, a number in the queue, an address of a sender,
    recipient or user, or a client's IP address.
    """
    from mailserver.app.answers import moment
    from mailserver.app.explaining import as_object, timeline, title
    from mailserver.app.sizes import show_size
    from mailserver.base.errors import NotFound

    data_dir, kept = (loaded := caller.load()).config.data_dir, loaded.config.limits.traces

    def job(tx: "Read") -> tuple[list[object], list[str]]:
        traces = _found(tx, data_dir, what, since or 0, limit)
        lines = []
        for trace in traces:
            lines.append(one_line(title(trace)))
            lines += [f"  {line.what:11} {one_line(line.text)}" for line in timeline(trace, tx)]
            lines.append("")
        return [as_object(trace, tx) for trace in traces], lines[:-1]

    with caller.store() as store:
        objects, lines = store.read_now(job)
    if not objects:
        since_when = f" since {moment(since)}" if since is not None else ""
        raise NotFound(
            f"nothing is known of {what}{since_when}; traces are kept for {kept.age_days:g} days and within"
            f" {show_size(kept.size)} (limits.traces), and are written a moment after the reply"
        )
    caller.answer(objects, lines)


def _found(tx: "Read", data_dir: "Path", what: str, since: int, limit: int) -> "list[Trace]":
    """The traces that *what* names in any of its spellings, newest first."""
    from mailserver.app.explaining import from_queue
    from mailserver.base.errors import NotFound
    from mailserver.base.ids import QueuedId
    from mailserver.store import traces

    bare = what.strip().removeprefix("<").removesuffix(">")
    names, waiting = [bare, f"<{bare}>"], []
    if bare.isdecimal() and len(bare) < 16:  # a transaction's id has 16 digits
        with suppress(NotFound):
            waiting = [tx.queue.show(QueuedId(int(bare)))]
    else:
        waiting = [tx.queue.show(message) for message in tx.queue.of_trace(bare.lower())]
    names += [shown.queued.trace for shown in waiting]
    found: dict[int, Trace] = {}
    for name in names:
        found |= dict(traces.find(data_dir, name, since_ms=since * 1000, limit=limit))
    if not found and waiting and waiting[0].queued.created_at >= since:
        return [from_queue(waiting[0])]
    return [found[number] for number in sorted(found, reverse=True)[:limit]]
