"""One worker process: a loop with every listener, the store's threads, wake-ups, jobs, and its graceful end."""

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mailserver import jobs
from mailserver.app.config import Config, sieve_url, smarthost, upstream
from mailserver.app.dkim import life
from mailserver.app.logs import Output
from mailserver.app.memory import give_back_large_blocks
from mailserver.app.sending import policies_of, primaries, resolver_of, ways_out
from mailserver.base.errors import MailError
from mailserver.base.log import Log
from mailserver.base.registry import scan
from mailserver.jobs.leader import Leader
from mailserver.jobs.registry import JOBS, SERVICES, Site
from mailserver.mta.notify import Terms
from mailserver.mta.rates import Rates
from mailserver.net.dns import Resolver
from mailserver.net.dns_health import look
from mailserver.net.interests import Interests
from mailserver.net.tls import ServerTls
from mailserver.net.wakeups import Wakeups
from mailserver.servers.context import Context
from mailserver.servers.failures import Failures
from mailserver.servers.guard import Guard
from mailserver.servers.handover import Handover
from mailserver.servers.hub import Hub
from mailserver.servers.limits import Budget
from mailserver.servers.listen import Reception, Service
from mailserver.servers.load import Load
from mailserver.servers.mechanisms import Offer
from mailserver.servers.names import Names
from mailserver.servers.rates import Exchange, watch_overrides
from mailserver.servers.work import Work
from mailserver.store.report_counts import ReportCounts
from mailserver.store.store import Store, StoreOptions
from mailserver.store.traces import TraceLog
from mailserver.store.values import Changes

GRACE_S = (
    18.0  #: for connections and services to finish; what is left of workers.STOP_S is for the disk
)
COLLECT_AFTER = 20_000  #: objects made between two looks for garbage; with the usual 700 they cost more than they find

log = Log("app")


@dataclass(frozen=True, slots=True)
class Plan:
    """What all workers are given, made before the first of them starts.

    sockets:   for each worker its bound sockets, with the service they offer.
    interests: what each worker wants to hear of from the others.
    """

    config: Config
    tls: ServerTls
    sockets: list[list[tuple[socket.socket, Service]]]
    output: Output
    interests: Interests

    @property
    def run_dir(self) -> Path:
        """Lock files and sockets of this server."""
        return self.config.data_dir / "run"

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self.sockets)


def run_worker(plan: Plan, number: int, alive: int | None, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM, SIGINT or the end of *alive*; *ready* is called once all listeners are open."""
    mine = {sock.fileno() for sock, _ in plan.sockets[number]}
    for sock, _ in (pair for sockets in plan.sockets for pair in sockets):
        if sock.fileno() not in mine:
            sock.close()  # another worker's
    scan(jobs)
    give_back_large_blocks()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)
    plan.output.start()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(plan, number, alive, ready))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # it is not made for every platform
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(plan: Plan, number: int, alive: int | None, ready: Callable[[], None]) -> None:
    config, loop = plan.config, asyncio.get_running_loop()
    hub = Hub(plan.interests.row(number))
    wakeups = Wakeups(loop, plan.run_dir, number, plan.workers, hub.changed, plan.interests)

    def committed(changes: Changes) -> None:
        hub.changed(changes)
        wakeups.send(changes)

    options = StoreOptions(
        limits=config.limits.imap,
        queue=config.limits.queue,
        finds_attached=config.search.attachments == "all",
        sieve=config.limits.sieve,
        contacts=config.limits.contacts,
    )
    store = Store(
        config.data_dir, options=options, post=loop.call_soon_threadsafe, committed=committed
    )
    store.open()
    store.start()
    work = Work(store, loop)
    traces = TraceLog(config.data_dir, config.limits.traces)
    traces.start()
    counts = ReportCounts(config.data_dir, config.limits.reports)
    counts.start()
    rates = Rates(config.limits.rates)
    guard = Guard(rates, time.time, traces.keep)
    resolver = resolver_of(config)
    policies = policies_of(config, resolver)
    ways = ways_out(config, work, resolver, policies, counts)
    chance = secrets.SystemRandom().random
    memory = Budget(config.limits.connections.input_memory)
    load = Load(config.limits.overload, memory, lambda: work.writing)
    names = Names()
    terms = Terms(config.hostname, config.limits, smarthost(config))
    failures = Failures(work, resolver, terms, names, time.time)
    context = Context(
        hostname=config.hostname,
        limits=config.limits,
        work=work,
        tls=plan.tls,
        cleartext_from=config.auth.cleartext_from,
        hides_clients=config.submission.hide_clients,
        lmtp_from=config.lmtp.networks,
        proxies=config.proxy_protocol.networks,
        spool=store.spool_folder,
        hub=hub,
        memory=memory,
        stopping=asyncio.Event(),
        now=time.time,
        handover=Handover(is_alone=plan.workers == 1),
        keep_trace=traces.keep,
        count_mail=counts.dmarc,
        tell_failure=failures.tell,
        name=names,
        guard=guard,
        offer=Offer(work, config.auth.scram),
        seals=config.data_dir,
        smarthost=smarthost(config),
        upstream=upstream(config),
        managesieve=sieve_url(config),
        primaries=primaries(config, work, ways, chance),
        resolver=resolver,
        load=load,
    )
    exchange = Exchange(config.data_dir, work, rates, guard, time.time)
    reception = Reception(context)
    site = Site(
        work,
        store,
        time.time,
        config.limits,
        hub,
        config.hostname,
        chance,
        context.name,
        ways,
        context.smarthost,
        context.handover,
        spool=context.spool,
        seals=config.data_dir,
        dkim=life(config),
        reads_attachments=config.search.attachments != "none",
    )
    leader = Leader(plan.run_dir, site, JOBS.values(), SERVICES.values())
    stop = _until_told(plan, loop, alive)
    await context.offer.refresh()
    for sock, service in plan.sockets[number]:
        await reception.open(sock, service)
    await watch_overrides(work, hub, rates)
    exchange.start()
    failures.start()
    load.start()
    leader.start()
    ready()
    looking = asyncio.create_task(_say_how_the_dns_is(resolver)) if number == 0 else None
    await stop.wait()
    if looking is not None:
        looking.cancel()
    log.info("worker stops", worker=number, connections=reception.connections)
    await asyncio.gather(leader.stop(GRACE_S), reception.close(GRACE_S))
    await failures.stop()
    await load.stop()
    await exchange.stop()
    await policies.close()
    work.close()
    await loop.run_in_executor(None, store.close)
    await loop.run_in_executor(None, traces.close)
    await loop.run_in_executor(None, counts.close)
    wakeups.close()


async def _say_how_the_dns_is(resolver: Resolver) -> None:
    """In the log once; a machine without a DNS is told so no louder."""
    health = await look(resolver)
    log.info("dns", asks=" ".join(health.servers), dane=health.is_authentic, reason=health.text)


def _until_told(plan: Plan, loop: asyncio.AbstractEventLoop, alive: int | None) -> asyncio.Event:
    """An event that SIGTERM, SIGINT and the end of *alive* set; SIGHUP reloads meanwhile."""
    stop = asyncio.Event()
    interrupts = 0

    def interrupted() -> None:
        nonlocal interrupts
        interrupts += 1
        stop.set()
        if interrupts > 1:  # somebody at a terminal insists; what was acknowledged is on the disk
            log.warning("ended at once")
            logging.shutdown()
            os._exit(1)

    loop.add_signal_handler(signal.SIGINT, interrupted)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload, plan)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what came since the start is handled now
    if alive is not None:

        def parent_is_gone() -> None:
            loop.remove_reader(alive)
            log.error("the parent process is gone")
            stop.set()

        loop.add_reader(alive, parent_is_gone)
    return stop


def reload(plan: Plan) -> None:
    """What SIGHUP does: the log goes on in a new file, new handshakes use the certificate as it is now."""
    for what, act in (("log", plan.output.reopen), ("certificate", plan.tls.reload)):
        try:
            act()
        except MailError as reason:
            log.error("reload failed", what=what, reason=str(reason))
    log.info("reloaded")
