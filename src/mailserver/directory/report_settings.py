"""What an operator wants of reports: which are sent, by whom, and what becomes of those that come.

They live in the database as settings named "report.*" and take effect with the next report.
"""

from typing import NamedTuple

from mailserver.base.errors import Cannot, NotFound
from mailserver.directory.addresses import domain_name, parse
from mailserver.directory.resolve import POSTMASTER, domain_for, home_domain
from mailserver.mime.compose import one_line
from mailserver.store.tx import Read, Write

_PREFIX = "report."
_ON_OFF = ("on", "off")


class Settings(NamedTuple):
    """All of them.

    sends_dmarc, sends_tls: daily reports leave.
    sender:   the address that reports come from; its domain is ours.  "": there is no domain to send as.
    org:      the name of who sends them.      contact: more about him, as an https URI.
    spread_s: from midnight UTC on, reports leave within so many seconds.
    failures: domains of ours whose incoming mail may cause failure reports.
    keeps_mail: mail that brings reports is filed like other mail, too.
    is_old_form: aggregate reports have the form of RFC 7489.
    """

    sends_dmarc: bool
    sends_tls: bool
    sender: str
    org: str
    contact: str
    spread_s: int
    failures: frozenset[str]
    keeps_mail: bool
    is_old_form: bool = False

    @property
    def domain(self) -> str:
        """Of the sender: who submits the reports."""
        return self.sender.rpartition("@")[2]


#: name, default, and what it is, as `mailserver report settings` shows it
NAMES = {
    "dmarc": ("on", "on or off: daily reports on the mail of domains that ask for them"),
    "tls": ("on", "on or off: daily reports on connections to domains that ask for them"),
    "sender": ("", "the address they come from; otherwise postmaster of this server's domain"),
    "org": ("", "who sends them; otherwise the sender's domain"),
    "contact": ("", "more about him: a URI, or whatever helps"),
    "spread": ("240", "minutes after midnight UTC within which they leave"),
    "failures": ("", "domains of ours, with commas: who else may hear of single messages to them"),
    "form": (
        "rfc9990",
        "rfc9990 or rfc7489: the form of reports on DMARC; the older has no namespace",
    ),
    "mail": ("file", "file or discard: what becomes of mail that brings reports, once it is read"),
}


def read(tx: Read, hostname: str) -> Settings:
    """The settings in effect."""
    values = shown(tx)
    sender = values["sender"]
    if not sender and (domain := home_domain(tx, hostname)):
        sender = f"{POSTMASTER}@{domain}"
    return Settings(
        sends_dmarc=values["dmarc"] == "on",
        sends_tls=values["tls"] == "on",
        sender=sender,
        org=values["org"] or sender.rpartition("@")[2],
        contact=values["contact"],
        spread_s=int(values["spread"]) * 60,
        failures=frozenset(filter(None, values["failures"].split(","))),
        keeps_mail=values["mail"] == "file",
        is_old_form=values["form"] == "rfc7489",
    )


def shown(tx: Read) -> dict[str, str]:
    """Each setting as text, defaults included."""
    return {
        name: default if (found := tx.settings.get(_PREFIX + name)) is None else found
        for name, (default, _) in NAMES.items()
    }


def change(tx: Write, name: str, text: str) -> None:
    """Sets one; with the text "default" it is forgotten.  Raises Cannot or NotFound with the reason."""
    if name not in NAMES:
        raise Cannot(f"{name}: no such setting; there are {', '.join(NAMES)}")
    if text == "default":
        tx.settings.set(_PREFIX + name, None)
    else:
        tx.settings.set(_PREFIX + name, _checked(tx, name, text.strip()))


def _checked(tx: Read, name: str, text: str) -> str:
    if name in ("dmarc", "tls") and text not in _ON_OFF:
        raise Cannot(f"{name}: on or off")
    if name == "form" and text not in ("rfc9990", "rfc7489"):
        raise Cannot("form: rfc9990 or rfc7489")
    if name == "mail" and text not in ("file", "discard"):
        raise Cannot("mail: file or discard")
    if name == "spread" and not (text.isascii() and text.isdigit() and int(text) <= 1_380):
        raise Cannot("spread: minutes, at most 1380")
    if name == "sender" and text:
        address = parse(text)
        if domain_for(tx, address.domain) is None or not str(address).isascii():
            raise NotFound(f"sender: {text} is no address of a domain of ours")
        return str(address)
    if name == "failures" and text:
        domains = [domain_name(piece.strip()) for piece in text.split(",") if piece.strip()]
        for domain in domains:
            tx.domains.by_name(domain)
        return ",".join(domains)
    return one_line(text)[:500]
