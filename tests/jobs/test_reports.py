"""Daily reports: what was counted leaves once, to those who want it, and nobody hears of what went wrong."""

import asyncio
import email
import gzip
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from certificates import authority
from jobs.post_office import a_site
from mailauth.zone import Zone
from mailserver.directory import report_settings
from mailserver.jobs.registry import Site
from mailserver.jobs.report_uploads import upload_reports
from mailserver.jobs.reports import forget_reports, send_reports
from mailserver.mailauth.reports import aggregate_reading, tls_json
from mailserver.mailauth.reports.tls_values import TlsFailure, TlsOutcome, TlsPolicy
from mailserver.mailauth.reports.values import Published, Row, Seen
from mailserver.mta.report_facts import unpack
from mailserver.net.dns import Addresses
from mailserver.net.https import Https
from mailserver.net.tls import ServerTls
from mailserver.servers.work import Work
from mailserver.store import report_counts
from mailserver.store.report_counts import DAY, DMARC, TLS, ReportCounts
from mailserver.store.reports import Received
from mailserver.store.store import Store
from webserver import WebServer, page

DAYS = 20_000
NOON = DAYS * DAY + DAY // 2
NEXT = (DAYS + 1) * DAY + 5 * 3_600  #: the next day, when all reports are due

ROW = Row("192.0.2.1", "example.org", "example.org", "none", True, False, "example.test")
SEEN = Seen(Published("example.org", "reject"), ("mailto:r@example.org",), ROW)
POLICY = TlsPolicy("example.net", "sts", ("version: STSv1",), ("mx.example.net",))
EXPIRED = TlsFailure("certificate-expired", "192.0.2.9", "mx.example.net", "198.51.100.1")


class Clock:
    def __init__(self) -> None:
        self.now = float(NEXT)

    def __call__(self) -> float:
        return self.now


class Lab:
    """A site at the morning after, and what its queue has for others."""

    def __init__(self, site: Site, clock: Clock, folder: Path, zone: Zone) -> None:
        self.site, self.clock, self.folder, self.zone = site, clock, folder, zone

    def count(self, *seen: Seen | TlsOutcome, at: float = NOON) -> None:
        counts = ReportCounts(self.folder, self.site.limits.reports)
        counts.start()
        for one in seen:
            if isinstance(one, Seen):
                counts.dmarc(one, at)
            else:
                counts.tls(one, at)
        counts.close()

    async def run(self) -> None:
        await send_reports(self.site)

    async def letters(self) -> list[tuple[list[str], bytes]]:
        """(recipients, the message) of all that waits."""

        def look(tx):
            db, found = tx.queue._db, []
            for id, blob, sender, origin, is_signable in db.rows(
                "SELECT id, blob_id, sender, origin, is_signable FROM queued ORDER BY id"
            ):
                assert (sender, origin, is_signable) == ("", "notice", 1)
                rows = db.rows(
                    "SELECT address, notify FROM queued_recipient WHERE queued_id = ? ORDER BY id",
                    (id,),
                )
                assert {notify for _, notify in rows} == {"NEVER"}
                data = tx.blobs.read(blob)
                found.append(([address for address, _ in rows], bytes(data)))
            return found

        return await self.site.work.read(look)

    async def set(self, name: str, text: str) -> None:
        await self.site.work.write(lambda tx: report_settings.change(tx, name, text))


@pytest.fixture
def lab(tmp_path):
    """Runs a coroutine function of a Lab."""

    def run(
        act: Callable[[Lab], Awaitable[None]], zone: str = "", web: Https | None = None
    ) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            store = Store(tmp_path, post=loop.call_soon_threadsafe)
            store.open()
            store.start()
            work, clock, dns = Work(store, loop), Clock(), Zone(zone)
            site = a_site(work, store, clock)
            site = replace(site, ways=replace(site.ways, resolver=dns, web=web))
            try:
                await work.write(lambda tx: tx.domains.add("example.test"))
                await act(Lab(site, clock, tmp_path, dns))
            finally:
                work.close()
                await loop.run_in_executor(None, store.close)

        asyncio.run(asyncio.wait_for(main(), 60))

    return run


def attached(data: bytes) -> tuple[email.message.Message, bytes]:
    """(The message, its report unpacked.)"""
    message = email.message_from_bytes(data)
    (part,) = [one for one in message.walk() if one.get_filename()]
    return message, gzip.decompress(part.get_payload(decode=True))


@pytest.mark.rfc(9990, "3.5.1", "3.5.2")
def test_a_days_counts_leave_as_a_report(lab):
    async def act(lab):
        lab.count(SEEN, SEEN, SEEN._replace(row=ROW._replace(is_dkim_aligned=False)))
        await lab.run()
        ((to, data),) = await lab.letters()
        assert to == ["r@example.org"]
        message, document = attached(data)
        report = aggregate_reading.read(document)
        assert (report.messages, report.passed) == (3, 2)
        assert (report.begin, report.end) == (DAYS * DAY, (DAYS + 1) * DAY - 1)
        assert message["From"] == "postmaster@example.test"
        assert message["Message-ID"] == f"<{report.report_id}>"
        assert " ".join(message["Subject"].split()) == (
            f"Report Domain: example.org Submitter: example.test Report-ID: <{report.report_id}>"
        )
        (part,) = [one for one in message.walk() if one.get_filename()]
        assert part.get_content_type() == "application/gzip"
        token = report.report_id.split(".")[1].split("@")[0]
        assert part.get_filename() == (
            f"example.test!example.org!{report.begin}!{report.end}!{token}.xml.gz"
        )
        assert report_counts.days(lab.folder, DMARC) == []

    lab(act)


@pytest.mark.rfc(8460, "3", "4.1", "5.1", "5.3")
def test_connections_leave_as_a_report_by_mail_and_https(lab):
    async def act(lab):
        lab.count(TlsOutcome(POLICY), TlsOutcome(POLICY, EXPIRED))
        await lab.run()
        ((to, data),) = await lab.letters()
        assert to == ["t@elsewhere.example"]
        message, document = attached(data)
        report = tls_json.read(document)
        assert (report.successes, report.failed) == (1, 1)
        assert message.get_content_type() == "multipart/report"
        assert message.get_param("report-type") == "tlsrpt"
        assert message["TLS-Report-Domain"] == "example.net"
        assert message["TLS-Report-Submitter"] == "example.test"
        assert message["TLS-Required"] == "No"
        (part,) = [one for one in message.walk() if one.get_filename()]
        assert part.get_content_type() == "application/tlsrpt+gzip"
        (upload,) = await lab.site.work.read(lambda tx: tx.reports.uploads(NEXT * 2, 10))
        assert upload.uri == "https://reports.example.net/v1"
        assert upload.media_type == "application/tlsrpt+gzip"
        assert gzip.decompress(upload.body) == document

    lab(
        act,
        '_smtp._tls.example.net TXT "v=TLSRPTv1;rua=mailto:t@elsewhere.example,https://reports.example.net/v1"',
    )


def test_nothing_leaves_twice_whatever_crashes(lab):
    async def act(lab):
        lab.count(SEEN)
        await lab.run()
        lab.count(SEEN)  # as if the counts had not been cleared away, or came late
        await asyncio.gather(lab.run(), lab.run())
        assert len(await lab.letters()) == 1
        assert report_counts.days(lab.folder, DMARC) == []

    lab(act)


def test_two_leaders_send_once(lab):
    async def act(lab):
        lab.count(SEEN, TlsOutcome(POLICY))
        await asyncio.gather(*(lab.run() for _ in range(4)))
        assert len(await lab.letters()) == 2

    lab(act, '_smtp._tls.example.net TXT "v=TLSRPTv1; rua=mailto:t@example.net"')


def test_today_is_not_over_and_reports_are_spread(lab):
    async def act(lab):
        lab.count(SEEN, at=NEXT)
        lab.count(*(SEEN._replace(published=Published(f"d{n}.example")) for n in range(20)))
        lab.clock.now = (DAYS + 1) * DAY + 1.0
        await lab.run()
        assert len(await lab.letters()) < 5
        lab.clock.now = (DAYS + 1) * DAY + 2 * 3_600.0
        await lab.run()
        half = len(await lab.letters())
        assert 0 < half < 20
        lab.clock.now = float(NEXT)
        await lab.run()
        assert report_counts.days(lab.folder, DMARC) == [DAYS + 1]

    lab(
        act, "\n".join(f'd{n}.example._report._dmarc.example.org TXT "v=DMARC1"' for n in range(20))
    )


@pytest.mark.rfc(9990, "4")
def test_others_get_reports_only_where_they_want_them(lab):
    async def act(lab):
        lab.count(SEEN._replace(rua=("mailto:r@victim.example", "mailto:s@service.example")))
        await lab.run()
        ((to, _),) = await lab.letters()
        assert to == ["s@service.example"]
        ours = SEEN._replace(published=Published("example.com"), rua=("mailto:r@victim.example",))
        lab.count(ours)
        await lab.run()
        assert len(await lab.letters()) == 1
        sent = {one.domain: one for one in await lab.site.work.read(lambda tx: tx.reports.sent(9))}
        assert sent["example.com"].outcome == "nobody: not wanted by r@victim.example"
        assert sent["example.com"].report_id == ""

    lab(act, 'example.org._report._dmarc.service.example TXT "v=DMARC1"')


@pytest.mark.rfc(9990, "3.5")
def test_who_takes_less_gets_nothing(lab):
    async def act(lab):
        lab.count(SEEN._replace(rua=("mailto:small@example.org!1k", "mailto:large@example.org!1m")))
        await lab.run()
        ((to, data),) = await lab.letters()
        assert to == ["large@example.org"]
        assert attached(data)[0]["To"] == "large@example.org"
        lab.count(
            SEEN._replace(published=Published("x.example.org"), rua=("mailto:s@example.org!9",))
        )
        await lab.run()
        assert len(await lab.letters()) == 1

    lab(act, '_dmarc.example.org TXT "v=DMARC1; p=none"')


def test_trouble_with_the_dns_puts_off_and_gives_up_in_the_end(lab):
    async def act(lab):
        lab.count(SEEN._replace(rua=("mailto:r@slow.example",)), TlsOutcome(POLICY))
        await lab.run()
        assert await lab.letters() == []
        assert report_counts.days(lab.folder, DMARC) == [DAYS]
        assert report_counts.days(lab.folder, TLS) == [DAYS]
        lab.clock.now = (DAYS + 3) * DAY + 1.0
        await lab.run()
        assert await lab.letters() == []
        assert report_counts.days(lab.folder, DMARC) == []
        assert report_counts.days(lab.folder, TLS) == []

    lab(act, "example.org._report._dmarc.slow.example TROUBLE\n_smtp._tls.example.net TROUBLE")


def test_who_wants_no_reports_sends_none(lab):
    async def act(lab):
        await lab.set("dmarc", "off")
        await lab.set("sender", "dmarc@example.test")
        await lab.set("org", "Example & Sons")
        lab.count(SEEN, TlsOutcome(POLICY))
        await lab.run()
        ((to, data),) = await lab.letters()
        assert to == ["t@example.net"]
        message, document = attached(data)
        assert message["From"] == "dmarc@example.test"
        assert tls_json.read(document).org == "Example & Sons"
        assert report_counts.days(lab.folder, DMARC) == []

    lab(act, '_smtp._tls.example.net TXT "v=TLSRPTv1; rua=mailto:t@example.net"')


def test_a_report_about_our_own_domain_is_kept_here(lab):
    async def act(lab):
        lab.count(Seen(Published("example.test"), ("mailto:dmarc-reports@example.test",), ROW))
        await lab.run()
        ((to, _),) = await lab.letters()
        assert to == ["dmarc-reports@example.test"]
        (kept,) = await lab.site.work.read(lambda tx: tx.reports.list())
        assert isinstance(kept, Received)
        assert (kept.domain, kept.good, kept.bad) == ("example.test", 1, 0)
        _, facts = await lab.site.work.read(lambda tx: tx.reports.get(kept.id))
        assert unpack("dmarc", facts).records[0].row == ROW

    lab(act)


def test_who_asks_for_nothing_leaves_no_note(lab):
    async def act(lab):
        lab.count(TlsOutcome(POLICY), TlsOutcome(POLICY._replace(domain="other.example")))
        await lab.run()
        assert await lab.letters() == []
        assert await lab.site.work.read(lambda tx: tx.reports.sent(9)) == []
        assert report_counts.days(lab.folder, TLS) == []

    lab(act, '_smtp._tls.other.example TXT "v=spf1 -all"')


def test_what_is_too_old_is_cleared_away(lab):
    async def act(lab):
        lab.count(SEEN)
        lab.clock.now = (DAYS + 30) * DAY + 1.0
        await lab.run()
        assert await lab.letters() == []
        assert report_counts.days(lab.folder, DMARC) == []

    lab(act)


def test_reports_are_forgotten_in_time(lab):
    async def act(lab):
        lab.count(SEEN)
        await lab.run()
        await forget_reports(lab.site)
        assert len(await lab.site.work.read(lambda tx: tx.reports.sent(9))) == 1
        lab.clock.now = 2e10
        await forget_reports(lab.site)
        assert await lab.site.work.read(lambda tx: tx.reports.sent(9)) == []

    lab(act)


def test_the_attachment_is_base64_of_short_lines(lab):
    async def act(lab):
        lab.count(*(SEEN._replace(row=ROW._replace(source=f"192.0.2.{n}")) for n in range(200)))
        await lab.run()
        ((_, data),) = await lab.letters()
        assert data.isascii()
        assert max(map(len, data.split(b"\r\n"))) <= 200
        assert b"\n" not in data.replace(b"\r\n", b"")
        assert len(aggregate_reading.read(attached(data)[1]).records) == 200

    lab(act)


class Here:
    """Every host is here."""

    async def addresses(self, host: str) -> Addresses:
        return Addresses(("127.0.0.1",), False, 60)


ROOT = authority("Web root")
ASKS = '_smtp._tls.example.net TXT "v=TLSRPTv1; rua=https://web.test:{port}/v1?a=b"'


def files(folder: Path, host: str = "web.test") -> tuple[ServerTls, Https]:
    """(A web server's certificate, who trusts its authority.)"""
    (folder / "root.pem").write_bytes(ROOT.pem)
    web = Https(Here(), folder / "root.pem", [ip_network("127.0.0.0/8")])
    return ServerTls(ROOT.server(host).files(folder, "web")), web


@pytest.mark.rfc(8460, "5.4")
def test_a_report_is_handed_over_to_a_web_server(lab, tmp_path):
    tls, https = files(tmp_path)

    async def act(lab):
        lab.count(TlsOutcome(POLICY))
        await lab.run()
        lab.clock.now = time.time() + 1  # uploads are due from the transaction's own time on
        await upload_reports(lab.site)
        assert await lab.site.work.read(lambda tx: tx.reports.uploads(2**60, 9)) == []

    with WebServer(tls.context, page(201, b"", "text/plain")) as web:
        lab(act, ASKS.format(port=web.port), https)
        (request,) = web.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1?a=b HTTP/1.1"
    assert b"Content-Type: application/tlsrpt+gzip" in lines
    assert tls_json.read(gzip.decompress(body)).successes == 1


@pytest.mark.rfc(8460, "5.5")
@pytest.mark.parametrize(("host", "status"), [("web.test", 503), ("other.test", 200)])
def test_who_does_not_take_it_is_asked_again_for_a_day(lab, tmp_path, host, status):
    tls, https = files(tmp_path, host)

    async def act(lab):
        lab.count(TlsOutcome(POLICY))
        await lab.run()
        lab.clock.now = start = time.time() + 1
        for _ in range(3):
            await upload_reports(lab.site)
        (one,) = await lab.site.work.read(lambda tx: tx.reports.uploads(2**60, 9))
        assert one.attempts == 1
        assert await lab.site.work.read(lambda tx: tx.reports.uploads(int(start) + 298, 9)) == []
        lab.clock.now += 302
        await upload_reports(lab.site)
        (one,) = await lab.site.work.read(lambda tx: tx.reports.uploads(2**60, 9))
        assert one.attempts == 2
        lab.clock.now += 86_400
        await upload_reports(lab.site)
        assert await lab.site.work.read(lambda tx: tx.reports.uploads(2**60, 9)) == []

    with WebServer(tls.context, page(status, b"", "text/plain")) as web:
        lab(act, ASKS.format(port=web.port), https)
        assert len(web.requests) == (3 if status == 503 else 0)
