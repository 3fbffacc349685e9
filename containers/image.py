"""Images: one of this machine's own files, made without a registry, or one that the user names.

The first has mount points and two accounts, a few KiB in all. What a worker needs (libraries, the Python environment,
the checkout) is bound from this machine, read-only and at the same paths, so what runs in a container is what runs
beside it.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from containers import labels
from containers.engine import asking
from testbed.cache import content_key
from testbed.errors import UserError

if TYPE_CHECKING:
    from docker import DockerClient

REPOSITORY = "gradwire-host"
USER = 65534  # nobody: a worker needs no privileges
SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # links into /usr, or folders of their own
MOUNT_POINTS = ("dev", "etc", "proc", "sys", "tmp", "usr")
ACCOUNTS = {
    "etc/passwd": f"root:x:0:0:root:/:/bin/sh\nworker:x:{USER}:{USER}:worker:/tmp:/bin/sh\n",
    "etc/group": f"root:x:0:\nworker:x:{USER}:\n",
}
SHARED_FILES = (Path("/etc/ld.so.cache"), Path("/etc/alternatives"))  # where Debian's libraries are found
_CHECKOUT = Path(__file__).parents[1]


def ensure(client: DockerClient, say: Callable[[str], None]) -> str:
    """The image of this machine's own files, made in the engine where it is missing; its name.

    Raises:
        LabError: the engine does not take it.
    """
    archive = _archive(Path("/"))
    tag = content_key(archive)
    name = f"{REPOSITORY}:{tag}"
    if not _has(client, name):
        say(f"making the image {name} of this machine's own files")
        changes = [f"USER {USER}:{USER}", f"LABEL {labels.IMAGE}=host"]
        with asking(f"making the image {name}"):
            client.api.import_image_from_data(archive, repository=REPOSITORY, tag=tag, changes=changes)
    return name


def require(client: DockerClient, name: str) -> None:
    """UserError where the engine has no image of that name: nothing is fetched unasked."""
    if not _has(client, name):
        raise UserError(
            f"containers.image is {name!r}, which this Docker engine does not have: build it "
            f"(`docker build -f containers/Dockerfile -t {name} .`) or fetch it (`docker pull {name}`), or leave "
            "`image` out for one of this machine's own files"
        )


def identity(client: DockerClient, name: str) -> str:
    """The image's id, which names its content."""
    with asking(f"looking up the image {name}"):
        return str(client.images.get(name).id)


def _has(client: DockerClient, name: str) -> bool:
    import docker.errors

    with asking(f"looking up the image {name}"):
        try:
            client.images.get(name)
        except docker.errors.ImageNotFound:
            return False
        return True


def _archive(root: Path) -> bytes:
    """The image's files as a tar archive, equal for equal content."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in MOUNT_POINTS:
            _add(archive, name, tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755)
        for name in SYSTEM_FOLDERS:
            if (root / name).is_symlink():
                _add(archive, name, tarfile.SYMTYPE, link=str((root / name).readlink()))
        for name, text in ACCOUNTS.items():
            _add(archive, name, tarfile.REGTYPE, mode=0o644, text=text)
    return content.getvalue()


def _add(
    archive: tarfile.TarFile, name: str, kind: bytes, *, mode: int = 0o755, link: str = "", text: str = ""
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(text.encode())
    archive.addfile(entry, io.BytesIO(text.encode()))


def machine_files() -> list[Path]:
    """What a worker in the image of this machine's own files needs of it: libraries, Python, the checkout."""
    system = [Path("/", name) for name in ("usr", *SYSTEM_FOLDERS)]
    python = [Path(sys.prefix), Path(sys.base_prefix), Path(os.path.realpath(sys.executable)).parents[1]]
    return without_nested([path for path in (*system, *SHARED_FILES, *python, _CHECKOUT) if _is_there(path)])


def _is_there(path: Path) -> bool:
    """Whether there is something to bind: a link is in the image itself."""
    return path.exists() and not path.is_symlink()


def without_nested(paths: Iterable[Path]) -> list[Path]:
    """The paths less those within another of them, sorted."""
    kept: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


def read_only(paths: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Bindings at the same paths, as the engine is told them."""
    return {str(path): {"bind": str(path), "mode": "ro"} for path in paths}
