"""How safe the way to a next hop must be: the one place where that is decided for mail that leaves.

Spec: RFC 7435 §3; RFC 8689 §4.2.1, §5.  Status: opportunistic TLS, REQUIRETLS, and what operators demand of next hops.

What a domain publishes about itself (DANE, MTA-STS) will be further arguments of `security`, and no further function.
"""

from dataclasses import dataclass

from mailserver.mta.relay import NextHop, Refusal
from mailserver.smtp.outgoing import Tls


@dataclass(frozen=True, slots=True)
class Security:
    """What a connection must have before mail goes over it.

    names:       the certificate must be for one of these; empty unless `tls` is VERIFY.
    require_tls: the next hop must promise the same for its own next hop (RFC 8689 §4.2.1).
    reason:      for logs and attempts.
    """

    tls: Tls
    names: tuple[str, ...]
    require_tls: bool
    reason: str


OPPORTUNISTIC = Security(Tls.MAY, (), False, "opportunistic")
IN_CLEAR = Security(Tls.NEVER, (), False, "a handshake failed, and nobody asked for more")

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
) -> Security | Refusal:
    """What a connection to *host* must have; a Refusal if no connection to it can be good enough.

    demand:       what the operator wants of this next hop, whatever the message.
    is_authentic: DNSSEC vouches for the answer that named *host*; needless where the configuration named it.
    needs_tls:    the message came with REQUIRETLS.
    is_notice:    it has the null reverse-path, and is not lost for want of TLS (RFC 8689 §5).
    """
    if not needs_tls or is_notice:
        if demand is Tls.MAY:
            return OPPORTUNISTIC
        return Security(demand, (host,) if demand is Tls.VERIFY else (), False, "configured")
    if hop.is_by_mx and not is_authentic:
        return Refusal(
            "5.7.10",
            f"the message requires TLS, and nothing proves that {host} is the mail server of {hop.host}",
        )
    return Security(Tls.VERIFY, (host,), True, "REQUIRETLS")
