"""A DNS of our own on loopback: Knot serves the zones, Unbound resolves and validates them; nothing leaves the machine.

    with running(folder, {"one.example": "@ MX 10 mail\nmail A 127.0.0.2\n"}, signed={"one.example"}) as lab:
        lab.resolver                  # ("127.0.0.1", port), to be asked; it sets AD on answers of signed zones

ZONES has what mail servers must cope with; `silent.example` is served by nobody who answers, `bogus.example` has a
signature that does not match.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dns.dnssec
import dns.exception
import dns.message
import dns.query
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.rdtypes.ANY.DNSKEY import DNSKEY

from conftest import program

PROGRAMS = ("knotd", "unbound")

HEAD = "$TTL {ttl}\n@ SOA ns1 hostmaster {serial} 600 300 86400 {no_longer}\n@ NS ns1\nns1 A 127.0.0.1\n"
TTL = 60  #: seconds that answers hold

#: hosts have addresses of their own in 127.0.0.0/8, so that a test can put a server behind each
ZONES: dict[str, str] = {
    "several.example": (
        "@ MX 20 third\n@ MX 10 first\n@ MX 10 second\n"
        "first A 127.0.0.11\nsecond A 127.0.0.12\nsecond AAAA ::1\nthird A 127.0.0.13\n"
    ),
    "nullmx.example": "@ MX 0 .\n@ A 127.0.0.21\n",
    "alias.example": (
        "@ MX 10 mail\nmail CNAME real\nreal A 127.0.0.31\n"  # RFC 2181 §10.3 forbids it; it is common
        "domain CNAME several.example.\nmany CNAME domain\ndangling CNAME nowhere\n"
        "loop CNAME pool\npool CNAME loop\n"
    ),
    "six.example": "@ MX 10 mail\nmail AAAA ::1\n",
    "implicit.example": "@ A 127.0.0.41\n",
    "empty.example": '@ TXT "no mail here"\n',
    "plain.example": "@ MX 10 mail\nmail A 127.0.0.51\n",
    "broken.example": "@ MX 10 nowhere\n@ MX 20 192.0.2.1.\n",
    "large.example": "".join(
        f"@ MX {n} mail-exchanger-number-{n}\nmail-exchanger-number-{n} A 127.0.1.{n}\n"
        for n in range(1, 151)
    ),
    "bogus.example": "@ MX 10 mail\nmail A 127.0.0.61\n",
    "types.example": (
        '@ TXT "one" " and" " two"\n@ TXT "other"\n@ CAA 128 issue "ca.example; a=b"\n'
        'long TXT "' + '" "'.join(["x" * 255] * 30) + '"\n'
        "_25._tcp.mail TLSA 3 1 1 " + "ab" * 32 + "\n"
        "_imaps._tcp SRV 20 5 993 other\n_imaps._tcp SRV 10 5 993 mail\n"
        "mail A 127.0.0.71\nmail AAAA ::1\nalias CNAME mail\n"
    ),
    "127.in-addr.arpa": "71.0.0 PTR mail.types.example.\n71.0.0 PTR odd\\032name\\.x.types.example.\n",
}
SIGNED = frozenset({"several.example", "six.example", "bogus.example", "types.example"})
BOGUS = frozenset({"bogus.example"})
SILENT = "silent.example"
#: what becomes of a signed zone that is to be bogus
FORGERIES = (
    ("127.0.0.61", "127.0.0.62"),
    ("MX 10", "MX 11"),
    ('"v=spf1', '"V=spf1'),
    ("00ff00ff", "ff00ff00"),
)


@dataclass(frozen=True)
class Lab:
    """resolver: validates; authority: knows the zones and nothing else."""

    resolver: tuple[str, int]
    authority: tuple[str, int]
    knot: int
    zones: "Zones"

    def publish(self, name: str, text: str, *, is_bogus: bool = False) -> None:
        """The zone *name*, signed as before, says *text* from now on; old answers hold as long as they hold.

        Raises dns.exception.DNSException for what is no zone, and nothing changes.
        """
        serial = self.zones.write(name, text, is_bogus=is_bogus)
        os.kill(self.knot, signal.SIGHUP)
        _await(lambda: self._serial(name) == serial, f"{name} is not served as it is now")

    def _serial(self, name: str) -> int:
        """Of the zone *name* as it is served."""
        query = dns.message.make_query(name, "SOA")
        answer = dns.query.udp(query, self.authority[0], port=self.authority[1], timeout=1).answer
        return int(answer[0][0].serial) if answer else 0


@dataclass
class Zones:
    """Zone files in *folder*, and the keys of those that are signed."""

    folder: Path
    signed: Collection[str]
    ttl: int = TTL
    serial: int = 0
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)

    def write(self, name: str, text: str, *, is_bogus: bool) -> int:
        """The serial number of the zone as it is now.  Raises dns.exception.DNSException."""
        self.serial += 1
        text = HEAD.format(ttl=self.ttl, no_longer=min(self.ttl, 30), serial=self.serial) + text
        zone = dns.zone.from_text(text, origin=name, relativize=False)
        if name in self.signed:
            text = self._signed(name, zone)
            for good, other in FORGERIES if is_bogus else ():
                text = text.replace(good, other)
        (self.folder / f"{name}.zone").write_text(text)
        return self.serial

    def _signed(self, name: str, zone: dns.zone.Zone) -> str:
        key = self._key(name)
        with zone.writer() as change:
            dns.dnssec.sign_zone(
                zone,
                change,
                [(key, self._public(name))],
                add_dnskey=True,
                dnskey_ttl=self.ttl,
                lifetime=86_400,
            )
        return zone.to_text(relativize=False)

    def _key(self, name: str) -> ec.EllipticCurvePrivateKey:
        return self.keys.setdefault(name, ec.generate_private_key(ec.SECP256R1()))

    def _public(self, name: str) -> DNSKEY:
        public = self._key(name).public_key()
        return dns.dnssec.make_dnskey(public, dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)

    def anchors(self) -> str:
        """The resolver's trust anchors."""
        names = sorted(self.signed)
        return "".join(f"{name}. DNSKEY {self._public(name).to_text()}\n" for name in names)


@contextlib.contextmanager
def running(
    folder: Path,
    zones: Mapping[str, str] = ZONES,
    signed: Collection[str] = SIGNED,
    bogus: Collection[str] = BOGUS,
    also_at: str = "",
    ttl: int = TTL,
) -> Iterator[Lab]:
    """The lab, with its files in *folder*.

    ttl: seconds that answers hold.
    also_at: an address of this machine at whose port 53 the resolver is, too, for programs that know no other port.
    """
    files = Zones(folder, [name for name in zones if name in signed], ttl)
    for name, text in zones.items():
        files.write(name, text, is_bogus=name in bogus)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        authority, resolver = _free_ports(2)
        _write_knot(folder, zones, authority)
        _write_unbound(
            folder, zones, files, (authority, resolver), silent.getsockname()[1], also_at
        )
        with (
            _daemon(folder, "knotd", "-c", str(folder / "knot.conf")) as knot,
            _daemon(folder, "unbound", "-d", "-c", str(folder / "unbound.conf")),
        ):
            lab = Lab(("127.0.0.1", resolver), ("127.0.0.1", authority), knot, files)
            for address in (lab.authority, lab.resolver):
                _await_answer(folder, address, next(iter(zones)))
            yield lab


def _write_knot(folder: Path, zones: Mapping[str, str], port: int) -> None:
    names = "".join(f"  - domain: {name}\n    file: {name}.zone\n" for name in zones)
    (folder / "knot.conf").write_text(
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {folder}\n  udp-workers: 1\n  tcp-workers: 1\n"
        "  background-workers: 1\n"
        f"log:\n  - target: stderr\n    any: warning\ndatabase:\n  storage: {folder}/db\n"
        f"template:\n  - id: default\n    storage: {folder}\n    zonefile-load: whole\n"
        f"    journal-content: none\nzone:\n{names}"
    )


def _write_unbound(
    folder: Path,
    zones: Mapping[str, str],
    files: Zones,
    ports: tuple[int, int],
    silent: int,
    also_at: str,
) -> None:
    authority, resolver = ports
    (folder / "anchors").write_text(files.anchors())
    every = [*zones, SILENT]
    lines = [
        "server:",
        f"  interface: 127.0.0.1@{resolver}",
        *([f"  interface: {also_at}@53"] if also_at else []),
        f"  port: {resolver}",
        "  do-daemonize: no",
        "  use-syslog: no",
        f"  logfile: {folder}/unbound.log",
        f"  pidfile: {folder}/unbound.pid",
        f"  directory: {folder}",
        '  chroot: ""',
        '  username: ""',
        '  module-config: "validator iterator"',
        f"  trust-anchor-file: {folder}/anchors",
        "  do-not-query-localhost: no",
        "  do-ip6: no",
        f"  val-bogus-ttl: {files.ttl}",
        "  num-threads: 1",
        "  access-control: 127.0.0.0/8 allow",
        '  local-zone: "." static',  # nothing is asked of the world: what is not ours does not exist
        *(f'  local-zone: "{name}." transparent' for name in every),
        *(f'  domain-insecure: "{name}"' for name in every if name not in files.signed),
        "remote-control:",
        "  control-enable: no",
        *(
            f'stub-zone:\n  name: "{name}"\n  stub-addr: 127.0.0.1@{silent if name == SILENT else authority}'
            for name in every
        ),
    ]
    (folder / "unbound.conf").write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def _daemon(folder: Path, name: str, *arguments: str) -> Iterator[int]:
    with (folder / f"{name}.err").open("wb") as errors:
        process = subprocess.Popen(
            [program(name) or name, *arguments], stdout=errors, stderr=errors, cwd=folder
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def _await_answer(folder: Path, address: tuple[str, int], name: str) -> None:
    query = dns.message.make_query(name, "SOA")

    def answers() -> bool:
        return bool(dns.query.udp(query, address[0], port=address[1], timeout=0.2).answer)

    try:
        _await(answers, "")
    except RuntimeError:
        said = "\n".join(file.read_text("utf-8", "replace") for file in folder.glob("*.err"))
        raise RuntimeError(f"the name servers do not answer:\n{said}") from None


def _await(holds: Callable[[], bool], otherwise: str) -> None:
    """Raises RuntimeError."""
    for _ in range(100):
        with contextlib.suppress(dns.exception.Timeout, OSError):
            if holds():
                return
        time.sleep(0.05)
    raise RuntimeError(otherwise)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses over UDP or TCP right now."""
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            tcp = stack.enter_context(socket.socket())
            tcp.bind(("127.0.0.1", 0))
            udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", tcp.getsockname()[1]))
                ports.append(tcp.getsockname()[1])
        return ports
