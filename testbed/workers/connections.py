"""The TCP connections between workers: made for a cell, closed with it."""

from __future__ import annotations

from testbed.workers.mpi import MPI


class Connections:
    """One new TCP connection between every two workers, until `close`. Both are collective.

    A connection remembers: congestion windows, round-trip estimates, the habit of acknowledging. A cell on connections
    that another cell has used would depend on that cell, by up to 1.5 % at 10 Gbit/s. The end of an MPI session
    closes all of a process's connections, and the process can begin another.
    """

    def __init__(self) -> None:
        self._session = MPI.Session.Init()
        group = self._session.Create_group("mpi://WORLD")
        self.communicator = MPI.Intracomm.Create_from_group(group)
        group.Free()
        _connect_all(self.communicator)

    def close(self) -> None:
        """Close the connections; no message may be under way."""
        self.communicator.Free()
        self._session.Finalize()


def _connect_all(communicator: MPI.Intracomm) -> None:
    """Open one TCP connection between every two workers, always from the lower rank.

    MPI connects when two ranks first talk. When both begin at once they end with a connection each, whose
    acknowledgements travel alone; otherwise data carries those of the other direction, which is 2 % of a slow link.
    Which it is must not depend on what was exchanged first.
    """
    lower, higher = range(communicator.rank), range(communicator.rank + 1, communicator.size)
    token = bytearray(1)
    rooms = [bytearray(1) for _ in range(communicator.size)]
    for first, second in ((higher, lower), (lower, higher)):
        requests = [communicator.Irecv([rooms[peer], MPI.BYTE], peer) for peer in second]
        requests += [communicator.Isend([token, MPI.BYTE], peer) for peer in first]
        MPI.Request.Waitall(requests)
