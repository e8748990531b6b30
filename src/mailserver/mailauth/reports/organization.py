"""Which organization a domain belongs to, as those ask who verify where reports go.

Spec: RFC 9990 §4; RFC 9989 §4.10.2.  Status: complete.
"""

from mailserver.mailauth.dmarc.discover import discover
from mailserver.mailauth.reports.external import Organization
from mailserver.mailauth.resolver import Resolver, Trouble


def organization_of(resolver: Resolver) -> Organization:
    """Gives the Organizational Domain of a domain; raises Trouble where the DNS has no answer for now."""

    async def organization(domain: str) -> str:
        found = await discover(resolver, domain)
        if found.is_temporary:
            raise Trouble(found.reason)
        return found.organization

    return organization
