"""Giving up root: after the ports are bound, before anything that comes from outside is read."""

import importlib
import os
from collections.abc import Iterable
from pathlib import Path

import click

from mailserver.base.errors import MailError, NotFound

#: a file of the library, of the dependencies, of ours
PROGRAM = (importlib.__file__, click.__file__, __file__)


def become(user: str | None, group: str | None, data_dir: Path) -> None:
    """From now on the process belongs to *user* and *group*; nothing happens unless it belongs to root.

    Raises NotFound for unknown names, MailError when they may not write to *data_dir* or read the program.
    """
    ids = _ids(user, group)
    if ids is None or user is None:
        return
    uid, gid = ids
    os.initgroups(user, gid)
    os.setgid(gid)
    os.setuid(uid)
    check_program(user)
    check_access(data_dir)


def check_program(user: str, files: Iterable[str] = PROGRAM) -> None:
    """Raises MailError if this process may not read *files*: much is imported only when it is needed."""
    for file in files:
        if not os.access(file, os.R_OK):
            raise MailError(f"{user} may not read {file}; install the program where it may")


def check_access(data_dir: Path) -> None:
    """Raises MailError if this process may not work in *data_dir*; one that is not there is no matter."""
    if os.access(data_dir, os.F_OK) and not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        import pwd

        user = pwd.getpwuid(os.geteuid()).pw_name
        raise MailError(
            f"{data_dir}: {user} may not write there; run this as its owner {data_dir.owner()}, or chown it"
        )


def hand_over(paths: Iterable[Path], user: str | None, group: str | None) -> None:
    """Make folders that are missing, and give *paths* to *user* while we still may.

    Raises NotFound for unknown names, MailError for a folder that cannot be made.
    """
    ids = _ids(user, group)
    for path in paths:
        try:
            if not path.exists():
                path.mkdir(mode=0o700, parents=True)
            if ids is not None:
                os.chown(path, *ids)
        except OSError as error:
            raise MailError(f"{path}: {error.strerror}") from error


def _ids(user: str | None, group: str | None) -> tuple[int, int] | None:
    """Who to become; None when there is nobody to become, or no way.  Raises NotFound."""
    return known_ids(user, group) if os.geteuid() == 0 else None


def known_ids(user: str | None, group: str | None) -> tuple[int, int] | None:
    """The numbers of *user* and *group*, or the user's own group; None without a user.  Raises NotFound."""
    if user is None:
        return None
    import grp
    import pwd

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise NotFound(f"there is no user {user}") from None
    try:
        gid = grp.getgrnam(group).gr_gid if group is not None else entry.pw_gid
    except KeyError:
        raise NotFound(f"there is no group {group}") from None
    return entry.pw_uid, gid
