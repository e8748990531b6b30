"""Folders that are scanned: one thing, one file.  Importing a module lets it register itself."""

import importlib
import pkgutil
from types import ModuleType


def scan(folder: ModuleType) -> list[str]:
    """The names of all modules of the package *folder*, imported in name order."""
    names = sorted(m.name for m in pkgutil.iter_modules(folder.__path__))
    for name in names:
        importlib.import_module(f"{folder.__name__}.{name}")
    return names
