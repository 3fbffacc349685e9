"""Entries of other packages: named by the entry points of what is installed, loaded when they are asked for.

A package says in its `pyproject.toml`

    [project.entry-points."gradwire.algorithms"]
    local-sgd = "their_package.local_sgd:LocalSgd"

Names are read from the metadata alone, so that a package which cannot be imported is in the way of nothing but its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUPS = ("gradwire.algorithms", "gradwire.codecs", "gradwire.workloads")


def packages() -> dict[str, str]:
    """The packages that offer anything, each with its version."""
    offers = [offer for group in GROUPS for offer in entry_points(group=group)]
    return {offer.dist.name: offer.dist.version for offer in offers if offer.dist}


def names(group: str) -> tuple[str, ...]:
    """What installed packages offer in a group of entry points, sorted."""
    return tuple(sorted(entry_points(group=group).names))


def load(kind: str, group: str, name: str, base: type) -> Any | None:
    """The subclass of `base` that an installed package offers under `name`; None where none does.

    ValueError in one sentence, which names the package, where it cannot be used.
    """
    offers = _distinct(entry_points(group=group, name=name))
    if not offers:
        return None
    if len(offers) > 1:
        packages = " and ".join(map(_package, offers))
        raise ValueError(f"{kind} {name} is offered by two packages, {packages}: uninstall one of them")
    (offer,) = offers
    try:
        entry = offer.load()
    except Exception as error:  # what a package's own code raises can be anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(
            f"{kind} {name} of package {_package(offer)} cannot be loaded ({reason}): "
            "repair the package, or uninstall it"
        ) from None
    if fault := _fault(entry, name, base):
        raise ValueError(
            f"{kind} {name} of package {_package(offer)} is {offer.value}, {fault}: repair the package, or uninstall it"
        )
    return entry


def require_none_called(kind: str, group: str, taken: Sequence[str]) -> None:
    """ValueError where a package offers what Gradwire has: which of the two is meant would be a guess."""
    for offer in entry_points(group=group):
        if offer.name in taken:
            raise ValueError(
                f"{kind} {offer.name} of package {_package(offer)} has the name of one that Gradwire has: "
                "give it another name, or uninstall the package"
            )


def _distinct(offers: Sequence[EntryPoint]) -> list[EntryPoint]:
    """Each package once: one that lies twice on the path, as where a checkout is installed, is one package."""
    return list({(_package(offer), offer.value): offer for offer in offers}.values())


def _package(offer: EntryPoint) -> str:
    return f"{offer.dist.name} {offer.dist.version}" if offer.dist else offer.value.partition(":")[0]


def _fault(entry: Any, name: str, base: type) -> str | None:
    """Why an entry cannot be used."""
    if not (isinstance(entry, type) and issubclass(entry, base)):
        return f"which must be a subclass of {base.__module__}.{base.__name__}"
    if lacking := getattr(entry, "__abstractmethods__", None):
        return f"which must define {', '.join(sorted(lacking))}"
    if (own := getattr(entry, "name", None)) != name:
        return f"whose `name` is {own!r} and must be {name!r}, as its entry point has it"
    return None
