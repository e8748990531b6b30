"""TLS reports on their way over HTTPS: handed over, tried again for a day, then given up.

Spec: RFC 8460 §3, §5.4, §5.5.  Status: complete.
Deviates: RFC 8460 §3 lets senders ignore certificates that are wrong; we do not, as nobody loses mail by it.
"""

from functools import partial
from urllib.parse import urlsplit

from mailserver.base.log import Log
from mailserver.jobs.registry import Site, job
from mailserver.net.https import Https, HttpsError
from mailserver.store.reports import Upload
from mailserver.store.tx import Write

AT_ONCE = 20  #: of one run
FIRST_S = 300  #: until the second attempt; then twice as long each time
LONGEST_S = 14_400
TIMEOUT_S = 60.0
ANSWER = 65_536  #: octets of an answer; nothing in it matters but its status

log = Log("reports")


@job("report-uploads", every_s=60, first_s=90)
async def upload_reports(site: Site) -> None:
    """TLS reports to those who take them over HTTPS."""
    web = site.ways.web
    if web is None:
        return
    now = int(site.now())
    for one in await site.work.read(lambda tx: tx.reports.uploads(now, AT_ONCE)):
        trouble = await _hand_over(web, one)
        await site.work.write(partial(_settle, one, trouble, int(site.now())))


def _settle(one: Upload, trouble: str, now: int, tx: Write) -> None:
    """Notes what became of it: taken, to be tried again, or given up."""
    if not trouble or now >= one.expires_at:
        tx.reports.uploaded(one.id)
        fate = f"given up: {trouble}" if trouble else "taken"
        log.info("report handed over", domain=one.domain, uri=one.uri, outcome=fate)
    else:
        tx.reports.put_off(one.id, now + min(FIRST_S << min(one.attempts, 10), LONGEST_S))
        log.info("report put off", domain=one.domain, uri=one.uri, reason=trouble)


async def _hand_over(web: Https, one: Upload) -> str:
    """Why it was not taken; "" if it was."""
    parts = urlsplit(one.uri)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        answer = await web.post(
            parts.hostname or "",
            path,
            one.body,
            {"Content-Type": one.media_type},
            most=ANSWER,
            timeout_s=TIMEOUT_S,
            port=parts.port or 443,
        )
    except HttpsError as error:
        return str(error)
    return "" if 200 <= answer.status < 300 else f"status {answer.status}"
