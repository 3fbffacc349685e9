"""Registries: a name in a sweep file becomes a class or a function.

A new one is a new file in the package, or an entry point of another package that is installed (extensions.py).
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from algorithms import extensions

Entry = TypeVar("Entry")
Registered = TypeVar("Registered")


class Registry(Generic[Entry]):
    """What one package offers, by name. Each module registers its own entries when it is imported.

    Without a package, the entries are those of the module that holds the registry. With a group of entry points, other
    packages offer more: subclasses of `base`.
    """

    def __init__(
        self, kind: str, package: str | None = None, *, group: str | None = None, base: type[Any] = object
    ) -> None:
        self._kind = kind
        self._package = package
        self._group = group
        self._base = base
        self._entries: dict[str, Entry] = {}
        self._extensions: set[str] = set()  # those of the entries that other packages have

    def register(self, name: str) -> Callable[[Registered], Registered]:
        """Decorate an entry with its name; a second entry of the same name is a programming error."""

        def enter(entry: Registered) -> Registered:
            if name in self._entries:
                raise KeyError(f"two {self._kind}s are called {name}")
            self._entries[name] = entry  # type: ignore[assignment]  # the decorator cannot narrow to Entry
            return entry

        return enter

    def names(self) -> tuple[str, ...]:
        """All names, sorted. Those of other packages are not imported."""
        offered = extensions.names(self._group) if self._group else ()
        return tuple(sorted({*self._own_names(), *offered}))

    def require_unambiguous(self) -> None:
        """ValueError where another package offers an entry under a name that is taken."""
        if self._group and extensions.names(self._group):
            extensions.require_none_called(self._kind, self._group, self._own_names())

    def _own_names(self) -> tuple[str, ...]:
        modules = pkgutil.iter_modules(importlib.import_module(self._package).__path__) if self._package else ()
        for module in modules:
            if not module.ispkg:
                importlib.import_module(f"{self._package}.{module.name}")
        return tuple(sorted(set(self._entries) - self._extensions))

    def find(self, name: str) -> Entry:
        """The entry called `name`; ValueError with the nearest name if there is none."""
        self._import_module_of(name)
        if name not in self._entries and self._group:
            self._load_extension(name, self._group)
        if name not in self._entries:
            near = difflib.get_close_matches(name, self.names(), n=1)
            remedy = f"did you mean {near[0]}?" if near else "choose one of those"
            if name not in self._entries:  # `names` has imported every module by now
                raise ValueError(f"{self._kind} is {name!r}, must be one of {', '.join(self.names())}; {remedy}")
        return self._entries[name]

    def _load_extension(self, name: str, group: str) -> None:
        """Enter what another package offers under this name; not for our names, as looking takes time."""
        entry = extensions.load(self._kind, group, name, self._base)
        if entry is not None:
            self._entries[name] = entry
            self._extensions.add(name)

    def _import_module_of(self, name: str) -> None:
        """Import `d_psgd` for `d-psgd`, so that a worker pays only for the libraries of what it uses."""
        module = name.replace("-", "_")
        if not self._package:
            return
        if module.isidentifier() and importlib.util.find_spec(f"{self._package}.{module}"):
            importlib.import_module(f"{self._package}.{module}")
