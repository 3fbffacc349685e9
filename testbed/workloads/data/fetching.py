"""`make data`: gets the stand-in data set through the machine's own package manager, without root.

apt verifies the package against the distribution's signatures; the files are then compared with the
checksums pinned in `fashion_mnist`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from testbed.apt import Apt
from testbed.cache import building
from testbed.command import run
from testbed.errors import LabError, UserError
from testbed.workloads.data.fashion_mnist import (
    CHECKSUMS,
    FASHION_MNIST,
    SYSTEM_FOLDER,
    fetched_folder,
    find_file,
    read_idx,
)

PACKAGE = "dataset-fashion-mnist"


def fetch(say: Callable[[str], None]) -> Path:
    """The folder of a verified Fashion-MNIST, downloaded (31 MB) if this machine does not have it already.

    Raises:
        UserError: the package cannot be had; the sentence says what to do instead.
    """
    for folder in (SYSTEM_FOLDER, fetched_folder()):
        if all(find_file(folder, name) for name in CHECKSUMS):
            verify(folder)
            say(f"{FASHION_MNIST.name} is in {folder}")
            return folder
    shutil.rmtree(fetched_folder(), ignore_errors=True)  # incomplete: someone removed a damaged file, as we ask for
    with building(fetched_folder()) as unfinished:
        if unfinished is not None:
            _download(unfinished, say)
    say(f"{FASHION_MNIST.name} is in {fetched_folder()}")
    return fetched_folder()


def verify(folder: Path) -> None:
    """UserError if one of the four files is missing or is not what its pinned checksum says."""
    for name, checksum in CHECKSUMS.items():
        path = find_file(folder, name)
        if path is None:
            raise UserError(f"{folder} has no {name}: remove the folder and run `make data`")
        read_idx(path, checksum)


def _download(unfinished: Path, say: Callable[[str], None]) -> None:
    """Fill the folder with the four files and nothing else."""
    scratch = unfinished / "package"
    scratch.mkdir()
    say(f"downloading Debian's package {PACKAGE} (31 MB)")
    apt = Apt(scratch)
    try:
        apt.update()
        package = apt.download(PACKAGE)
        say("unpacking and verifying it")
        run(["dpkg-deb", "-x", package.file, scratch])
    except LabError as error:
        raise UserError(
            f"package {PACKAGE} cannot be fetched: {error}. See that apt's sources name a Debian archive that "
            f"answers, or put Fashion-MNIST's four IDX files into $TESTBED_DATA/{FASHION_MNIST.name}"
        ) from error
    for name in CHECKSUMS:
        path = find_file(scratch / SYSTEM_FOLDER.relative_to("/"), name)
        if path is None:
            raise UserError(f"package {PACKAGE} has no {name}: put Fashion-MNIST into $TESTBED_DATA")
        path.rename(unfinished / path.name)
    shutil.rmtree(scratch)
    verify(unfinished)
