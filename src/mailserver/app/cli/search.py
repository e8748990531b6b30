"""`mailserver search status|rebuild`."""

from typing import TYPE_CHECKING, Any

import click

from mailserver.app.command import Caller, Group

if TYPE_CHECKING:
    from mailserver.store.search_file import Status
    from mailserver.store.store import Store

EXAMPLES = """
mailserver search status
mailserver search status alice@example.org
mailserver search rebuild
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """The index that makes searches fast."""


@command.command(
    examples="mailserver search status\nmailserver search status alice@example.org --json"
)
@click.argument("address", required=False)
@click.pass_obj
def status(caller: Caller, address: str | None) -> None:
    """How much of all mail, or of the mail of ADDRESS, is in the index."""
    from mailserver.app.sizes import show_size

    with caller.store() as store:
        found = _status(store)
        row = _row(store, found, address)
    size = show_size(row["size"])
    lines = [f"{row['indexed']} of {row['messages']} messages are in the index, which takes {size}"]
    if row["partly"]:
        lines.append(
            f"of {row['partly']} only a part: these are read whenever they may match (--json lists them)"
        )
    caller.answer(row, lines)


@command.command(examples="mailserver search rebuild")
@click.pass_obj
def rebuild(caller: Caller) -> None:
    """Make the index anew, while the server runs or not; searches find the same meanwhile."""
    from mailserver.app.lock import running
    from mailserver.base.errors import MailError
    from mailserver.jobs.feeder import Feeder
    from mailserver.store.search_file import SearchFile
    from mailserver.store.sidefile import DAMAGED, PASSING

    loaded = caller.load()
    with caller.store() as store:
        is_served = running(loaded.config.data_dir / "run") is not None
        feeder = Feeder(
            store,
            loaded.config.limits.search,
            reads_attachments=loaded.config.search.attachments != "none",
        )
        try:
            SearchFile(store.path.parent).discard()
            while not is_served and feeder.some():
                pass
        except (*DAMAGED, *PASSING) as error:
            raise MailError(f"search.db: {error}") from error
        finally:
            feeder.close()
        row = _row(store, _status(store), None)
    text = (
        f"the server makes the index anew: {row['messages']} messages"
        if is_served
        else f"{row['indexed']} messages are in the index"
    )
    caller.answer({**row, "in_background": is_served}, text)


def _status(store: "Store") -> "Status":
    from mailserver.base.errors import MailError
    from mailserver.store.search_file import SearchFile
    from mailserver.store.sidefile import DAMAGED, PASSING

    file = SearchFile(store.path.parent)
    try:
        return file.status()
    except (*DAMAGED, *PASSING) as error:
        raise MailError(f"search.db: {error}") from error
    finally:
        file.close()


def _row(store: "Store", found: "Status", address: str | None) -> dict[str, Any]:
    """What --json says of the index.  Raises NotFound."""
    from mailserver.base.ids import MessageId
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.store.tx import Read

    def job(tx: Read) -> dict[str, Any]:
        mine = {accounts.at(tx, parse(address)).id} if address else set(tx.feeding.stands())
        messages = waiting = 0
        for account in mine:
            nothing = MessageId(account << 32)
            messages += tx.feeding.count_after(nothing)
            fed = found.fed.get(account)
            waiting += tx.feeding.count_after(fed.upto if fed else nothing)
        partly = {m: reason for m, reason in found.partly.items() if m >> 32 in mine}
        return {
            "messages": messages,
            "indexed": messages - waiting,
            "waiting": waiting,
            "partly": len(partly),
            "size": found.size,
            "read_when_searched": [{"message": m, "reason": r} for m, r in partly.items()],
        }

    return store.read_now(job)
