"""Debian's Postfix as a relay between other servers on loopback; it has no mailboxes and looks nothing up.

Needs root, because it drops privileges; nothing of the system's own configuration is read or changed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from outside import postfix
from outside.server import free_ports, wait_port

MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
mail_owner = postfix
setgid_group = postdrop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = {home}/conf
shlib_directory = /usr/lib/postfix
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
relay_domains = {domains}
transport_maps = inline:{{ {transports} }}
default_transport = error:5.4.4 this relay knows no other domains
smtpd_tls_cert_file = {home}/cert.pem
smtpd_tls_key_file = {home}/key.pem
smtpd_tls_security_level = may
smtp_tls_security_level = may
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtputf8_enable = yes
smtpd_client_connection_count_limit = 0
message_size_limit = 50000000
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
alias_maps =
local_recipient_maps =
biff = no
"""

MASTER = "{address}:{port} inet n - n - - smtpd"


@dataclass
class Relay:
    """A running Postfix.  log: what it says."""

    port: int
    home: Path
    address: str = "127.0.0.1"

    @property
    def log(self) -> str:
        return (self.home / "mail.log").read_text(errors="replace")


def _with(text: str, lines: str) -> str:
    """The main.cf *text* with *lines* in place of those for the same parameters, of which Postfix wants one each."""
    given = {line.partition(" =")[0] for line in lines.splitlines()}
    kept = [line for line in text.splitlines() if line.partition(" =")[0] not in given]
    return "\n".join([*kept, lines])


@contextmanager
def relaying(
    routes: Mapping[str, int],
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    main: str = "",
    resolver: str = "",
) -> Iterator[Relay]:
    """Postfix that passes the mail of each domain in *routes* to that port on 127.0.0.1.

    port: its own on *address*; 0: any.  main: further lines of main.cf, which win.
    resolver: the only one that it asks, at port 53, and whose word on DNSSEC it takes; it needs a mount namespace.
    """
    home = Path(tempfile.mkdtemp(prefix="postfix-relay-", dir="/tmp"))
    if not port:
        (port,) = free_ports(1)
    home.chmod(0o755)
    for name in ("queue", "data", "conf"):
        (home / name).mkdir()
    os.chown(home / "data", pwd.getpwnam("postfix").pw_uid, -1)
    postfix.certify(home, "relay.test")
    transports = ", ".join(f"{domain}=smtp:[127.0.0.1]:{to}" for domain, to in routes.items())
    (home / "conf/main.cf").write_text(
        _with(MAIN.format(home=home, domains=", ".join(routes), transports=transports), main)
    )
    (home / "conf/master.cf").write_text(
        MASTER.format(port=port, address=address) + postfix.SERVICES
    )
    postfix.copy_tables(home / "conf")
    command = ["postfix", "-c", str(home / "conf")]
    start = [*command, "start"]
    if resolver:
        (home / "resolv.conf").write_text(f"nameserver {resolver}\noptions trust-ad edns0\n")
        mount = f"mount --bind {home}/resolv.conf /etc/resolv.conf"
        start = ["unshare", "-m", "sh", "-c", f"{mount} && exec {' '.join(start)}"]
    postfix.start(*start)
    try:
        wait_port(port, host=address)
        yield Relay(port, home, address)
    finally:
        subprocess.run([*command, "stop"], capture_output=True, check=False)
        shutil.rmtree(home, ignore_errors=True)
