"""What a TLS report says: how connections to the hosts of a domain went.

Spec: RFC 8460 §4.  Status: complete.
"""

from typing import NamedTuple

SUCCESS = "success"

#: the result types there are (RFC 8460 §4.3), and what each means to a reader
RESULTS = {
    "starttls-not-supported": "the host did not offer STARTTLS",
    "certificate-host-mismatch": "the certificate is not for that host",
    "certificate-expired": "the certificate has expired",
    "certificate-not-trusted": "no authority vouches for the certificate",
    "validation-failure": "something else was wrong with TLS",
    "tlsa-invalid": "no TLSA record could be used",
    "dnssec-invalid": "the signatures in the DNS are wrong",
    "dane-required": "DANE was asked for and there were no TLSA records",
    "sts-policy-fetch-error": "the MTA-STS policy could not be fetched",
    "sts-policy-invalid": "the MTA-STS policy cannot be read",
    "sts-webpki-invalid": "the certificate of the MTA-STS policy's server is not trusted",
}


class TlsPolicy(NamedTuple):
    """What a connection had to obey (RFC 8460 §4.4).

    type:     "sts", "tlsa" or "no-policy-found".
    text:     the policy's lines, or the TLSA records.
    mx_hosts: patterns of the MTA-STS policy, or hosts.
    """

    domain: str
    type: str = "no-policy-found"
    text: tuple[str, ...] = ()
    mx_hosts: tuple[str, ...] = ()


class TlsFailure(NamedTuple):
    """How a connection failed; "" for what is not known."""

    result: str
    sending_ip: str = ""
    receiving_mx: str = ""
    receiving_ip: str = ""
    receiving_helo: str = ""
    reason: str = ""
    more: str = ""


class TlsOutcome(NamedTuple):
    """One connection attempt.

    failure: None when it went as the policy wants.
    """

    policy: TlsPolicy
    failure: TlsFailure | None = None


class TlsPolicyReport(NamedTuple):
    """What happened under one policy.

    failures: each with how many sessions ended so.
    """

    policy: TlsPolicy
    successes: int
    failed: int
    failures: tuple[tuple[TlsFailure, int], ...] = ()


class TlsReport(NamedTuple):
    """A report on one domain (RFC 8460 §4.4).

    begin, end: UTC epoch seconds.
    """

    org: str
    contact: str
    report_id: str
    begin: int
    end: int
    policies: tuple[TlsPolicyReport, ...]

    @property
    def submitter(self) -> str:
        """The domain that makes it, in lower case; "" if it does not say (RFC 8460 §5.3)."""
        return self.contact.rpartition("@")[2].lower().rstrip(".>")

    @property
    def successes(self) -> int:
        """Sessions that went well."""
        return sum(one.successes for one in self.policies)

    @property
    def failed(self) -> int:
        """Sessions that did not."""
        return sum(one.failed for one in self.policies)
