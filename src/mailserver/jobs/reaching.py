"""From a destination to a connection: its hosts in their order, the addresses of each, the first that takes us.

Spec: RFC 5321 §5.1; RFC 7435 §3 (a handshake that fails does not keep mail back); RFC 7672 §2.2 (but where TLSA records
are); RFC 8461 §5 (or an MTA-STS policy).  Status: complete.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import NamedTuple

from mailserver.base.errors import MailError
from mailserver.base.log import Log
from mailserver.jobs.published import Tally, dane_of, policy_of, untold
from mailserver.jobs.ways import Terms, Ways
from mailserver.mailauth.mta_sts import NOTHING
from mailserver.mailauth.resolver import NoData, NoSuchDomain, Trouble
from mailserver.mta import relay
from mailserver.mta.relay import Kind, NextHop, Refusal
from mailserver.mta.security import IN_CLEAR, NO_TLS, OPPORTUNISTIC, Security, security
from mailserver.net.dns import Addresses
from mailserver.net.smtp import Hop, OutboundConnection
from mailserver.smtp.outgoing import Answer, HopError, Login, Stage, Tls, TlsFailed
from mailserver.smtp.reply import Reply


class Try(NamedTuple):
    """A host that took no connection, or no message: what it said, or what we say of it.

    host: "" where none was even found.
    """

    host: str
    address: str
    answer: Answer
    is_dns: bool = False

    @property
    def is_permanent(self) -> bool:
        """Whether another time would be no better."""
        return self.answer.reply.is_permanent


class Unreached(Exception):
    """No host took a connection.  tries: each that was made, at least one."""

    def __init__(self, tries: list[Try]) -> None:
        super().__init__(str(tries[-1].answer.reply))
        self.tries = tries

    @property
    def worst(self) -> Try:
        """What is told: of what may pass, the last that a server itself said, else the last; else what is for good."""
        passing = [one for one in self.tries if not one.is_permanent] or self.tries
        said = [one for one in passing if not one.answer.is_ours]
        return (said or passing)[-1]


class Need(NamedTuple):
    """What a message asks of its way.

    avoid:      hosts that have had their chance.      tls: what the next hop's terms ask.
    waives_tls: what the next hop publishes does not keep it back (RFC 8689 §4.2.2).
    """

    needs_tls: bool = False
    is_notice: bool = False
    avoid: Collection[str] = ()
    tls: Tls = Tls.MAY
    waives_tls: bool = False


ANYTHING = Need()

SUBMISSIONS = 465  #: TLS begins before the greeting there (RFC 8314 §3.3)
NO_TERMS = Refusal("4.3.5", "the log-in for the next hop cannot be read here")

log = Log("queue")


def refused(refusal: Refusal, host: str = "", address: str = "", *, is_dns: bool = False) -> Try:
    """*refusal* as if it had been said by *host*."""
    code = 550 if refusal.is_permanent else 451
    answer = Answer(Reply(code, refusal.status, refusal.text), Stage.CONNECT, is_ours=True)
    return Try(host, address, answer, is_dns)


async def reach(
    ways: Ways, destination: str, hop: NextHop, most: int, chance: relay.Chance, need: Need
) -> OutboundConnection:
    """A connection to the first host of *hop* that takes one, after at most *most* addresses.  Raises Unreached."""
    tries: list[Try] = []
    try:
        terms = await ways.terms(destination) if hop.kind is Kind.HOST else Terms()
    except MailError as error:
        log.error(
            "the terms of a next hop cannot be read", destination=destination, reason=str(error)
        )
        raise Unreached([refused(NO_TERMS)]) from error
    need = need._replace(tls=terms.tls)
    (names, is_authentic), sts = await asyncio.gather(
        hosts_of(ways, hop, chance, tries), policy_of(ways, hop)
    )
    if need.waives_tls:
        sts = NOTHING
    tally = Tally(ways, hop, sts, is_silent=need.waives_tls)
    left = [name for name in names if name not in need.avoid]
    each = relay.most_of_one(len(left), most)
    async for host, addresses, safety in decided(tally, left, is_authentic, need, tries):
        for address in addresses[: min(each, most)]:
            if ways.is_own(address, hop.port):
                tries.append(refused(relay.LOOP, host, address))
                raise Unreached(tries)  # whatever comes after us is farther from the goal
            most -= 1
            try:
                return await dialled(tally, host, address, safety, terms.login)
            except HopError as error:
                if safety.require_tls and error.answer.stage is Stage.STARTTLS:
                    tries.append(refused(NO_TLS, host, address))  # RFC 8689 §4.2.1
                else:
                    tries.append(Try(host, address, _with_reason(error.answer, safety)))
        if most <= 0:
            break
    raise Unreached(tries or [refused(relay.NO_HOST)])


def _with_reason(answer: Answer, safety: Security) -> Answer:
    """*answer*; of TLS that was missing or failed it says, too, who insists on it."""
    reply = answer.reply
    is_told = safety.tls is Tls.MAY or safety.reason in reply.text
    if is_told or not answer.is_ours or answer.stage is not Stage.STARTTLS:
        return answer
    return answer._replace(reply=reply._replace(text=f"{reply.text} ({safety.reason})"))


async def dialled(
    tally: Tally, host: str, address: str, safety: Security, login: Login | None = None
) -> OutboundConnection:
    """A connection; where TLS is no must, in clear after a handshake that failed (RFC 7435 §3).  Raises HopError."""
    dialer, hop = tally.ways.dialer, tally.hop
    place = Hop(
        host,
        address,
        hop.port,
        is_lmtp=hop.is_lmtp,
        is_tls=hop.port == SUBMISSIONS and hop.kind is Kind.HOST,
        login=login,
    )
    try:
        connection = await dialer.connect(place, safety)
    except HopError as error:
        tally.failed(place, safety, error)
        if not _may_have_less(safety, error):
            raise
        if safety.is_trial:
            log.info("MTA-STS would keep mail back", host=place.host, reason=str(error))
    else:
        tally.went(connection, safety)
        return connection
    if not safety.is_trial:
        return await dialer.connect(place, IN_CLEAR)
    try:
        return await dialer.connect(place, OPPORTUNISTIC)
    except TlsFailed:
        return await dialer.connect(place, IN_CLEAR)


def _may_have_less(safety: Security, error: HopError) -> bool:
    """Whether TLS was to blame, and nobody insists on it."""
    if safety.is_trial:
        return error.answer.stage is Stage.STARTTLS
    return safety.tls is Tls.MAY and isinstance(error, TlsFailed)


async def decided(
    tally: Tally, names: list[str], is_authentic: bool, need: Need, tries: list[Try]
) -> AsyncIterator[tuple[str, list[str], Security]]:
    """Name, addresses and security of each host, best first; what keeps one out goes into *tries*.

    is_authentic: DNSSEC vouches for *names*.
    """
    ways, hop, sts = tally.ways, tally.hop, tally.sts.policy
    for host in names:
        place = await _place(ways, hop, host, tries)
        addresses = _mailable(ways, hop, host, place.addresses, tries) if place else []
        if place is None or not addresses:
            continue
        try:
            dane = None
            if not need.waives_tls:
                dane = await dane_of(ways, hop, host, place, is_named=is_authentic)
        except Trouble as error:
            tally.unknown(host, error)
            tries.append(refused(untold(host, error), host, is_dns=True))
            continue
        safety = security(
            hop,
            host,
            is_authentic=is_authentic,
            needs_tls=need.needs_tls,
            is_notice=need.is_notice,
            demand=need.tls,
            dane=dane,
            sts=sts,
        )
        if isinstance(safety, Refusal):
            if sts is not None and not sts.allows(host):
                tally.unlisted(host, safety)
            tries.append(refused(safety, host))
            continue
        yield host, relay.in_turn(addresses), safety


def _mailable(
    ways: Ways, hop: NextHop, host: str, there: Sequence[str], tries: list[Try]
) -> Sequence[str]:
    """The addresses of *host* that mail may go to: whoever writes them into a zone sends none into our networks.

    What the operator has named himself may be anywhere.  Our own addresses stay, to be told as the loop that they are.
    """
    if hop.kind is Kind.HOST:
        return there
    left = [one for one in there if ways.may_mail(one) or ways.is_own(one, hop.port)]
    if not left:
        tries.append(refused(relay.forbidden(there[0]), host, there[0]))
    return left


async def hosts_of(
    ways: Ways, hop: NextHop, chance: relay.Chance, tries: list[Try]
) -> tuple[list[str], bool]:
    """The hosts of *hop*, and whether DNSSEC vouches for them."""
    if hop.kind is Kind.NOWHERE:
        tries.append(refused(relay.REJECTED))
        return [], False
    if hop.kind is not Kind.DOMAIN:
        return [hop.host], False
    try:
        answer = await ways.resolver.mx(hop.host)
        records, is_authentic = answer.values, answer.is_authentic
    except NoData as error:  # the domain itself, if it has an address (RFC 5321 §5.1)
        records, is_authentic = (), error.is_authentic
    except NoSuchDomain:
        tries.append(refused(relay.NO_DOMAIN, is_dns=True))
        return [], False
    except Trouble as error:
        tries.append(refused(relay.dns_trouble(str(error)), is_dns=True))
        return [], False
    names = relay.exchangers(hop.host, records, ways.own_names, chance)
    if isinstance(names, Refusal):
        tries.append(refused(names, is_dns=True))
        return [], False
    return names, is_authentic


async def _place(ways: Ways, hop: NextHop, host: str, tries: list[Try]) -> Addresses | None:
    """Where *host* is."""
    if relay.is_address(host):
        return Addresses((host,), False, 0)
    try:
        return await ways.resolver.addresses(host)
    except (NoSuchDomain, NoData):
        refusal = relay.NO_SERVER if host == hop.host and hop.is_by_mx else relay.NO_HOST
    except Trouble as error:
        refusal = relay.dns_trouble(str(error))
    tries.append(refused(refusal, host, is_dns=True))
    return None
