"""Giving up root: after the ports are bound, before anything that comes from outside is read."""

import os
from pathlib import Path

from mailserver.base.errors import MailError, NotFound


def become(user: str | None, group: str | None, data_dir: Path) -> None:
    """From now on the process belongs to *user* and *group*; nothing happens unless it belongs to root.

    The data folder is made if it is missing and given to them.  Raises NotFound for unknown names.
    """
    if user is None or os.geteuid() != 0:
        return
    import grp
    import pwd

    try:
        entry = pwd.getpwnam(user)
        gid = grp.getgrnam(group).gr_gid if group is not None else entry.pw_gid
    except KeyError as error:
        raise NotFound(f"user or group: {error.args[0]}") from error
    if not data_dir.exists():
        data_dir.mkdir(mode=0o700, parents=True)
        os.chown(data_dir, entry.pw_uid, gid)
    if entry.pw_uid == 0:
        return
    os.initgroups(user, gid)
    os.setgid(gid)
    os.setuid(entry.pw_uid)
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        raise MailError(f"{data_dir}: user {user} may not write there; chown -R {user} {data_dir}")
