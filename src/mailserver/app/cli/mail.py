"""`mailserver mail export|import|fetch`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group, one_line

if TYPE_CHECKING:
    from mailserver.moving.imap_client import Tls
    from mailserver.moving.leaving import Format
    from mailserver.moving.mail import Source

EXAMPLES = """
mailserver mail export alice@example.org /backup/alice
mailserver mail import alice@example.org /backup/alice
mailserver mail import alice@example.org ~/Maildir
mailserver mail fetch alice@example.org imap.example.net --user alice --password-stdin < password
"""

LEFT_OUT = 3  #: exit status: it is done, but some messages were left out


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """A user's mail: out of here and into here, whole mailboxes at a time."""


def _say(line: str) -> None:
    click.echo(one_line(line), err=True)


def _end(failed: list[str]) -> None:
    """Exit with LEFT_OUT where something was."""
    if failed:
        click.get_current_context().exit(LEFT_OUT)


@command.command(
    examples="mailserver mail export alice@example.org /backup/alice\n"
    "mailserver mail export alice@example.org /backup/alice.mbox --format mbox"
)
@click.argument("address")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["maildir", "mbox"]),
    default="maildir",
    show_default=True,
    help="A file a message as Dovecot keeps them (Maildir++), or a file a mailbox.",
)
@click.pass_obj
def export(caller: Caller, address: str, folder: Path, kind: str) -> None:
    """Write all mail of ADDRESS below FOLDER, with flags, dates and UIDs.

    Works while the server runs.  Run again, it adds what is new; so does one that was interrupted.
    """
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.moving.leaving import Leaver

    at = parse(address)
    folder = folder.absolute()
    with caller.store() as store:
        account = store.read_now(lambda tx: accounts.at(tx, at))
        form: Format = "mbox" if kind == "mbox" else "maildir"
        result = Leaver(store, account, folder, form, _say).everything()
    caller.answer(
        {
            "mailboxes": result.mailboxes,
            "written": result.written,
            "known": result.known,
            "left_out": result.failed,
        },
        f"{result.written} messages of {at} written to {folder}, {result.known} were there,"
        f" {len(result.failed)} left out",
    )
    _end(result.failed)


@command.command(
    name="import",
    examples="mailserver mail import alice@example.org /backup/alice\n"
    "mailserver mail import alice@example.org ~alice/Maildir\n"
    "mailserver mail import alice@example.org ~alice/mail --format mbox",
)
@click.argument("address")
@click.argument("place", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["maildir", "mbox"]),
    help="What is there.  Default: what it looks like.",
)
@click.pass_obj
def import_(caller: Caller, address: str, place: Path, kind: str | None) -> None:
    """Bring the mail at PLACE into the mailboxes of ADDRESS, with flags, dates and, where they are free, UIDs.

    PLACE is a Maildir, an mbox file, a folder of those, or an export.  Works while the server runs.  Run again, it
    brings what is new; so does one that was interrupted.
    """
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.moving.taking import Taker

    at = parse(address)
    place = place.absolute()
    limits = caller.load().config.limits
    with caller.store() as store:
        account = store.read_now(lambda tx: accounts.at(tx, at))
        source = _source(place, kind)
        taker = Taker(store, account, _say, imap=limits.imap, mime=limits.mime)
        result = taker.everything(source)
    caller.answer(
        {
            "mailboxes": result.mailboxes,
            "taken": result.taken,
            "known": result.known,
            "left_out": result.failed,
        },
        f"{result.taken} messages from {place} brought to {at}, {result.known} were there,"
        f" {len(result.failed)} left out",
    )
    _end(result.failed)


def _pairs(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """OLD=NEW, each.  Raises click's usage error."""
    pairs = {}
    for value in values:
        old, equals, new = value.partition("=")
        if not old or not equals or not new:
            raise click.BadParameter(f"{value!r} is not OLD=NEW")
        pairs[old] = new
    return pairs


@command.command(
    examples="mailserver mail fetch alice@example.org imap.example.net --user alice --password-stdin < password\n"
    "mailserver mail fetch alice@example.org imap.example.net --user alice --folder INBOX --folder Work\n"
    'mailserver mail fetch alice@example.org imap.example.net --user alice --rename "Sent Items=Sent"'
)
@click.argument("address")
@click.argument("host")
@click.option("--user", required=True, metavar="NAME", help="Whom to log in as there.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line."
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read it from this file, one line.",
)
@click.option(
    "--tls",
    type=click.Choice(["implicit", "starttls", "none"]),
    default="implicit",
    show_default=True,
    help="From the first octet on, by STARTTLS, or not at all: the password can be read then.",
)
@click.option("--port", type=click.IntRange(1, 65_535), help="Default: 993, or 143.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates to trust instead of the system's, PEM.",
)
@click.option(
    "--folder", "folders", multiple=True, metavar="NAME", help="Only this one; may be repeated."
)
@click.option(
    "--leave-out",
    multiple=True,
    metavar="NAME",
    help="Not this one, nor what is below it; may be repeated.",
)
@click.option(
    "--rename",
    multiple=True,
    metavar="OLD=NEW",
    callback=_pairs,
    help="What a folder is called here; may be repeated.",
)
@click.pass_obj
def fetch(
    caller: Caller,
    address: str,
    host: str,
    user: str,
    password_stdin: bool,
    password_file: Path | None,
    tls: str,
    port: int | None,
    ca: Path | None,
    folders: tuple[str, ...],
    leave_out: tuple[str, ...],
    rename: dict[str, str],
) -> None:
    """Bring all mail of a user at another IMAP server, HOST, into the mailboxes of ADDRESS.

    Nothing changes there.  Works while this server runs.  Run again, it brings what is new; so does one that was
    interrupted.
    """
    from mailserver.app.secrets import read_file_secret, read_secret
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.moving.imap_client import Login
    from mailserver.moving.imap_source import Choice, ImapSource
    from mailserver.moving.taking import Taker

    at = parse(address)
    limits = caller.load().config.limits
    kind: Tls = "starttls" if tls == "starttls" else "none" if tls == "none" else "implicit"
    with caller.store() as store:
        account = store.read_now(lambda tx: accounts.at(tx, at))
        if password_file is not None:
            password = read_file_secret(password_file)
        else:
            password = read_secret(password_stdin, twice=False)
        login = Login(host, port or (993 if kind == "implicit" else 143), user, password, kind, ca)
        choice = Choice(frozenset(folders), frozenset(leave_out), rename)
        source = ImapSource(login, choice, _say)
        try:
            taker = Taker(store, account, _say, imap=limits.imap, mime=limits.mime)
            result = taker.everything(source)
        finally:
            source.close()
    failed = [*result.failed, *source.trouble]
    caller.answer(
        {
            "mailboxes": result.mailboxes,
            "taken": result.taken,
            "known": result.known,
            "left_out": failed,
        },
        f"{result.taken} messages from {host} brought to {at}, {result.known} were there, {len(failed)} left out",
    )
    _end(failed)


def _source(place: Path, kind: str | None) -> "Source":
    """Raises Cannot."""
    from mailserver.moving import manifest
    from mailserver.moving.maildir import MaildirSource
    from mailserver.moving.mbox import MboxSource

    found = manifest.read(place) if place.is_dir() else None
    if kind is None:
        kind = found.format if found is not None else "maildir" if _has_maildir(place) else "mbox"
    if kind == "maildir":
        return MaildirSource(place)
    source = MboxSource(place)
    for file in source.skipped:
        _say(f"left out: {file}: is no mbox")
    return source


def _has_maildir(place: Path) -> bool:
    return place.is_dir() and any(place.glob("**/cur"))
