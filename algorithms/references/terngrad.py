"""terngrad in matrix form: X <- X - rate 1 mean(S K), S the largest of the rows' clipped scales, layer by layer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from algorithms.codecs.codec import ScaledCodec
from algorithms.references.reference import REFERENCES, Matrix, Reference


@REFERENCES.register("terngrad")
class TerngradReference(Reference):
    """Scales by the formula; digits drawn by the codec."""

    def step(self, G: Matrix, t: int, rate: float) -> None:
        """The mean of codes of one scale: nothing is coded again."""
        codec = self.setting.codec
        assert isinstance(codec, ScaledCodec)
        scales = np.stack([self.scales(g) for g in G])  # [worker, layer]
        edges = [G.shape[1] * part // len(G) for part in range(len(G) + 1)]
        coded = []
        for g, own, draws in zip(G, scales, self.generators(t), strict=True):
            codec.share(torch.tensor(scales.max(axis=0), dtype=torch.float32), torch.tensor(own, dtype=torch.float32))
            chunks = [self.coded(g[start:stop], draws, start) for start, stop in pairwise(edges)]
            coded.append(np.concatenate(chunks))
        self.X = self.X - rate * self.direction(np.broadcast_to(np.mean(coded, axis=0), G.shape))

    def scales(self, g: Matrix) -> Matrix:
        """min(max |g|, c sigma) of every layer, sigma the root of the mean square."""
        clip = self.setting.codec.options.clip
        layers = [g[layer.start : layer.stop] for layer in self.setting.layers] or [g]
        largest = [np.abs(part).max() for part in layers]
        if clip is None:
            return np.array(largest)
        limits = [clip * np.sqrt(np.mean(part**2)) for part in layers]
        return np.minimum(largest, limits)
