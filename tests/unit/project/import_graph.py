"""The package's modules and what each imports, read with ast: nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "rotator"


@dataclass(frozen=True)
class Graph:
    """Module name -> names of modules that it imports, ours and others'. A room's module is 'rotator.room.module'."""

    imports: Mapping[str, frozenset[str]]

    def reach(self, module: str) -> frozenset[str]:
        """All that importing `module` brings in: its imports, theirs, and the packages around each of ours."""
        seen: set[str] = set()
        todo = [module]
        while todo:
            for name in self._executed(todo.pop()):
                if name not in seen:
                    seen.add(name)
                    todo.append(name)
        return frozenset(seen - {module})

    def _executed(self, module: str) -> Iterable[str]:
        for name in self.imports.get(module, ()):
            parts = name.split(".")
            yield from (".".join(parts[: length + 1]) for length in range(len(parts)))

    def users_of(self, *wanted: str) -> frozenset[str]:
        """Modules that import any of `wanted`, or something inside them."""
        return frozenset(m for m, names in self.imports.items() if any(is_in(name, wanted) for name in names))

    def breaches(self, wanted: tuple[str, ...], homes: tuple[str, ...]) -> frozenset[str]:
        """Modules outside `homes` that import any of `wanted`."""
        return frozenset(module for module in self.users_of(*wanted) if not is_in(module, homes))


def is_in(name: str, packages: Iterable[str]) -> bool:
    """Whether `name` is one of the packages or lies in one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def imports_of(source: str, module: str, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """What one source imports, wherever in it the import stands. `known`: our modules, to tell them from names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                outer = module.split(".")[: -node.level]
                base = ".".join([*outer, base] if base else outer)
            found.add(base)
            found |= {f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in known}
    return frozenset(found)


def read_graph(package: Path = PACKAGE) -> Graph:
    """The graph of the package as it lies on the disk."""
    files = {_module(path, package): path for path in sorted(package.rglob("*.py"))}
    known = frozenset(files)
    return Graph({module: imports_of(path.read_text(), module, known) for module, path in files.items()})


def _module(path: Path, package: Path) -> str:
    parts = [package.name, *path.relative_to(package).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
