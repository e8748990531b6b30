"""Whom we trust to pass on other people's mail, and how much an operator wants of SPF: checked when they are written.

Spec: RFC 7208 §8, §10.1; RFC 8617 §8.1.  Status: complete.
"""

import ipaddress

from mailserver.base.errors import Cannot
from mailserver.directory.addresses import domain_name
from mailserver.store.trusted import KINDS, Kind, Trusted
from mailserver.store.tx import Write

RESULTS = ("fail", "softfail", "none")  #: of SPF, for which an operator may want something
ACTIONS = ("accept", "quarantine", "reject")


def add(tx: Write, kind: str, value: str, note: str) -> Trusted:
    """*value*, a network or a domain, is trusted.  Raises Cannot."""
    return tx.trusted.add(_kind(kind), _value(kind, value), note)


def remove(tx: Write, kind: str, value: str) -> str:
    """It is trusted no more; *value* as it was kept.  Raises Cannot, NotFound."""
    text = _value(kind, value)
    tx.trusted.remove(_kind(kind), text)
    return text


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise Cannot(f"nothing of the kind {kind} can be trusted")
    return kind


def _value(kind: str, value: str) -> str:
    if kind != "network":
        return domain_name(value)
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        raise Cannot(f"network: {error}") from None
    if network.prefixlen == 0:
        raise Cannot("everybody is no network to be trusted")
    return str(network)


def spf_wishes(text: str) -> dict[str, str]:
    """What "fail=reject,softfail=quarantine" says; results that are not named are accepted.  Raises Cannot."""
    wishes: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        result, _, action = part.partition("=")
        if result not in RESULTS or action not in ACTIONS or result in wishes:
            raise Cannot(
                f"spf: {part}: expected some of {', '.join(RESULTS)}, each once,"
                f" with one of {', '.join(ACTIONS)}, as fail=reject,softfail=quarantine"
            )
        wishes[result] = action
    return wishes


def spf_text(wishes: dict[str, str]) -> str:
    """The one spelling under which *wishes* are kept."""
    return ",".join(
        f"{result}={wishes[result]}"
        for result in RESULTS
        if wishes.get(result, "accept") != "accept"
    )
