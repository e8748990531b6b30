"""How much may be sent, and by whom, in a minute, an hour, a day: `limits.rates:` of the configuration."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AccountRates:
    """What one account may send.  0: no bound."""

    messages_per_hour: int = 10_000
    messages_per_day: int = 50_000
    recipients_per_hour: int = 50_000
    recipients_per_day: int = 250_000
    bytes_per_hour: int = 4_294_967_296
    bytes_per_day: int = 17_179_869_184


@dataclass(frozen=True, slots=True)
class SenderRates:
    """What may be sent as one address of ours, or by all accounts of a domain together.  0: no bound."""

    messages_per_hour: int = 0
    messages_per_day: int = 0
    recipients_per_hour: int = 0
    recipients_per_day: int = 0
    bytes_per_hour: int = 0
    bytes_per_day: int = 0


@dataclass(frozen=True, slots=True)
class AddressRates:
    """What may come from one IPv4 address, or IPv6 /64, without log-in.  0: no bound."""

    connections_per_minute: int = 600
    messages_per_hour: int = 20_000
    recipients_per_hour: int = 100_000
    bytes_per_hour: int = 21_474_836_480
    refused_recipients_per_hour: int = 500
    failed_logins_per_hour: int = 30


@dataclass(frozen=True, slots=True)
class NetworkRates:
    """What may come from the addresses of one network together.  0: no bound."""

    connections_per_minute: int = 1_800
    messages_per_hour: int = 60_000
    recipients_per_hour: int = 300_000
    bytes_per_hour: int = 64_424_509_440
    refused_recipients_per_hour: int = 1_500
    failed_logins_per_hour: int = 100


@dataclass(frozen=True, slots=True)
class RatesLimits:
    """How much may be sent in a minute, an hour, a day."""

    is_on: bool = True
    exempt: tuple[str, ...] = ("127.0.0.0/8", "::1/128")  # not limited by where they come from
    ipv4_network_bits: int = 24  # of the addresses that count as one network
    ipv6_network_bits: int = 64
    login_delay_s: float = (
        0.5  # more for each failed log-in of an account after the fifth in an hour
    )
    longest_login_delay_s: float = 10.0
    remembered: int = 20_000  # counters in each worker's memory; the longest unused go first
    size: int = 67_108_864  # octets of cache.db, in which workers compare them; the same there
    account: AccountRates = field(default_factory=AccountRates)
    sender: SenderRates = field(default_factory=SenderRates)
    domain: SenderRates = field(default_factory=SenderRates)
    address: AddressRates = field(default_factory=AddressRates)
    network: NetworkRates = field(default_factory=NetworkRates)
