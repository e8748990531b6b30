"""Pieces of the start."""

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mailserver.app import privileges, run
from mailserver.app.config import Config, Listeners
from mailserver.base.errors import MailError, NotFound
from mailserver.net.endpoint import Endpoint
from mailserver.servers.listen import Service
from outside.server import free_ports

SRC = Path(__file__).parents[2] / "src"
SERVICE = Service("smtp", None, False, (b"", b""))
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def test_workers():
    assert run.worker_count(Config(workers=3)) == 3
    assert run.worker_count(Config(workers="auto")) == len(os.sched_getaffinity(0))


def test_no_more_connections_than_open_files(caplog):
    config = Config()
    assert run.within_file_limit(config, 100_000) is config
    assert run.within_file_limit(config, resource.RLIM_INFINITY) is config
    less = run.within_file_limit(config, 1_024)
    assert less.limits.connections.total == 1_024 - run.OWN_FILES
    assert less.limits.connections.per_address == config.limits.connections.per_address
    assert less.limits.smtp == config.limits.smtp
    assert [r.getMessage() for r in caplog.records] == ["fewer connections than configured"]


def test_each_worker_gets_sockets_of_its_own():
    port, other = free_ports(2)
    listeners = Listeners(smtp=(Endpoint("127.0.0.1", port), Endpoint("127.0.0.1", other)))
    sockets = run.bind_all(Config(listeners=listeners), {"smtp": SERVICE}, 3)
    assert [len(mine) for mine in sockets] == [2, 2, 2]
    assert len({sock.fileno() for mine in sockets for sock, _ in mine}) == 6
    run.close_all(sockets)


def test_what_was_bound_is_let_go_when_a_later_address_cannot_be_had():
    port, taken = free_ports(2)
    with socket.create_server(("127.0.0.1", taken)):
        listeners = Listeners(smtp=(Endpoint("127.0.0.1", port), Endpoint("127.0.0.1", taken)))
        with pytest.raises(MailError, match=f"127.0.0.1:{taken}"):
            run.bind_all(Config(listeners=listeners), {"smtp": SERVICE}, 2)
    socket.create_server(("127.0.0.1", port)).close()


@as_root
def test_unknown_users_are_named(tmp_path):
    for user, group in (("no-such-user", None), ("nobody", "no-such-group")):
        with pytest.raises(NotFound, match="no-such"):
            privileges.become(user, group, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MailError, match="file/data: Not a directory"):
        privileges.hand_over([tmp_path / "file" / "data"], None, None)


@as_root
def test_root_is_given_up_for_good(tmp_path_factory):
    """In a process of its own: the data folder and all that is made there belong to the user."""
    folder = tmp_path_factory.mktemp("own")
    for parent in (folder, *folder.parents):
        if parent.owner() == "root" and parent != Path("/") and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)
    data = folder / "data"
    data.mkdir()
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from mailserver.app import privileges\n"
        "from mailserver.app.privileges import become, hand_over\n"
        "privileges.check_program = lambda user: None\n"
        f"data = Path({str(data)!r})\n"
        "hand_over([data, data / 'run'], 'nobody', None)\n"
        "become('nobody', None, data)\n"
        "(data / 'made').touch()\n"
        "try:\n    os.setuid(0)\nexcept PermissionError:\n    print('for good', os.getgroups())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin"},
    )
    assert done.stderr == ""
    assert done.stdout.startswith("for good")
    assert "0" not in done.stdout.partition("[")[2].strip("]\n").split(", ")
    assert {path.owner() for path in (data, data / "run", data / "made")} == {"nobody"}


@as_root
def test_a_folder_of_somebody_else_is_named(tmp_path):
    script = (
        "from pathlib import Path\n"
        "from mailserver.app.privileges import become\n"
        "from mailserver.base.errors import MailError\n"
        "import mailserver.app.privileges as privileges\n"
        "privileges.check_program = lambda user: None\n"
        "try:\n    become('nobody', None, Path('/root'))\n"
        "except MailError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin"},
    )
    assert (
        done.stdout
        == "/root: nobody may not write there; run this as its owner root, or chown it\n"
    )


def test_a_program_that_the_user_may_not_read_is_named(tmp_path):
    privileges.check_program("mail", [__file__])
    with pytest.raises(MailError, match=r"mail may not read .*/none; install the program where"):
        privileges.check_program("mail", [str(tmp_path / "none")])
