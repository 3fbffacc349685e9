from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbed.labs.host import requirements
from testbed.labs.host.emulations import EMULATIONS
from testbed.labs.host.requirements import BACKENDS, NEEDS, UNTRIED, Need, Role, backend, lacks, missing


def need(name: str, lack: str | None = None, role: Role = Role.REQUIRED, *, as_root: bool = False) -> Need:
    return Need(name=name, lack=lambda: lack, remedy="mend it", role=role, as_root=as_root)


def test_whoever_is_not_root_is_told_the_other_lab_and_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(requirements, "refusal", lambda words: pytest.fail("tried without root"))
    found = lacks()
    assert "lab host needs root (you are user 1000)" in str(missing(found))
    assert "lab virtual" in str(missing(found))
    assert {found[one.name] for one in NEEDS if one.as_root} == {UNTRIED}


def test_what_is_missing_is_said_in_one_sentence() -> None:
    needs = [need("this"), need("that", "not here")]
    assert missing(lacks(needs), needs) == "lab host needs that (not here): mend it"


def test_nothing_is_missing_where_all_needs_are_met() -> None:
    needs = [need("this"), need("useful", "slow", Role.USEFUL), need("unused", "old", Role.UNUSED)]
    assert missing(lacks(needs), needs) is None


@pytest.mark.parametrize(
    ("netem", "nfqueue", "way"),
    [(None, None, "netem"), ("no", None, "nfqueue"), (None, "no", "netem"), ("no", "not either", None)],
)
def test_delays_are_made_by_the_first_backend_that_is_whole(
    netem: str | None, nfqueue: str | None, way: str | None
) -> None:
    needs = [need("a", None, Role.NETEM), need("b", netem, Role.NETEM), need("c", nfqueue, Role.NFQUEUE)]
    found = lacks(needs)
    assert backend(found, needs) == way
    if way is None:
        assert "(b: no; c: not either)" in str(missing(found, needs))
    else:
        assert missing(found, needs) is None


def test_every_backend_can_be_started() -> None:
    assert set(EMULATIONS) == {str(way) for way in BACKENDS}
    for make in EMULATIONS.values():
        assert make(Path("native")).real_time


def test_an_absent_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sentence = str(missing({name: lack for name, lack in lacks().items() if name != "root"}))
    assert "not on PATH: unshare, setpriv, mount, ip, tc" in sentence
    assert "install the Debian packages iproute2, mount, util-linux" in sentence


def test_names_are_distinct() -> None:
    assert len({one.name for one in NEEDS}) == len(NEEDS)


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces are made")
def test_trials_are_made_in_namespaces_that_are_thrown_away() -> None:
    before = Path("/proc/net/dev").read_text().count(":")
    if (refused := requirements.refusal("ip link add gw0-left type veth peer name gw0-peer")) is not None:
        pytest.skip(f"this machine makes no namespaces: {refused}")
    assert Path("/proc/net/dev").read_text().count(":") == before
    assert requirements.refusal("echo not here >&2; false") == "not here"
    assert requirements.refusal("false") == "no reason was given"
