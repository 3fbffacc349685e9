"""An allreduce of 1.1 MB, as large as the gradient of ResNet-20, with torch.distributed over gloo.

gradwire run --workers 4 --bandwidth 100mbit --latency 20ms -- python examples/allreduce_gloo.py
"""

import time

import torch
import torch.distributed as dist

ROUNDS = 5
NUMBERS = 275_000

dist.init_process_group("gloo")  # the address of rank 0 and our own place are in the environment
gradient = torch.full((NUMBERS,), float(dist.get_rank()))
dist.all_reduce(gradient)  # the first one opens the connections
dist.barrier()
begun_s = time.monotonic()
for _ in range(ROUNDS):
    gradient.fill_(float(dist.get_rank()))
    dist.all_reduce(gradient)
took_ms = (time.monotonic() - begun_s) / ROUNDS * 1e3
world = dist.get_world_size()
assert torch.all(gradient == world * (world - 1) / 2)
if dist.get_rank() == 0:
    print(f"{world} ranks, {gradient.numel() * gradient.element_size():,} bytes: {took_ms:.1f} ms each allreduce")
dist.destroy_process_group()
