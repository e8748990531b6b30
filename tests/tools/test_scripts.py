"""The shell half of scripts/: an environment from nothing, quick the second time, clear when something is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAIN = 'def main() -> None:\n    print("the command")\n'


class Clone:
    """A clone whose lock files are empty, so that nothing is fetched, and whose program prints one line."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "scripts", root / "scripts")
        (root / "requirements").mkdir()
        for name in ("run.txt", "dev.txt", "debian.txt"):
            (root / "requirements" / name).write_text("# nothing\n")
        app = root / "src/mailserver/app"
        app.mkdir(parents=True)
        (app.parent / "__init__.py").touch()
        (app / "__init__.py").touch()
        (app / "main.py").write_text(MAIN)

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "scripts" / script],
            cwd="/",
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "MAILSERVER_NO_INSTALL": "1",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return Clone(tmp_path_factory.mktemp("a clone"))  # with a space in its path


def test_from_nothing_then_quick_then_again_after_a_change(clone):
    first = clone.run("setup")
    assert first.returncode == 0, first.stderr
    assert "Installing the dependencies" in first.stderr
    again = clone.run("setup")
    assert again.returncode == 0
    assert "Installing" not in again.stderr
    command = [clone.root / ".venv/bin/mailserver"]
    said = subprocess.run(command, env={}, capture_output=True, text=True, check=True)
    assert said.stdout == "the command\n"
    (clone.root / "requirements/run.txt").write_text("# changed\n")
    assert "Installing the dependencies" in clone.run("setup").stderr


def test_an_environment_that_was_half_made_is_made_again(clone):
    shutil.rmtree(clone.root / ".venv", ignore_errors=True)
    (clone.root / ".venv").mkdir()
    (clone.root / ".venv/pyvenv.cfg").touch()
    assert clone.run("setup").returncode == 0


def test_a_folder_of_somebody_else_is_left_alone(clone, tmp_path):
    (tmp_path / "letters").touch()
    done = clone.run("setup", MAILSERVER_VENV=str(tmp_path))
    assert done.returncode == 1
    assert "is no virtual environment" in done.stderr
    assert (tmp_path / "letters").exists()


def without_python(folder: Path) -> str:
    """A PATH with the tools of a shell, and no Python."""
    for name in ("sh", "dirname", "readlink", "cat", "id", "flock", "sed", "rm"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return str(folder)


def test_no_python_is_said(clone, tmp_path):
    done = clone.run("serve", PATH=without_python(tmp_path))
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


def test_an_old_python_is_not_taken(clone, tmp_path):
    path = without_python(tmp_path)
    (tmp_path / "python3").write_text(
        "#!/bin/sh\nexit 1\n"
    )  # as 3.10 answers the question for its version
    (tmp_path / "python3").chmod(0o755)
    assert "Python 3.11 or newer is needed" in clone.run("serve", PATH=path).stderr


def interpreter(folder: Path, build: str, *, makes_venvs: bool = True) -> Path:
    """A `python3` in a new folder for the PATH: this interpreter, as if it had been built as *build* says."""
    folder.mkdir()
    lie = (
        "import sys, sysconfig, importlib.util as u\n"
        f"sysconfig.get_config_var = lambda name: {build!r}\n"
        "sys.base_prefix = '/opt/of-its-own'\n"
        + ("" if makes_venvs else "u.find_spec = lambda name: None\n")
    )
    (folder / "lie.py").write_text(lie)
    run = f'import sys; exec(open("{folder}/lie.py").read()); exec(sys.argv[1])'
    program = folder / "python3"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{run}' \"$2\"\n")
    program.chmod(0o755)
    return folder


def found_on(clone: Clone, path: str, **environment: str) -> str:
    """Which interpreter the scripts take from *path*."""
    done = subprocess.run(
        ["sh", "-c", '. "$0/scripts/lib.sh"; find_python', clone.root],
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_an_interpreter_built_with_its_profile_is_preferred(clone, tmp_path):
    plain = interpreter(tmp_path / "plain", "'--enable-shared'")
    tuned = interpreter(tmp_path / "tuned one", "'--enable-optimizations'")
    bare = interpreter(tmp_path / "bare", "'--enable-optimizations'", makes_venvs=False)
    tools = without_python(tmp_path)
    assert found_on(clone, f"{plain}:{tuned}:{tools}") == f"{tuned}/python3"
    assert found_on(clone, f"{plain}:{bare}:{tools}") == f"{plain}/python3"
    assert found_on(clone, f"{plain}:{tools}") == f"{plain}/python3"
    assert (
        found_on(clone, f"{tuned}:{plain}:{tools}", PYTHON=f"{plain}/python3") == f"{plain}/python3"
    )


def test_missing_debian_packages_are_named_and_fail_only_in_ci(clone):
    (clone.root / "requirements/debian.txt").write_text("no-such-package  # prog: for a test\n")
    if not shutil.which("dpkg-query"):
        pytest.skip("no Debian")
    (clone.root / "tools").mkdir(exist_ok=True)
    (clone.root / "tools/check.py").write_text('print("checked")\n')
    done = clone.run("test")
    assert "sudo apt-get install no-such-package" in done.stderr
    assert done.stdout == "checked\n"
    done = clone.run("test", CI="true")
    assert done.returncode == 1
    assert done.stdout == ""


def test_test_and_serve_share_an_environment(clone):
    """What the tests need holds all that the server needs."""
    (clone.root / "requirements/debian.txt").write_text("# nothing\n")
    (clone.root / "tools").mkdir(exist_ok=True)
    (clone.root / "tools/check.py").write_text("")
    (clone.root / "tools/try_it.py").write_text('print("tried")\n')
    shutil.rmtree(clone.root / ".venv", ignore_errors=True)
    assert clone.run("test").returncode == 0
    done = clone.run("serve")
    assert done.stdout == "tried\n"
    assert "Installing" not in done.stderr
