"""What a destination publishes about the security of its hosts, and what is counted of connections to them.

Spec: RFC 7672 §2.2; RFC 8461 §5; RFC 8460 §4.3, §4.4.  Status: complete.
"""

from typing import NamedTuple

from mailserver.jobs.ways import Ways
from mailserver.mailauth import dane, mta_sts
from mailserver.mailauth.dane import Dane
from mailserver.mailauth.mta_sts import Found, Mode
from mailserver.mailauth.reports.tls_values import TlsFailure, TlsOutcome, TlsPolicy
from mailserver.mailauth.resolver import Bogus, Trouble
from mailserver.mailauth.tlsa import DANE_TA
from mailserver.mta.relay import Kind, NextHop, Refusal, is_address
from mailserver.mta.security import Security
from mailserver.net.dns import Addresses
from mailserver.net.smtp import Hop, OutboundConnection
from mailserver.smtp.outgoing import HopError, Stage, TlsFailed

NO_STARTTLS = "starttls-not-supported"


async def policy_of(ways: Ways, hop: NextHop) -> Found:
    """The MTA-STS policy of a domain, or of the host that the configuration names in its place (RFC 8461 §3.4)."""
    if hop.is_lmtp or hop.kind not in (Kind.DOMAIN, Kind.HOST) or is_address(hop.host):
        return mta_sts.NOTHING
    return await ways.policies.find(hop.host)


async def dane_of(
    ways: Ways, hop: NextHop, host: str, place: Addresses, *, is_named: bool
) -> Dane | None:
    """What TLSA records say of *host*, which is at *place*.  Raises Trouble: no mail may go there now.

    is_named: DNSSEC vouches for it being a host of *hop*.
    """
    if not ways.uses_dane or hop.is_lmtp or is_address(host) or (hop.is_by_mx and not is_named):
        return None
    found = await dane.discover(
        ways.resolver,
        host,
        hop.port,
        is_address_authentic=place.is_authentic,
        alias_of=place.name,
    )
    if found is None or not hop.is_by_mx or all(one.usage != DANE_TA for one in found.records):
        return found
    return found.also_for(hop.host, *await dane.aliases(ways.resolver, hop.host))


def untold(host: str, error: Trouble) -> Refusal:
    """Whoever makes look-ups fail does not get mail with less protection for it (RFC 7672 §2.1.2)."""
    return Refusal("4.7.5", f"whether {host} has TLSA records could not be found out: {error}")


# -- what is counted (RFC 8460 §4)


class Tally(NamedTuple):
    """Counts connections to the hosts of one destination; only those of domains are (RFC 8460 §3).

    is_silent: nothing is counted: what is published was not asked for, as for the reports themselves.
    """

    ways: Ways
    hop: NextHop
    sts: Found
    is_silent: bool = False

    def went(self, connection: OutboundConnection, safety: Security) -> None:
        """A connection stands as *safety* wanted it."""
        kind, sts = "", self.sts.policy
        if connection.tls is None:
            kind = NO_STARTTLS
        elif safety.dane is not None and not safety.dane.records:
            kind = "tlsa-invalid"
        elif safety.is_trial and sts is not None and not sts.allows(connection.hop.host):
            kind = "validation-failure"  # all is well but the policy does not name the host
        host, address = connection.hop.host, connection.hop.address
        failure = TlsFailure(kind, connection.our_address, host, address) if kind else None
        self._count(safety, failure)

    def failed(self, place: Hop, safety: Security, error: HopError) -> None:
        """It did not come to one; only what TLS has to do with counts."""
        if error.answer.stage is not Stage.STARTTLS:
            return
        kind = error.kind if isinstance(error, TlsFailed) else NO_STARTTLS
        text = error.answer.reply.text
        self._count(
            safety, TlsFailure(kind, error.our_address, place.host, place.address, "", text)
        )

    def unlisted(self, host: str, why: Refusal) -> None:
        """The domain's policy does not name *host*."""
        failure = TlsFailure("validation-failure", receiving_mx=host, reason=why.text)
        self._tell(TlsOutcome(self._sts_policy(), failure))

    def unknown(self, host: str, error: Trouble) -> None:
        """Its TLSA records could not be looked up."""
        if isinstance(error, Bogus):
            policy = TlsPolicy(self.hop.host, "tlsa", (), (host,))
            self._tell(
                TlsOutcome(
                    policy, TlsFailure("dnssec-invalid", receiving_mx=host, reason=str(error))
                )
            )

    def _count(self, safety: Security, failure: TlsFailure | None) -> None:
        sts = self.sts.policy
        if safety.dane is not None:
            records = tuple(
                f"{one.usage} {one.selector} {one.matching} {one.data.hex()}"
                for one in safety.dane.all
            )
            policy = TlsPolicy(self.hop.host, "tlsa", records, (safety.dane.base,))
        elif sts is not None and sts.mode is not Mode.NONE:
            policy = self._sts_policy()
        else:
            policy = TlsPolicy(self.hop.host)
        self._tell(TlsOutcome(policy, failure))
        if self.sts.failure:  # in place of the policy, mail went as it could
            reason = self.sts.text
            self._tell(TlsOutcome(self._sts_policy(), TlsFailure(self.sts.failure, reason=reason)))

    def _sts_policy(self) -> TlsPolicy:
        policy = self.sts.policy
        if policy is None:
            return TlsPolicy(self.hop.host, "sts")
        return TlsPolicy(self.hop.host, "sts", policy.strings, policy.mx)

    def _tell(self, outcome: TlsOutcome) -> None:
        if self.hop.is_by_mx and not self.is_silent:
            self.ways.count_tls(outcome)
