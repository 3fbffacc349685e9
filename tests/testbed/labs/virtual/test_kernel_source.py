from pathlib import Path

import pytest

from testbed.apt import Package
from testbed.errors import LabError
from testbed.labs.virtual import kernel_source
from testbed.labs.virtual.kernel_source import PREFERRED


class Archive:
    """Stands in for `Apt`: knows which packages its suites have."""

    own: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()

    def __init__(self, folder: Path, source_line: str | None = None) -> None:
        self.names_here = self.own if source_line is None else self.suites

    def update(self) -> None:
        pass

    def names(self, prefix: str) -> list[str]:
        return [name for name in self.names_here if name.startswith(prefix)]

    def download(self, name: str) -> Package:
        if name not in self.names_here:
            raise LabError(f"Unable to locate package {name}")
        return Package(name=name, version="1", file=Path("x.deb"))


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Archive]:
    class Here(Archive):
        pass

    keyring = tmp_path / "keyring"
    keyring.touch()
    monkeypatch.setattr(kernel_source, "Apt", Here)
    monkeypatch.setattr(kernel_source, "_KEYRING", keyring)
    monkeypatch.setattr(kernel_source, "archive_sites", lambda: ["mirror"])
    return Here


def fetched(tmp_path: Path) -> tuple[str, list[str]]:
    said: list[str] = []
    return kernel_source.download(tmp_path, said.append).name, said


def test_the_fastest_is_preferred(archive: type[Archive], tmp_path: Path) -> None:
    archive.suites, archive.own = (PREFERRED[0].package,), (PREFERRED[1].package,)
    name, said = fetched(tmp_path)
    assert name == PREFERRED[0].package
    assert PREFERRED[0].why in said[0]


def test_without_it_the_machines_own_is_taken_and_the_reason_said(archive: type[Archive], tmp_path: Path) -> None:
    archive.own = (PREFERRED[1].package,)
    name, said = fetched(tmp_path)
    assert name == PREFERRED[1].package
    assert any(f"{PREFERRED[0].package} cannot be had" in line for line in said)


def test_machine_without_the_distributions_keyring_takes_its_own(
    archive: type[Archive], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.suites, archive.own = (PREFERRED[0].package,), (PREFERRED[1].package,)
    monkeypatch.setattr(kernel_source, "_KEYRING", tmp_path / "none")
    assert fetched(tmp_path)[0] == PREFERRED[1].package


def test_machine_without_a_tested_one_takes_its_newest(archive: type[Archive], tmp_path: Path) -> None:
    archive.own = ("linux-source-6.16", "linux-source-6.9")
    assert fetched(tmp_path)[0] == "linux-source-6.16"


def test_where_none_can_be_had_every_refusal_is_named(archive: type[Archive], tmp_path: Path) -> None:
    with pytest.raises(LabError, match=f"{PREFERRED[0].package}.*{PREFERRED[1].package}"):
        fetched(tmp_path)


@pytest.mark.parametrize(
    ("names", "newest"),
    [
        (["linux-source-6.12", "linux-source-6.9", "linux-source-7.3"], "linux-source-7.3"),
        (["linux-source-6.12", "linux-source-6.100"], "linux-source-6.100"),
        (["linux-source-6.1", "linux-source", "linux-source-6.12-rt"], None),
        ([], None),
    ],
)
def test_newest_is_by_number_and_new_enough(names: list[str], newest: str | None) -> None:
    assert kernel_source.newest_of(names) == newest


def test_only_sites_of_the_own_release_are_mirrors() -> None:
    targets = "a bookworm\na bookworm\nb bookworm-security\nc nodistro\nd bookworm\n"
    assert kernel_source.sites_of(targets, "bookworm") == ["a", "d"]
