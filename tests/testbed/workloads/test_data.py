import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from testbed.apt import Package
from testbed.errors import LabError, UserError
from testbed.workloads import data
from testbed.workloads.data import cifar10, fashion_mnist, fetching


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the system's nor the user's own data are seen."""
    monkeypatch.setenv("GRADWIRE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setattr(fetching, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.delenv("TESTBED_DATA", raising=False)


def idx(values: npt.NDArray[np.uint8]) -> bytes:
    return bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


CONTENT = {
    "train-images-idx3-ubyte": idx(np.arange(3 * 28 * 28, dtype=np.int64).astype(np.uint8).reshape(3, 28, 28)),
    "train-labels-idx1-ubyte": idx(np.array([7, 0, 9], np.uint8)),
    "t10k-images-idx3-ubyte": idx(np.ones((1, 28, 28), np.uint8)),
    "t10k-labels-idx1-ubyte": idx(np.ones(1, np.uint8)),
}


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in CONTENT.items():
        monkeypatch.setitem(fashion_mnist.CHECKSUMS, name, hashlib.sha256(content).hexdigest())


def place(folder: Path, content: dict[str, bytes] = CONTENT, compress: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in content.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(values)) if compress else (folder / name).write_bytes(values)


def archive(folder: Path, extra: object = None) -> tuple[Path, str]:
    path = folder / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for index in range(1, 6):
            batch = {b"data": np.full((2, 3072), index, np.uint8), b"labels": [index, 0]}
            content = pickle.dumps(batch if extra is None else batch | {b"data": extra}, protocol=3)
            info = tarfile.TarInfo(f"cifar-10-batches-py/data_batch_{index}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path, hashlib.md5(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("compress", [True, False])
def test_fashion_mnist_is_padded_to_three_channels_of_32(tmp_path: Path, pinned: None, compress: bool) -> None:
    place(tmp_path / "system", compress=compress)
    source = data.find(data.CIFAR10, data.FASHION_MNIST)
    dataset = source.load()
    assert (source.name, dataset.name, dataset.samples) == ("fashion-mnist", "fashion-mnist", 3)
    inputs, targets = dataset.batch(np.array([2, 0]))
    assert inputs.shape == (2, 3, 32, 32) and inputs.dtype == torch.float32
    assert targets.tolist() == [9, 7]
    black, pixel = (0 - 0.2860) / 0.3530, (dataset.images[2, 0, 5, 6] / 255 - 0.2860) / 0.3530
    assert inputs[0, 2, 7, 8] == pytest.approx(pixel, rel=1e-5)
    assert inputs[0, 1, 1, 31] == pytest.approx(black, rel=1e-5)


def test_the_users_folder_comes_first_and_mnist_in_it_is_not_mistaken(
    tmp_path: Path, pinned: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path / "system")
    monkeypatch.setenv("TESTBED_DATA", str(tmp_path / "own"))
    mnist = {name: content[:-1] + b"\x05" for name, content in CONTENT.items()}
    place(tmp_path / "own", mnist)
    assert data.find(data.FASHION_MNIST).load().labels.tolist() == [7, 0, 9]
    place(tmp_path / "own" / "fashion-mnist", mnist)
    with pytest.raises(UserError, match=r"own/fashion-mnist/train-images-idx3-ubyte.gz has sha256"):
        data.find(data.FASHION_MNIST).load()


def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path, pinned: None) -> None:
    place(tmp_path / "system")
    path = tmp_path / "system" / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"labels-idx1-ubyte.gz cannot be read .*: remove it and run `make data`"):
        data.find(data.FASHION_MNIST).load()


def test_nothing_found_names_the_folders_and_make_data(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cifar-10 or fashion-mnist was not found in .*system.*run `make data`"):
        data.find(data.CIFAR10, data.FASHION_MNIST)


def test_a_missing_user_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESTBED_DATA", str(tmp_path / "absent"))
    with pytest.raises(UserError, match=r"TESTBED_DATA is .*absent, which is not a folder"):
        data.find(data.CIFAR10)


def test_cifar10_is_read_and_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: None) -> None:
    place(tmp_path / "system")
    path, md5 = archive(tmp_path)
    monkeypatch.setenv("TESTBED_DATA", str(tmp_path))
    assert data.find(data.CIFAR10, data.FASHION_MNIST).name == "cifar-10"
    dataset = cifar10.load(path, md5)
    assert dataset.images.shape == (10, 3, 32, 32) and dataset.labels.tolist()[:4] == [1, 0, 2, 0]
    assert dataset.images[2, 0, 0, 0] == 2


def test_a_damaged_cifar_archive_is_refused(tmp_path: Path) -> None:
    path, _md5 = archive(tmp_path)
    with pytest.raises(UserError, match=r"has md5 .*, must be c58f30108f718f92721af3b95e74349a: it is damaged"):
        cifar10.load(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"cannot be read .* it is damaged, download it again"):
        cifar10.load(path, hashlib.md5(path.read_bytes()).hexdigest())


def test_a_pickle_that_names_anything_but_arrays_is_refused(tmp_path: Path) -> None:
    path, md5 = archive(tmp_path, extra=print)
    with pytest.raises(UserError, match=r"builtins.print, only numpy arrays are admitted"):
        cifar10.load(path, md5)


def test_fetch_downloads_once_and_leaves_the_four_files(
    tmp_path: Path, pinned: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    class ScriptedApt:
        """Has no lists until it is updated, as on a machine where nobody ran apt."""

        def __init__(self, folder: Path) -> None:
            self.folder, self.updated = folder, False

        def update(self) -> None:
            self.updated = True

        def download(self, name: str) -> Package:
            assert self.updated
            done.append(name)
            return Package(name=name, version="1", file=self.folder / "package.deb")

    def unpack(argv: list[Any]) -> str:
        assert argv[:2] == ["dpkg-deb", "-x"] and argv[2].name == "package.deb"
        place(argv[3] / fashion_mnist.SYSTEM_FOLDER.relative_to("/"))
        return ""

    monkeypatch.setattr(fetching, "Apt", ScriptedApt)
    monkeypatch.setattr(fetching, "run", unpack)
    folder = data.fetch(lambda _: None)
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.gz" for name in CONTENT)
    assert data.fetch(lambda _: None) == folder and done == [fetching.PACKAGE]
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    data.fetch(lambda _: None)
    assert done == [fetching.PACKAGE] * 2


def test_a_failed_download_says_what_to_do_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: list[Any], **_: Any) -> str:
        raise LabError("command apt-get failed with status 100: no archive answers")

    monkeypatch.setattr("testbed.apt.run", run)
    with pytest.raises(UserError, match=r"no archive answers\. See that apt's sources .* \$TESTBED_DATA/fashion-mnist"):
        data.fetch(lambda _: None)
    assert not fashion_mnist.fetched_folder().exists()


@pytest.mark.data
def test_the_real_stand_in_is_what_its_checksums_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    try:
        source = data.FASHION_MNIST.locate()
    except UserError as error:
        pytest.skip(str(error))
    if source is None:
        pytest.skip("Fashion-MNIST is not on this machine: run `make data`")
    dataset = source.load()
    assert dataset.samples == 60_000
    assert np.bincount(dataset.labels).tolist() == [6000] * 10
    assert dataset.images.mean() / 255 == pytest.approx(dataset.mean[0], abs=5e-5)
    assert dataset.images.std() / 255 == pytest.approx(dataset.deviation[0], abs=5e-5)
