"""Folders that are scanned: every module is imported, in name order, and broken ones are not passed over."""

import importlib
import sys

import pytest

from mailserver.base.registry import scan


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A package whose modules say when they are imported."""

    def make(name: str, **modules: str):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("order = []\n")
        for module, code in modules.items():
            (tmp_path / name / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path))
        return importlib.import_module(name)

    yield make
    for name in [n for n in sys.modules if n.startswith("scanned")]:
        del sys.modules[name]


def test_all_modules_in_name_order(folder):
    say = "from scanned_a import order\norder.append(__name__)\n"
    package = folder("scanned_a", move=say, append=say, idle=say)
    assert scan(package) == ["append", "idle", "move"]
    assert package.order == ["scanned_a.append", "scanned_a.idle", "scanned_a.move"]
    scan(package)
    assert len(package.order) == 3  # a second scan registers nothing twice


def test_a_broken_module_is_not_passed_over(folder):
    with pytest.raises(ZeroDivisionError):
        scan(folder("scanned_b", good="", worse="1 / 0\n"))
