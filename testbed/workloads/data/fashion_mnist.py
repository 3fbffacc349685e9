"""Fashion-MNIST (Xiao et al. 2017), the stand-in for CIFAR-10: Debian packages it as dataset-fashion-mnist.

The four IDX files are known by the checksum of what they hold, so it does not matter who compressed them,
and MNIST, whose files have the same names, is never mistaken for them.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from testbed.cache import cache_folder
from testbed.errors import UserError
from testbed.workloads.data.dataset import Dataset, DataSource, Labels, Pixels, Provider, user_folder

NAME = "fashion-mnist"
SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
TRAINING_IMAGES = "train-images-idx3-ubyte"
TRAINING_LABELS = "train-labels-idx1-ubyte"
CHECKSUMS = {  # sha256 of the decompressed files
    TRAINING_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    TRAINING_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
_MEAN = (0.2860,)  # of the training images
_DEVIATION = (0.3530,)
_MAGIC_UBYTE = 8  # IDX's code for unsigned bytes, third byte of the file


def fetched_folder() -> Path:
    """Where `fetch` puts the files."""
    return cache_folder() / "data" / NAME


def find_file(folder: Path, name: str) -> Path | None:
    """The IDX file of that name in the folder, compressed or not; None if it is not there."""
    candidates = (folder / f"{name}.gz", folder / name)
    return next((path for path in candidates if path.is_file()), None)


def read_idx(path: Path, expected_sha256: str) -> Pixels:
    """The bytes of an IDX file in the shape that its header gives; UserError if they are others."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}): remove it and run `make data`") from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected_sha256:
        raise UserError(f"{path} has sha256 {found}, must be {expected_sha256}: remove it and run `make data`")
    return parse_idx(content)


def parse_idx(content: bytes) -> Pixels:
    """IDX: two zero bytes, type, number of dimensions, each dimension as big-endian uint32, values."""
    if len(content) < 4 or content[:3] != bytes((0, 0, _MAGIC_UBYTE)):
        raise ValueError(f"not an IDX file of unsigned bytes: it begins with {content[:4]!r}")
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape.astype(int))


def load(folder: Path) -> Dataset:
    """The 60,000 training images, one channel of 28 x 28; a batch pads them to 3 x 32 x 32."""
    images, labels = (_read(folder, name) for name in (TRAINING_IMAGES, TRAINING_LABELS))
    # [samples, height, width] -> [samples, 1, height, width]
    return Dataset(name=NAME, images=images[:, None], labels=_as_labels(labels), mean=_MEAN, deviation=_DEVIATION)


def _as_labels(values: Pixels) -> Labels:
    return values.astype(np.int64)


def _read(folder: Path, name: str) -> Pixels:
    path = find_file(folder, name)
    if path is None:
        raise UserError(f"{folder} has no {name}: run `make data`")
    return read_idx(path, CHECKSUMS[name])


def _places() -> tuple[Path, ...]:
    own = user_folder()
    return (*((own / NAME, own) if own else ()), SYSTEM_FOLDER, fetched_folder())


def _is_other_data(folder: Path) -> bool:
    """Whether $TESTBED_DATA itself has other files of these names: MNIST's."""
    labels = find_file(folder, TRAINING_LABELS)
    if folder != user_folder() or labels is None:
        return False
    try:
        read_idx(labels, CHECKSUMS[TRAINING_LABELS])
    except UserError:
        return True
    return False


def _locate() -> DataSource | None:
    for place in _places():
        if find_file(place, TRAINING_IMAGES) and find_file(place, TRAINING_LABELS) and not _is_other_data(place):
            pinned = CHECKSUMS[TRAINING_IMAGES] + CHECKSUMS[TRAINING_LABELS]
            digest = f"sha256:{hashlib.sha256(pinned.encode()).hexdigest()}"
            return DataSource(name=NAME, digest=digest, load=partial(load, place))
    return None


FASHION_MNIST = Provider(name=NAME, locate=_locate, places=_places)
