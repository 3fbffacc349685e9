import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from testbed.apt import Package
from testbed.errors import LabError, UserError
from testbed.labs.virtual import kernel, kernel_source

PACKAGE = Package(name="linux-source-9.9", version="9.9.1-1", file=Path("x.deb"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADWIRE_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every step that is slow or needs the network, replaced; the packages that were fetched."""
    fetched: list[str] = []

    def download(folder: Path, _: kernel.Say) -> Package:
        folder.mkdir()
        fetched.append(PACKAGE.name)
        return PACKAGE

    def unpack(_: Path, into: Path) -> Path:
        (into / "tree").mkdir(parents=True)
        return into / "tree"

    monkeypatch.setattr(kernel_source, "download", download)
    monkeypatch.setattr(kernel, "_unpack", unpack)
    monkeypatch.setattr(kernel, "_configure", lambda _: None)
    monkeypatch.setattr(kernel, "_compile", lambda tree, _log, _say: (tree / "linux").write_text("kernel"))
    return fetched


def test_kernel_is_built_once_and_found_without_building(builds: list[str]) -> None:
    assert kernel.find() is None
    built = kernel.ensure(lambda _: None)
    assert built.read_text() == "kernel"
    assert kernel.ensure(lambda _: None) == kernel.find() == built
    assert len(builds) == 1


def test_source_is_removed_afterwards(builds: list[str]) -> None:
    folder = kernel.ensure(lambda _: None).parent
    assert sorted(path.name for path in folder.iterdir()) == ["linux", "provenance.json"]


def test_other_configuration_is_another_kernel(
    builds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, digest = kernel.ensure(lambda _: None), kernel.digest()
    other = tmp_path / "kernel.config"
    other.write_text("CONFIG_NET=y\n")
    monkeypatch.setattr(kernel, "FRAGMENT", other)
    assert kernel.find() is None
    assert kernel.ensure(lambda _: None) != first
    assert kernel.digest() != digest


def test_other_preference_is_another_kernel(builds: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.ensure(lambda _: None)
    monkeypatch.setattr(kernel_source, "PREFERRED", kernel_source.PREFERRED[1:])
    assert kernel.find() is None


def test_provenance_names_the_source(builds: list[str]) -> None:
    kernel.ensure(lambda _: None)
    record = kernel.provenance()
    assert (record["package"], record["version"]) == (PACKAGE.name, PACKAGE.version)
    json.dumps(record)


def test_provenance_of_no_kernel_says_what_to_do() -> None:
    with pytest.raises(UserError, match="make setup"):
        kernel.provenance()


def test_failed_build_leaves_no_kernel(builds: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LabError("command make failed")

    monkeypatch.setattr(kernel, "_compile", fail)
    with pytest.raises(LabError, match="make failed"):
        kernel.ensure(lambda _: None)
    assert kernel.find() is None


def test_too_little_room_is_refused_before_anything_is_fetched(
    builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**30))
    with pytest.raises(UserError, match=r"1\.0 GiB free, a kernel build needs 3.*GRADWIRE_CACHE"):
        kernel.ensure(lambda _: None)
    assert builds == []


def test_other_processor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(UserError, match="x86_64 machine, got aarch64"):
        kernel.ensure(lambda _: None)


def test_symbol_that_did_not_come_true_is_missing() -> None:
    fragment = "# why\nCONFIG_NET=y\nCONFIG_VETH=y\n"
    assert kernel.missing(fragment, "CONFIG_NET=y\n# CONFIG_VETH is not set\n") == ["CONFIG_VETH=y"]


def test_symbol_of_older_trees_may_be_missing() -> None:
    assert kernel.missing("CONFIG_SYSCTL=y\nCONFIG_PROC_SYSCTL=y\n", "CONFIG_SYSCTL=y\n") == []


def test_fragment_names_each_symbol_once() -> None:
    symbols = [line for line in kernel.FRAGMENT.read_text().splitlines() if line.startswith("CONFIG_")]
    assert len(symbols) == len(set(symbols))


def test_the_kernels_make_does_not_get_the_flags_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "-j --jobserver-auth=3,4")
    monkeypatch.setenv("PATH", os.environ["PATH"])
    environment = kernel._environment()
    assert "MAKEFLAGS" not in environment
    assert environment["PATH"] == os.environ["PATH"]


def test_compiler_that_fails_is_quoted_and_its_log_kept(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("linux:\n\t@echo '  CC  a.o'\n\t@echo bad code; exit 1\n")
    with pytest.raises(LabError, match=r"make ARCH=um .* failed with status 2: .*bad code.*build\.log"):
        kernel._compile(tmp_path, tmp_path / "build.log", lambda _: None)
    assert "bad code" in (tmp_path / "build.log").read_text()


def test_progress_counts_compiled_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_REPORT_EVERY_S", 0.0)
    said: list[str] = []
    kernel._follow(["  CC      a.o\n", "  AR      a.a\n", "  CC      b.o\n"], lambda _: None, said.append)
    assert [text.split(",")[0] for text in said] == [
        f"kernel: compiled {files} of about {kernel._FILES_OF_A_BUILD} files" for files in (1, 1, 2)
    ]


def test_source_inside_a_package_is_unpacked(tmp_path: Path) -> None:
    source = tmp_path / "package/usr/src"
    source.mkdir(parents=True)
    (tmp_path / "linux-source-9.9").mkdir()
    (tmp_path / "linux-source-9.9/Makefile").write_text("x")
    archive = source / "linux-source-9.9.tar.xz"
    subprocess.run(["tar", "-C", tmp_path, "-cJf", archive, "linux-source-9.9"], check=True)
    control = tmp_path / "package/DEBIAN/control"
    control.parent.mkdir()
    control.write_text("Package: p\nVersion: 1\nArchitecture: all\nMaintainer: m <m@m>\nDescription: d\n")
    subprocess.run(["dpkg-deb", "-b", tmp_path / "package", tmp_path / "p.deb"], check=True, capture_output=True)
    tree = kernel._unpack(tmp_path / "p.deb", tmp_path / "into")
    assert (tree.name, (tree / "Makefile").read_text()) == ("linux-source-9.9", "x")
