"""Seeds: what a worker draws in a step depends on seed, worker and step alone."""

from __future__ import annotations

import numpy as np
import torch


def seed_of(seed: int, worker: int, step: int) -> int:
    """A seed for one worker's draws in one step, mixed so that neighbours are unrelated.

    torch's CPU generator uses the low 32 bits of it.
    """
    return int(np.random.SeedSequence((seed, worker, step)).generate_state(1, np.uint32)[0])


def generator_of(seed: int, worker: int, step: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A new generator for one worker's draws in one step."""
    return torch.Generator(device).manual_seed(seed_of(seed, worker, step))
