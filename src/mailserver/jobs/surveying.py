"""How mail for a destination would leave now, and what protects it there: for people who ask.

Spec: RFC 7672 §2.2; RFC 8461 §5.  Status: complete.

The same look-ups and the same decisions as in `jobs/reaching.py`; nothing is sent and nothing is counted.
"""

import asyncio
from typing import NamedTuple

from mailserver.jobs.published import Tally, policy_of
from mailserver.jobs.reaching import Need, Try, decided, dialled, hosts_of, refused
from mailserver.jobs.ways import Ways
from mailserver.mailauth.mta_sts import Found
from mailserver.mta.relay import LOOP, Chance, Kind, NextHop
from mailserver.mta.security import Security
from mailserver.smtp.outgoing import HopError


class Prospect(NamedTuple):
    """One host, in the order in which they would be tried.

    safety:  what a connection must have; None: no mail would go there, `refusal` says why.
    tls:     of a connection that was made now, "" in clear; None: none was.
    failure: why none stands, where one was to be made.
    """

    host: str
    addresses: tuple[str, ...]
    safety: Security | None
    refusal: str = ""
    tls: str | None = None
    failure: str = ""


class Survey(NamedTuple):
    """A whole destination.

    is_authentic: DNSSEC vouches for which hosts it has.
    refusal:      why there are no hosts at all, "" if there are.
    """

    is_authentic: bool
    sts: Found
    prospects: tuple[Prospect, ...]
    refusal: str = ""


async def survey(
    ways: Ways, destination: str, hop: NextHop, chance: Chance, *, connects: bool
) -> Survey:
    """What is known of *hop*, which is called *destination*; connects: each host is talked to as well."""
    tries: list[Try] = []
    terms = await ways.terms(destination) if hop.kind is Kind.HOST else None
    (names, is_authentic), sts = await asyncio.gather(
        hosts_of(ways, hop, chance, tries), policy_of(ways, hop)
    )
    if not names:
        return Survey(is_authentic, sts, (), str(tries[-1].answer.reply) if tries else "no host")
    need = Need() if terms is None else Need(tls=terms.tls)
    tally, found = Tally(ways, hop, sts), []
    for host in names:
        troubles: list[Try] = []
        prospect = None
        async for name, addresses, safety in decided(tally, [host], is_authentic, need, troubles):
            prospect = Prospect(name, tuple(addresses), safety)
        if prospect is not None and any(ways.is_own(one, hop.port) for one in prospect.addresses):
            prospect = None
            troubles.append(refused(LOOP, host))
        if prospect is None:
            prospect = Prospect(host, (), None, str(troubles[-1].answer.reply))
        elif connects and prospect.safety is not None:
            prospect = await _connected(tally, prospect, prospect.safety)
        found.append(prospect)
    return Survey(is_authentic, sts, tuple(found))


async def _connected(tally: Tally, prospect: Prospect, safety: Security) -> Prospect:
    """*prospect* with what came of a connection to its first address that takes one."""
    failure = ""
    for address in prospect.addresses:
        try:
            connection = await dialled(tally, prospect.host, address, safety)
        except HopError as error:
            failure = f"{address}: {error.answer.reply}"
            continue
        connection.close()
        return prospect._replace(tls=str(connection.tls or ""))
    return prospect._replace(failure=failure)
