"""How safe the way to a next hop must be: the one place where that is decided for mail that leaves.

Spec: RFC 7435 §3; RFC 7672 §2.2; RFC 8461 §2, §5; RFC 8689 §4.2.1, §5.
Status: complete.

The first of these that there is decides: what DANE says of the host, the domain's MTA-STS policy, what the operator
wants of the next hop; nothing of it: TLS where it is offered.  A message with REQUIRETLS never goes without a proof; of
one with TLS-Required: No, what next hops publish is not looked up (RFC 8689 §4.2.2).
"""

from dataclasses import dataclass

from mailserver.mailauth.dane import Dane
from mailserver.mailauth.mta_sts import Mode, Policy
from mailserver.mta.relay import NextHop, Refusal
from mailserver.smtp.outgoing import Tls


@dataclass(frozen=True, slots=True)
class Security:
    """What a connection must have before mail goes over it.

    names:       the certificate must be for one of these; empty unless `tls` is VERIFY or DANE.
    require_tls: the next hop must promise the same for its own next hop (RFC 8689 §4.2.1).
    reason:      for logs and attempts.
    dane:        what is published about the host, whether it can be used or not.
    is_trial:    what does not meet it is told in a report, and mail goes on without (RFC 8461 §5.1, "testing").
    """

    tls: Tls
    names: tuple[str, ...]
    require_tls: bool
    reason: str
    dane: Dane | None = None
    is_trial: bool = False

    @property
    def shown(self) -> str:
        """What attempts say beside version and cipher: who asked for more than TLS where it is offered."""
        return self.reason if self.reason in _SHOWN else ""


OPPORTUNISTIC = Security(Tls.MAY, (), False, "opportunistic")
IN_CLEAR = Security(Tls.NEVER, (), False, "a handshake failed, and nobody asked for more")

MTA_STS, TESTING = "MTA-STS", "MTA-STS testing"
UNUSABLE = "DANE without usable records"
_SHOWN = (MTA_STS, TESTING, UNUSABLE)

#: what is told when the demands of `security` are not met (RFC 8689 §4.2.1)
NO_TLS = Refusal(
    "5.7.10",
    "the message may only travel encrypted to a server with a valid certificate, and that was not to be had",
)
NO_REQUIRETLS = Refusal(
    "5.7.30", "the message requires TLS all the way, and the server does not support REQUIRETLS"
)


def security(
    hop: NextHop,
    host: str,
    *,
    is_authentic: bool,
    needs_tls: bool,
    is_notice: bool,
    demand: Tls = Tls.MAY,
    dane: Dane | None = None,
    sts: Policy | None = None,
) -> Security | Refusal:
    """What a connection to *host* must have; a Refusal if no connection to it can be good enough.

    demand:       what the operator wants of this next hop, whatever the message.
    is_authentic: DNSSEC vouches for the answer that named *host*; needless where the configuration named it.
    needs_tls:    the message came with REQUIRETLS.
    is_notice:    it has the null reverse-path, and is not lost for want of TLS (RFC 8689 §5).
    dane:         what DNSSEC vouches for about *host* (`mailauth.dane`).
    sts:          the policy of the domain whose MX record named *host* (`mailauth.mta_sts`).
    """
    if needs_tls and not is_notice:
        is_listed = sts is not None and sts.mode is not Mode.NONE and sts.allows(host)
        if hop.is_by_mx and not is_authentic and not is_listed:
            return _unproved(hop, host)
        if dane is not None and dane.records:
            return Security(Tls.DANE, dane.names, True, "REQUIRETLS", dane)
        if sts is not None and sts.mode is Mode.ENFORCE and not is_listed:
            return _not_listed(hop, host)
        return Security(Tls.VERIFY, (host,), True, "REQUIRETLS")
    if dane is not None and dane.records:
        return Security(Tls.DANE, dane.names, False, "DANE", dane)
    if sts is not None and sts.mode is Mode.ENFORCE:
        if not sts.allows(host):
            return _not_listed(hop, host)
        return Security(Tls.VERIFY, (host,), False, MTA_STS)
    if demand is Tls.VERIFY:
        return Security(demand, (host,), False, "configured")
    if dane is not None:
        return Security(Tls.ENCRYPT, (), False, UNUSABLE, dane)
    if demand is not Tls.MAY:
        return Security(demand, (), False, "configured")
    if sts is not None and sts.mode is Mode.TESTING:
        return Security(Tls.VERIFY, (host,), False, TESTING, is_trial=True)
    return OPPORTUNISTIC


def _unproved(hop: NextHop, host: str) -> Refusal:
    return Refusal(
        "5.7.10",
        f"the message requires TLS, and nothing proves that {host} is the mail server of {hop.host}",
    )


def _not_listed(hop: NextHop, host: str) -> Refusal:
    """For now: whoever forged the MX record will not be there for ever (RFC 8461 §5)."""
    return Refusal("4.7.5", f"the MTA-STS policy of {hop.host} does not name {host}")
