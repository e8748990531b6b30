"""A small Internet on loopback to walk through: two of our servers and a Postfix, a signed DNS, policies over HTTPS.

    python tests/outside/lab.py [FOLDER]        as root; docs/testing.md says what to do in it

It makes FOLDER, says where everything is, and keeps it going until Ctrl-C:

    zones/NAME.zone       edit: signed and served anew.  A line "; bogus" makes the signatures wrong
    policies/NAME         edit: what https://mta-sts.NAME says from then on; without the file there is none
    one/, two/            a server each: mailserver.yaml, server.log, and `mailserver`, its command line.
                          A server that ends is started again, as after `kill $(cat one/pid)`
    post/                 Postfix: its log, its mailboxes
    send SERVER FROM TO   a message, by swaks
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT / name) for name in ("tests", "tools", "src")]

import dns.exception  # noqa: E402  (the paths come first)

import dnslab  # noqa: E402
from certificates import Paper, authority  # noqa: E402
from mailserver.mailauth.tlsa import record_for  # noqa: E402
from mailserver.net.tls import ServerTls  # noqa: E402
from outside.relay import relaying  # noqa: E402
from outside.server import wait_port  # noqa: E402
from webserver import WebServer, page  # noqa: E402

NET = "127.9.0"  #: three of four numbers of all addresses
PASSWORD = "correct horse 7"
TTL = 1  #: seconds until everybody has seen what was changed
POST = "post.example"

CONFIG = """\
data_dir: {folder}/data
hostname: mail.{name}.example
listeners:
  smtp: ["{address}:25"]
  submission: ["{address}:587"]
  imap: ["{address}:143"]
  submissions: []
  imaps: []
  managesieve: []
  http: []
  https: []
tls: {{mode: files, certificate: {folder}/certificate.pem, key: {folder}/certificate.key}}
auth: {{cleartext_from: ["127.0.0.0/8"]}}
dns: {{servers: ["{resolver}:53"], trust_ad: true}}
outbound:
  source_addresses: ["{address}"]
  mail_networks: ["{net}.0/24"]
  web_networks: ["{net}.0/24"]
  authorities: {root}
limits: {{dns: {{failure_s: 1}}}}
log: {{format: console, file: {folder}/server.log}}
"""
SEND = """\
#!/bin/sh
# send SERVER FROM TO [swaks options]: SERVER is one, two or post
case $1 in
  one) to="--server {net}.1:587 -tls -au $2 -ap '{password}'";;
  two) to="--server {net}.2:587 -tls -au $2 -ap '{password}'";;
  *) to="--server {net}.3:25";;
esac
from=$2; rcpt=$3; shift 3
eval swaks $to --hide-all --from "$from" --to "$rcpt" --h-Subject "'To $rcpt'" '"$@"'
"""


@dataclass
class Server:
    """One of ours, with a domain whose zone is signed and one that has an MTA-STS policy instead."""

    name: str
    address: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    domains: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.domains = [f"{self.name}.example", f"{self.name}-sts.example"]

    def cli(self, *words: str, given: str = "") -> str:
        """What `mailserver WORDS` says."""
        command = [str(self.folder / "mailserver"), *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{self.name}: mailserver {' '.join(words)}: {done.stderr}")
        return done.stdout

    def make(self, paper: Paper, **settings: object) -> None:
        """Its folder, certificate, domains and users."""
        self.folder.mkdir()
        paper.files(self.folder, "certificate")
        config = CONFIG.format(name=self.name, address=self.address, folder=self.folder, **settings)
        (self.folder / "mailserver.yaml").write_text(config)
        script = self.folder / "mailserver"
        script.write_text(
            f"#!/bin/sh\nexport PYTHONPATH={ROOT}/src MAILSERVER_CONFIG={self.folder}/mailserver.yaml\n"
            f'exec {sys.executable} -m mailserver "$@"\n'
        )
        script.chmod(0o755)
        for domain in self.domains:
            self.cli("domain", "add", domain)
        self.cli("domain", "set", self.domains[1], "--mta-sts", "enforce")
        for domain in self.domains:
            for user in ("alice", "postmaster"):
                self.cli("user", "add", f"{user}@{domain}", "--password-stdin", given=PASSWORD)

    def zone(self, domain: str) -> str:
        """The records that it wants for *domain*, as far as they are in its zone."""
        text = self.cli("dns", "records", domain, "--address", self.address, "--format", "zone")
        lines = [
            line for line in text.splitlines() if line.partition(" ")[0].endswith(f"{domain}.")
        ]
        return "\n".join(lines).replace(" 3600 IN ", f" {TTL} IN ") + "\n"

    def keep(self) -> None:
        """It runs, or is started again."""
        if self.process is not None and self.process.poll() is None:
            return
        command = [str(self.folder / "mailserver"), "serve"]
        with (self.folder / "errors").open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
            )
        (self.folder / "pid").write_text(f"{self.process.pid}\n")
        wait_port(25, self.process, host=self.address)

    def stop(self) -> None:
        """SIGTERM."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)


@dataclass
class Lab:
    """What runs."""

    folder: Path
    servers: Sequence[Server]
    dns: dnslab.Lab
    seen: dict[str, str] = field(default_factory=dict)

    def keep(self) -> None:
        """Zones as their files are now; servers that run."""
        for file in sorted((self.folder / "zones").glob("*.zone")):
            text = file.read_text()
            if self.seen.get(file.stem) in (text, None):
                self.seen[file.stem] = text
                continue
            self.seen[file.stem] = text
            try:
                self.dns.publish(file.stem, text, is_bogus="; bogus" in text)
            except (dns.exception.DNSException, ValueError) as error:
                print(f"{file.stem} stays as it was: {error}")
            else:
                print(f"{file.stem} is served as it is now, {'badly ' * ('; bogus' in text)}signed")
        for server in self.servers:
            server.keep()


@contextmanager
def lab(folder: Path, net: str = NET) -> Iterator[Lab]:
    """The laboratory in *folder*, which must not exist yet."""
    for name in ("zones", "policies", "dns"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    root = authority("Everybody's root")
    (folder / "root.pem").write_bytes(root.pem)
    resolver = f"{net}.53"
    with ExitStack() as stack:
        servers = [
            Server(name, f"{net}.{number}", folder / name)
            for number, name in enumerate(("one", "two"), 1)
        ]
        zones = {}
        for server in servers:
            paper = root.server(f"mail.{server.name}.example")
            server.make(paper, net=net, resolver=resolver, root=folder / "root.pem")
            zones |= {domain: server.zone(domain) for domain in server.domains}
            sts = server.domains[1]
            (folder / "policies" / sts).write_text(server.cli("mta-sts", "policy", sts))
            web = ServerTls(root.server(f"mta-sts.{sts}").files(folder, f"web-{server.name}"))
            answer = _policies(folder / "policies")
            stack.enter_context(WebServer(web.context, answer, address=server.address, port=443))
        middle = root.authority("Middle")
        post = middle.server(f"mail.{POST}")
        zones[POST] = _postfix_zone(f"{net}.3", middle)
        zones["127.in-addr.arpa"] = "".join(
            f"{number}.{'.'.join(reversed(net.split('.')[1:]))} PTR mail.{name}.example.\n"
            for number, name in enumerate(("one", "two", "post"), 1)
        )
        for name, text in zones.items():
            (folder / "zones" / f"{name}.zone").write_text(text)
        signed = {f"{name}.example" for name in ("one", "two", "post")}
        served = stack.enter_context(
            dnslab.running(folder / "dns", zones, signed, (), resolver, ttl=TTL)
        )
        for server in servers:
            stack.callback(server.stop)
        running = Lab(folder, servers, served)
        running.keep()
        stack.enter_context(_postfix(folder, net, post))
        script = folder / "send"
        script.write_text(SEND.format(net=net, password=PASSWORD))
        script.chmod(0o755)
        yield running


def _postfix_zone(address: str, paper: Paper) -> str:
    record = record_for(paper.der, 2)
    data = f"{record.usage} {record.selector} {record.matching} {record.data.hex()}"
    return (
        f"@ MX 10 mail\nmail A {address}\n_25._tcp.mail TLSA {data}\n"
        f'@ TXT "v=spf1 mx -all"\nmail TXT "v=spf1 a -all"\n_dmarc TXT "v=DMARC1; p=reject"\n'
    )


def _policies(folder: Path) -> Callable[[bytes], bytes]:
    def answer(request: bytes) -> bytes:
        name = (
            request.partition(b"Host: mta-sts.")[2].partition(b"\r\n")[0].decode("ascii", "replace")
        )
        file = folder / Path(name).name
        return page(200, file.read_bytes()) if file.is_file() else page(404, b"")

    return answer


@contextmanager
def _postfix(folder: Path, net: str, paper: Paper) -> Iterator[None]:
    """Postfix: DANE where it can be had, mailboxes for everybody at its domain."""
    folder = folder / "post"
    files = paper.files(folder, "certificate")
    mail = folder / "mail"
    mail.mkdir()
    shutil.chown(mail, "nobody", "nogroup")
    main = (
        f"myhostname = mail.{POST}\nmynetworks = 127.0.0.1\n"
        f"smtpd_tls_cert_file = {files.certificate}\nsmtpd_tls_key_file = {files.key}\n"
        "smtpd_tls_received_header = yes\nsmtpd_tls_loglevel = 1\nsmtp_tls_loglevel = 1\n"
        "relay_domains =\ntransport_maps =\ndefault_transport = smtp\n"
        f"virtual_mailbox_domains = {POST}\nvirtual_mailbox_base = {mail}\n"
        f"virtual_mailbox_maps = inline:{{ {{ @{POST} = inbox/ }} }}\n"
        "virtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n"
        f"smtp_bind_address = {net}.3\nsmtp_dns_support_level = dnssec\nsmtp_host_lookup = dns\n"
        "smtp_tls_security_level = dane\n"
    )
    with relaying({}, address=f"{net}.3", port=25, main=main, resolver=f"{net}.53") as relay:
        (folder / "postfix").symlink_to(relay.home)
        (folder / "log").symlink_to(relay.home / "mail.log")
        yield


def _tell(lab: Lab, net: str) -> None:
    print(f"in {lab.folder}; the resolver is {net}.53; the password of all users: {PASSWORD}")
    for server in lab.servers:
        users = ", ".join(f"alice@{domain}" for domain in server.domains)
        print(f"{server.name}: {server.address}, {users}; {server.folder}/mailserver queue list")
    print(f"post: {net}.3, anybody@{POST}; postqueue -c {lab.folder}/post/postfix/conf -p")
    print(f"{lab.folder}/send one alice@one.example alice@two.example")
    print("Ctrl-C ends it; the folder stays", flush=True)


def main() -> None:
    """Until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description="A small Internet on loopback.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("lab"))
    parser.add_argument("--net", default=NET, help="three of four numbers of all addresses")
    given = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("Postfix and the ports 25, 53 and 443 need root")
    if given.folder.exists():
        raise SystemExit(f"{given.folder} exists: take it away, or name another folder")
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # a shell's background jobs are born deaf to Ctrl-C
        signal.signal(number, signal.default_int_handler)
    try:
        with lab(given.folder.resolve(), given.net) as running:
            _tell(running, given.net)
            while True:
                running.keep()
                time.sleep(0.5)
    except KeyboardInterrupt:
        print("ended")


if __name__ == "__main__":
    main()
