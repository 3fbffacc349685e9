"""Round trips of messages between rank 0 and the others, with mpi4py.

gradwire run --workers 4 --bandwidth 100mbit --latency 20ms -- python examples/ping_pong.py
"""

import time

from mpi4py import MPI

ROUNDS = 10
SIZES_BYTES = (1, 100_000)

world = MPI.COMM_WORLD
for peer in range(1, world.size):
    for size_bytes in SIZES_BYTES:
        message = bytearray(size_bytes)
        world.Barrier()
        begun_s = time.monotonic()
        for _ in range(ROUNDS):
            if world.rank == 0:
                world.Send(message, peer)
                world.Recv(message, peer)
            elif world.rank == peer:
                world.Recv(message, 0)
                world.Send(message, 0)
        if world.rank == 0:
            round_trip_ms = (time.monotonic() - begun_s) / ROUNDS * 1e3
            print(f"rank {peer}, {size_bytes:7,} bytes: {round_trip_ms:7.2f} ms there and back")
