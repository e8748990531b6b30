"""What every Postfix of the tests has: its services, a certificate, the tables that come with the package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

#: master.cf, below the listeners
SERVICES = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def certify(home: Path, name: str, *names: str) -> None:
    """cert.pem and key.pem in *home*, signed by nobody, for the host *name*; *names* are its other names."""
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
    also = f" -addext subjectAltName={','.join(names)}" if names else ""
    where = f" -keyout {home}/key.pem -out {home}/cert.pem"
    command = f"{make} -subj /CN={name}{also}{where}"
    subprocess.run(command.split(), check=True, capture_output=True)


def copy_tables(target: Path) -> None:
    """Into the configuration folder *target*."""
    for name in ("postfix-files", "dynamicmaps.cf"):
        for source in (Path("/etc/postfix") / name, Path("/usr/share/postfix") / name):
            if source.exists():
                shutil.copy(source, target)
                break


def start(*command: str) -> None:
    """In a child of its own: `postfix start` leaves its master behind with what it inherited."""
    subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
