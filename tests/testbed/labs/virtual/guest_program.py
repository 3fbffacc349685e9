"""A guest's first process that runs one module: output and exit status go to files, then the guest halts.

python guest_program.py FOLDER NATIVE CACHE CHECKOUT MODULE [ARGUMENT...]
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from testbed.labs.virtual import inside

ADDED_BY_UML = "console=tty0"  # to the end of every kernel command line, and so to our arguments


def main() -> None:
    """Prepare the system as the lab's own first process does, run the module, halt."""
    folder, native, cache, checkout, *module = (word for word in sys.argv[1:] if word != ADDED_BY_UML)
    try:
        inside._prepare_system(native, cache)
        # A small guest's default is below what fast, long links hold.
        Path("/proc/sys/net/ipv4/tcp_mem").write_text("1000000 1000000 1000000")
        with Path(folder, "output").open("wb") as output:
            done = subprocess.run([sys.executable, "-m", *module], cwd=checkout, stdout=output, stderr=output)
        Path(folder, "status").write_text(str(done.returncode))
    finally:
        os.sync()
        inside._libc.reboot(inside.RB_POWER_OFF)


if __name__ == "__main__":
    main()
