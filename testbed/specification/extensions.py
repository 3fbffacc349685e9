"""Whether what other packages offer can be told from what Gradwire has, before anything is planned."""

from __future__ import annotations

from typing import Any

from algorithms import extensions
from algorithms.registration import Registry
from testbed.errors import UserError


def require_unambiguous() -> None:
    """UserError where an installed package offers an algorithm, codec or workload under a name that is taken."""
    if not extensions.packages():
        return
    from algorithms.algorithm import ALGORITHMS  # imports torch, for which a mistake need not wait
    from algorithms.codecs.codec import CODECS
    from testbed.workloads.workload import registry

    registries: tuple[Registry[Any], ...] = (ALGORITHMS, CODECS, registry)
    try:
        for each in registries:
            each.require_unambiguous()
    except ValueError as error:
        raise UserError(str(error)) from None
