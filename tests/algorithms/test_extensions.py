"""What other packages offer is found by name; one that is broken is in the way of nothing but its own entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from algorithms import extensions
from algorithms.registration import Registry

GROUP = "gradwire.tests"
Install = Callable[..., None]


class Base:
    """What entries are subclasses of."""

    name: str


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package of a module and entry points where Python finds it, as pip does."""

    def put(package: str, entries: dict[str, str], module: str = "") -> None:
        folder = tmp_path / package
        information = folder / f"{package}-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (information / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
        (folder / f"{package}_module.py").write_text(module)
        monkeypatch.syspath_prepend(str(folder))

    yield put


@pytest.fixture
def registry() -> Registry[type[Base]]:
    made: Registry[type[Base]] = Registry("thing", group=GROUP, base=Base)
    made.register("ours")(Base)
    return made


GOOD = "from tests.algorithms.test_extensions import Base\nclass Theirs(Base):\n    name = 'theirs'\n"


def test_an_entry_is_found_by_its_name(install: Install, registry: Registry[type[Base]]) -> None:
    assert registry.names() == ("ours",)
    install("good", {"theirs": "good_module:Theirs"}, GOOD)
    assert registry.names() == ("ours", "theirs")
    assert registry.find("theirs").name == "theirs"
    registry.require_unambiguous()  # also after its entry was loaded
    with pytest.raises(ValueError, match="thing is 'theirz', must be one of ours, theirs; did you mean theirs"):
        registry.find("theirz")


@pytest.mark.parametrize(
    ("value", "module", "message"),
    [
        ("nowhere:Theirs", "", r"cannot be loaded \(ModuleNotFoundError: No module named 'nowhere'\): repair"),
        ("bad_module:Theirs", "", r"cannot be loaded \(AttributeError: .*Theirs.*\): repair"),
        ("bad_module:Theirs", "raise SystemError('no\\nway')", r"cannot be loaded \(SystemError: no way\): repair"),
        ("bad_module:Theirs", "Theirs = 3", "is bad_module:Theirs, which must be a subclass of .*Base: repair"),
        ("bad_module:Theirs", "class Theirs: pass", "which must be a subclass of"),
        ("bad_module:Theirs", GOOD.replace("'theirs'", "'other'"), "whose `name` is 'other' and must be 'theirs'"),
        (
            "bad_module:Theirs",
            f"import abc\n{GOOD.replace('(Base)', '(Base, abc.ABC)')}"
            "    @abc.abstractmethod\n    def step(self): ...\n",
            "which must define step: repair",
        ),
    ],
)
def test_a_broken_one_is_told_by_its_package(
    install: Install, registry: Registry[type[Base]], value: str, module: str, message: str
) -> None:
    install("bad", {"theirs": value}, module)
    assert registry.names() == ("ours", "theirs")  # from the metadata alone
    with pytest.raises(ValueError, match=r"thing theirs of package bad 1\.0 ") as caught:
        registry.find("theirs")
    assert caught.match(message) and "\n" not in str(caught.value)
    assert registry.find("ours") is Base


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """The packages of one test are not another's, though their modules have the same names."""
    import sys

    yield
    for name in ("good_module", "bad_module"):
        sys.modules.pop(name, None)


def test_two_packages_with_one_name_are_told(install: Install, registry: Registry[type[Base]]) -> None:
    install("good", {"theirs": "good_module:Theirs"}, GOOD)
    install("second", {"theirs": "second_module:Theirs"})
    with pytest.raises(ValueError, match=r"is offered by two packages, .*: uninstall one"):
        registry.find("theirs")


def test_a_name_that_is_taken_is_told(install: Install, registry: Registry[type[Base]]) -> None:
    install("good", {"ours": "good_module:Theirs"}, GOOD)
    with pytest.raises(ValueError, match=r"thing ours of package good 1\.0 has the name of one that Gradwire has"):
        registry.require_unambiguous()
    assert registry.find("ours") is Base


def test_packages_are_known_with_their_versions(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    before = extensions.packages()
    monkeypatch.setattr(extensions, "GROUPS", (GROUP,))
    install("good", {"theirs": "good_module:Theirs"}, GOOD)
    assert extensions.packages() == {"good": "1.0"} and "good" not in before
