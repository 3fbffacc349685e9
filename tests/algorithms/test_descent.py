from __future__ import annotations

import pytest
import torch

from algorithms.descent import Descent


@pytest.mark.parametrize(("momentum", "weight_decay"), [(0.0, 0.0), (0.9, 0.0), (0.0, 0.1), (0.9, 1e-2)])
def test_follows_torch_sgd(momentum, weight_decay):
    draws = torch.Generator().manual_seed(0)
    theirs = torch.nn.Parameter(torch.randn(20, generator=draws))
    ours = theirs.detach().clone()
    sgd = torch.optim.SGD([theirs], lr=0.1, momentum=momentum, weight_decay=weight_decay)
    descent = Descent(20, momentum, weight_decay)
    for _ in range(5):
        gradient = torch.randn(20, generator=draws)
        theirs.grad = gradient.clone()
        sgd.step()
        ours.add_(descent.direction(ours, gradient), alpha=-0.1)
    assert torch.allclose(ours, theirs, atol=1e-6)
