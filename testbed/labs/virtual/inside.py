"""The guest's first process: mounts what a system needs, takes batches from the spool, measures, halts.

Started by the guest's kernel as `python -m testbed.labs.virtual.inside SPOOL LANE NATIVE CACHE`. Nothing here
may wait by looking again and again: while a process runs, virtual time stands still.
"""

from __future__ import annotations

import ctypes
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cache import CACHE_VARIABLE
from testbed.labs.spool import PYTHON_PATH_FILE, Spool

if TYPE_CHECKING:
    from testbed.session.emulation import Emulation

MOUNTS = (
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/dev/shm"),
    ("devpts", "/dev/pts"),
)
# TCP's share of memory in pages (pressure, limit). The default, a tenth of a small guest, is below what eight
# connections hold at 10 Gbit/s and 20 ms; under pressure TCP shrinks windows and the probe finds a slow link.
TCP_MEMORY_PAGES = "262144 524288 1048576"
WORKING_FOLDER = Path("/dev/shm")  # the guest's own memory
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RB_POWER_OFF = 0x4321FEDC

_libc = ctypes.CDLL(None, use_errno=True)


def _mount(kind: str, target: str) -> None:
    Path(target).mkdir(exist_ok=True)
    if _libc.mount(kind.encode(), target.encode(), kind.encode(), 0, None) != 0:
        raise OSError(ctypes.get_errno(), f"cannot mount {kind} at {target}")


def _prepare_system(native: str, cache: str) -> None:
    for kind, target in MOUNTS:
        _mount(kind, target)
    Path("/proc/sys/net/ipv4/tcp_mem").write_text(TCP_MEMORY_PAGES)
    os.environ.clear()
    os.environ.update(
        PATH=f"{native}:{Path(sys.executable).parent}:{SEARCH_PATH}",
        HOME=str(WORKING_FOLDER),
        TMPDIR=str(WORKING_FOLDER),
        LANG="C.UTF-8",
        OMP_NUM_THREADS="1",
        **{CACHE_VARIABLE: cache},
        # glibc would give memory back at each step, and page faults are slow in a guest.
        MALLOC_MMAP_THRESHOLD_="1073741824",
        MALLOC_TRIM_THRESHOLD_="1073741824",
        MALLOC_TOP_PAD_="67108864",
        PYTHONDONTWRITEBYTECODE="1",
    )
    os.chdir(WORKING_FOLDER)


def _follow_python_path(spool: Path) -> None:
    """Look for packages where the testbed does, here and in the workers."""
    file = spool / PYTHON_PATH_FILE
    if file.is_file() and (path := file.read_text()):
        os.environ["PYTHONPATH"] = path
        sys.path[1:1] = path.split(os.pathsep)  # behind the folder that the module was started in, as Python has it


def emulation() -> Emulation:
    """How a guest emulates a network: its own kernel does all of it."""
    # Here, because pyroute2 reads /proc when it is imported.
    from shaping.plan import SUPER_PACKET_S
    from shaping.probe import VIRTUAL
    from shaping.shaper import Shaper
    from testbed.session.emulation import Emulation

    return Emulation(
        shaper=lambda _, pids: Shaper(pids), tolerance=VIRTUAL, real_time=False, super_packet_s=SUPER_PACKET_S
    )


def _work(spool: Path, lane: int, native: Path) -> None:
    from testbed.labs.station import work

    work(Spool(spool), lane, native, WORKING_FOLDER, emulation())


def main(work: Callable[[Path, int, Path], None] = _work) -> None:
    """Do the work, of a spool folder, a lane and the helpers' folder; then halt the guest."""
    spool, lane, native, cache = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    try:
        _prepare_system(str(native), cache)
        _follow_python_path(spool)
        work(spool, lane, native)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        _libc.sync()
        _libc.reboot(RB_POWER_OFF)


if __name__ == "__main__":
    main()
