"""Import of reference.py and the modules beside it: each scenario has its own, even if names are the same."""

from __future__ import annotations

import builtins
import importlib
import itertools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

PREFIX = "avo_scenario_"
"""Prefix of the package of a scenario's modules, before its name and a number."""
_numbers = itertools.count(1)


def import_reference(folder: Path) -> ModuleType:
    """Import reference.py of a folder anew, with the modules beside it. Raises whatever that code raises."""
    package = f"{PREFIX}{re.sub(r'[^0-9a-zA-Z_]', '_', folder.name)}_{next(_numbers)}"
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    importlib.invalidate_caches()  # a module may have been written since the folder was looked at
    home = ModuleType(package, "The modules of one scenario.")
    home.__path__ = [str(folder)]
    sys.modules[package] = home
    return importlib.import_module(f"{package}.reference")


def is_beside(folder: Path, name: str) -> bool:
    """Return True if the folder holds a module or a package of that name; a seed's folder is neither."""
    inner = folder / name
    return (
        inner.with_name(f"{name}.py").is_file()
        or (inner / "__init__.py").is_file()
        or (inner.is_dir() and any(inner.glob("*.py")))
    )


class _Finder:
    """An import finder for the modules of scenarios."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(PREFIX):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """A loader that lets `import helper` in a scenario's module import the helper beside it."""

    def path_stats(self, path: Any) -> Mapping[str, Any]:
        raise OSError  # no bytecode is kept: of a file that changed within a second it would be the old one's

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__.partition(".")[0]
        module.__dict__["__builtins__"] = vars(builtins) | {"__import__": _importing(package)}
        super().exec_module(module)


def _importing(package: str) -> Callable[..., Any]:
    """Return the `__import__` for a scenario's modules, which prefers the modules in its folder."""
    folder = Path(sys.modules[package].__path__[0])

    def importing(
        name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] | None = (), level: int = 0
    ) -> Any:
        top = name.partition(".")[0]
        if level or not is_beside(folder, top):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        if fromlist:
            return builtins.__import__(f"{package}.{name}", globals, locals, fromlist, 0)
        importlib.import_module(f"{package}.{name}")
        return sys.modules[f"{package}.{top}"]

    return importing
