"""From a configuration to a running server: lock, ports, certificate, privileges, database, workers.

In this order, so that each thing is refused with a clear text before the next is touched, and so that root is given
up after the ports are bound and before anything is read that came from outside.
"""

import contextlib
import os
import resource
import signal
import socket
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from mailserver import __version__
from mailserver.app.advice import MISSING_LISTENERS, advice
from mailserver.app.config import Config
from mailserver.app.load import Loaded
from mailserver.app.lock import ServerLock
from mailserver.app.logs import Output, set_up
from mailserver.app.privileges import become, hand_over
from mailserver.app.wire import services
from mailserver.app.worker import Plan, reload, run_worker
from mailserver.app.workers import SIGNALS, Workers
from mailserver.base.errors import MailError
from mailserver.base.log import Log
from mailserver.net.interests import Interests
from mailserver.net.systemd import notify
from mailserver.net.tls import Files, ServerTls, self_signed
from mailserver.servers.listen import Service, bind_for
from mailserver.store.store import Store

BACKLOG = 1_024  #: connections that wait until a worker accepts them
OWN_FILES = 200  #: open files a worker needs besides its connections

log = Log("app")


def serve(loaded: Loaded) -> None:
    """Run the server until it is told to stop.  Raises MailError when it cannot start."""
    config = loaded.config
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until somebody handles them
    os.umask(0o077)
    run_dir = config.data_dir / "run"
    hand_over([config.data_dir, run_dir], config.user, config.group)
    lock = ServerLock(run_dir)
    try:
        output = set_up(config.log.level, config.log.format, config.log.file)
        files = [lock.path] if config.log.file is None else [lock.path, config.log.file]
        hand_over(files, config.user, config.group)
        _run(loaded, output)
    finally:
        lock.release()


def _run(loaded: Loaded, output: Output) -> None:
    config = within_file_limit(loaded.config, raise_file_limit())
    offered = services(config.hostname)
    sockets = bind_all(config, offered, worker_count(config))
    try:
        tls = _from_files(config)
        become(config.user, config.group, config.data_dir)
        if tls is None:
            now = datetime.fromtimestamp(time.time(), UTC)
            folder = config.data_dir / "tls"
            tls = ServerTls(
                self_signed(folder, config.hostname, now),
                config.tls.min_version,
                config.tls.client_ca,
            )
        Store(config.data_dir).open()
        for sock, _ in (pair for mine in sockets for pair in mine):
            sock.listen(BACKLOG)  # whoever comes from now on waits until a worker is there
        plan = Plan(config, tls, sockets, output, Interests(len(sockets)))
        _announce(loaded, plan, offered)
        _work(plan)
    finally:
        close_all(sockets)
        remove_unix_sockets(config, offered)
    log.info("stopped")
    output.close()


def _work(plan: Plan) -> None:
    """Until the end."""

    def ready() -> None:
        notify("READY=1")
        log.info("ready", workers=plan.workers)

    if plan.workers == 1:
        run_worker(plan, 0, None, ready)
    else:
        workers = Workers(
            plan.workers,
            lambda number, alive: run_worker(plan, number, alive, _nothing),
            lambda: reload(plan),
            lambda: close_all(plan.sockets),
        )
        workers.run(ready)


def _nothing() -> None:
    """A worker of several is ready: its sockets were open before."""


def worker_count(config: Config) -> int:
    """How many workers; auto is one for each core this process may use."""
    if config.workers != "auto":
        return config.workers
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def raise_file_limit() -> int:
    """As many open files as the system lets us have, which is the value: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def within_file_limit(config: Config, files: int) -> Config:
    """*config* with no more connections than *files* allow, so that the one too many is told and not left hanging."""
    limits = config.limits
    room = max(files - OWN_FILES, 1)
    if files == resource.RLIM_INFINITY or limits.connections.total <= room:
        return config
    log.warning(
        "fewer connections than configured",
        connections=room,
        configured=limits.connections.total,
        open_files=files,
    )
    connections = replace(limits.connections, total=room)
    return config.model_copy(update={"limits": replace(limits, connections=connections)})


def bind_all(
    config: Config, offered: dict[str, Service], workers: int
) -> list[list[tuple[socket.socket, Service]]]:
    """For each worker its sockets, not listening yet.

    Raises MailError for the first address that cannot be had.
    """
    sockets: list[list[tuple[socket.socket, Service]]] = [[] for _ in range(workers)]
    try:
        for name, service in offered.items():
            for endpoint in getattr(config.listeners, name):
                for mine, bound in zip(sockets, bind_for(endpoint, workers), strict=True):
                    mine += [(sock, service) for sock in bound]
    except MailError:
        close_all(sockets)
        raise
    return sockets


def close_all(sockets: list[list[tuple[socket.socket, Service]]]) -> None:
    """Let go of all of them."""
    for mine in sockets:
        for sock, _ in mine:
            sock.close()


def remove_unix_sockets(config: Config, offered: Iterable[str]) -> None:
    """Their files; where we may not, they stay for the next start."""
    for name in offered:
        for endpoint in getattr(config.listeners, name):
            if endpoint.path is not None:
                with contextlib.suppress(OSError):
                    endpoint.path.unlink()


def _from_files(config: Config) -> ServerTls | None:
    """TLS from the files of the configuration, None in the mode self-signed."""
    if config.tls.certificate is None or config.tls.key is None:
        return None
    return ServerTls(
        Files(config.tls.certificate, config.tls.key), config.tls.min_version, config.tls.client_ca
    )


def _announce(loaded: Loaded, plan: Plan, offered: Iterable[str]) -> None:
    """One line for each thing an administrator may look for after a start."""
    config = plan.config
    log.info(
        "starting",
        version=__version__,
        hostname=config.hostname,
        config=loaded.path,
        data_dir=config.data_dir,
        workers=plan.workers,
    )
    if os.geteuid() == 0:
        log.warning("the server runs as root; set user to an account of its own")
    for problem in advice(loaded):
        log.warning(
            "configuration", where=problem.where or None, key=problem.key, text=problem.text
        )
    missing = [name for name in MISSING_LISTENERS if getattr(config.listeners, name)]
    if missing:
        log.info("not part of this version", listeners=missing)
    for name in offered:
        for endpoint in getattr(config.listeners, name):
            log.info("listening", service=name, address=endpoint)
