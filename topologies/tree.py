"""The tree: leaf switches under one root switch."""

from __future__ import annotations

from testbed.errors import UserError
from topologies.topology import LinkClass, Topology

DEFAULT_ARITY = 4  # two leaves at the usual eight workers: the smallest tree in which trunks matter


class Tree(Topology):
    """Workers hang from leaf switches, `arity` of them each in order of rank; leaf switches hang from a root.

              ┌─── s0 ───┐           root, trunks
           ┌─ s1 ─┐   ┌─ s2 ─┐       leaf switches, access links
           w0    w1   w2    w3       arity = 2

    The last leaf may have fewer workers than the others. Neighbours in rank share a leaf, but for the last of one
    leaf and the first of the next, whose packets cross two trunks.
    """

    name = "tree"
    links_between_neighbours = 2
    takes_arity = True

    def build(self, workers: int, arity: int | None = None) -> None:
        """Switch 0 is the root; leaf `i` is switch `i + 1` and its port 1 leads to the root."""
        arity = DEFAULT_ARITY if arity is None else arity
        if arity < 2:
            raise UserError(
                f"arity {arity}: two workers of a tree must share a leaf switch, as latency is defined "
                "between them; choose at least 2"
            )
        root = self.add_switch()
        for first in range(0, workers, arity):
            leaf = self.add_switch()
            self.connect(leaf, root, LinkClass.TRUNK)
            for _ in range(first, min(first + arity, workers)):
                self.connect(self.add_worker(), leaf)
