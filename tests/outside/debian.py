"""Debian's Dovecot and Postfix on loopback high ports: the peer of differential tests, and a stand-in for our server.

Needs root, because both drop privileges; nothing of the system's own configuration is read or changed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from outside import postfix
from outside.server import DOMAIN, PORTS, Account, addresses, free_ports, wait_port

OWNER = "mail"  # the Unix user every mailbox belongs to; Debian always has it

DOVECOT = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
ssl_dh =
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 1M
mail_location = maildir:~/Maildir
mail_fsync = {fsync}
first_valid_uid = 1
mail_max_userip_connections = 1000
default_process_limit = 400
default_vsz_limit = 1G
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {home}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service imap {{
  process_limit = 1024
}}
service lmtp {{
  unix_listener {home}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service auth {{
  unix_listener {home}/auth {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@{domain}
}}
"""

MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
mail_owner = postfix
setgid_group = postdrop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = {home}/postfix
shlib_directory = /usr/lib/postfix
myhostname = mail.{domain}
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{home}/postfix/mailboxes
virtual_transport = lmtp:unix:{home}/lmtp
message_size_limit = 50000000
recipient_delimiter = +
smtpd_tls_cert_file = {home}/cert.pem
smtpd_tls_key_file = {home}/key.pem
smtpd_tls_security_level = may
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = {home}/auth
smtpd_forbid_bare_newline = normalize
smtpd_client_connection_count_limit = 0
smtp_host_lookup = native
smtp_dns_support_level = disabled
default_transport = error:5.4.4 this test server sends nothing out
alias_maps =
local_recipient_maps =
biff = no
"""

MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{submissions} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""


def why_not() -> str:
    """ "" where the Debian peers can run, else what is missing."""
    for path in (
        "/usr/sbin/dovecot",
        "/usr/lib/dovecot/imap",
        "/usr/lib/dovecot/lmtp",
        "/usr/sbin/postfix",
    ):
        if not Path(path).exists():
            return f"{path} is missing: install dovecot-imapd dovecot-lmtpd postfix"
    return "" if os.geteuid() == 0 else "Dovecot and Postfix need root to drop privileges"


@dataclass
class Debian:
    """Postfix hands to Dovecot by LMTP; one Maildir an account. fsync: Dovecot's mail_fsync."""

    count: int = 150
    fsync: str = "never"
    with_postfix: bool = True
    name: str = "postfix-dovecot"
    host: str = "127.0.0.1"
    delivers_at_once: bool = False
    home: Path = field(
        default_factory=lambda: Path(tempfile.mkdtemp(prefix="debian-mail-", dir="/tmp"))
    )
    ports: dict[str, int] = field(
        default_factory=lambda: dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    )

    def __post_init__(self) -> None:
        self.accounts = addresses(self.count)
        self._next = iter(self.accounts)
        self._dovecot: subprocess.Popen[bytes] | None = None
        self._write()

    def account(self) -> Account:
        """An account that no other test of this server has used."""
        return next(self._next)

    def start(self) -> None:
        self._dovecot = subprocess.Popen(
            ["dovecot", "-F", "-c", str(self.home / "dovecot.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_port(self.ports["imap"], self._dovecot)
        if self.with_postfix:
            postfix.start("postfix", "-c", str(self.home / "postfix"), "start")
            wait_port(self.ports["smtp"])

    def roots(self) -> list[int]:
        pids = [self._dovecot.pid] if self._dovecot else []
        master = self.home / "queue/pid/master.pid"
        if self.with_postfix and master.exists():
            pids.append(int(master.read_text().split()[0]))
        return pids

    def stop(self) -> None:
        if self.with_postfix:
            subprocess.run(
                ["postfix", "-c", str(self.home / "postfix"), "stop"],
                capture_output=True,
                check=False,
            )
        if self._dovecot is not None:
            self._dovecot.send_signal(signal.SIGTERM)
            try:
                self._dovecot.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self._dovecot.pid, signal.SIGKILL)
                self._dovecot.wait()
            self._dovecot = None
        shutil.rmtree(self.home, ignore_errors=True)

    def _write(self) -> None:
        home, user = self.home, pwd.getpwnam(OWNER)
        home.chmod(0o755)
        for name in ("mail", "queue", "data", "postfix"):
            (home / name).mkdir()
        os.chown(home / "mail", user.pw_uid, user.pw_gid)
        postfix.certify(home, f"mail.{DOMAIN}", "DNS:localhost", "IP:127.0.0.1")
        (home / "users").write_text(
            "".join(f"{a.address}:{{PLAIN}}{a.password}\n" for a in self.accounts)
        )
        names = dict(
            home=home,
            uid=user.pw_uid,
            gid=user.pw_gid,
            domain=DOMAIN,
            fsync=self.fsync,
            **self.ports,
        )
        (home / "dovecot.conf").write_text(DOVECOT.format(**names))
        if self.with_postfix:
            os.chown(home / "data", pwd.getpwnam("postfix").pw_uid, -1)
            (home / "postfix/main.cf").write_text(MAIN.format(**names))
            (home / "postfix/master.cf").write_text(MASTER.format(**names) + postfix.SERVICES)
            boxes = "".join(f"{a.address} x\n" for a in self.accounts) + f"postmaster@{DOMAIN} x\n"
            (home / "postfix/mailboxes").write_text(boxes)
            postfix.copy_tables(home / "postfix")
