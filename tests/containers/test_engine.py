from __future__ import annotations

from pathlib import Path

import docker.errors
import pytest
import requests.exceptions
from docker import DockerClient

from containers import engine as engines
from testbed.errors import LabError


def test_the_usual_socket_is_asked_where_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(engines.ADDRESS_VARIABLE, raising=False)
    assert engines.socket_path() == engines.USUAL_SOCKET
    monkeypatch.setenv(engines.ADDRESS_VARIABLE, "unix:///elsewhere.sock")
    assert engines.socket_path() == Path("/elsewhere.sock")


def test_an_engine_on_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engines.ADDRESS_VARIABLE, "tcp://192.0.2.1:2375")
    with pytest.raises(LabError, match="must be on it; give a Unix socket"):
        engines.connect()


def test_no_engine_is_one_sentence_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engines.ADDRESS_VARIABLE, f"unix://{tmp_path}/none.sock")
    with pytest.raises(
        LabError, match=r"no Docker engine answers at unix://.*none\.sock \(No such file or directory\)"
    ):
        engines.connect()


def test_what_the_engine_refuses_is_said_in_its_words() -> None:
    with (
        pytest.raises(LabError, match="making it failed, the Docker engine says: name is in use"),
        engines.asking("making it"),
    ):
        raise docker.errors.APIError("409", explanation="name is\n in use")


@pytest.mark.parametrize("error", [requests.exceptions.ConnectionError(), docker.errors.DockerException(), OSError()])
def test_an_engine_that_stops_answering_is_said(error: Exception) -> None:
    with pytest.raises(LabError, match=r"no Docker engine answers at .* \(making it\)"), engines.asking("making it"):
        raise error


@pytest.mark.docker
def test_an_engines_facts(engine: DockerClient) -> None:
    facts = engines.facts(engine)
    assert facts["engine"] == f"Docker {engine.version()['Version']}"
    assert facts["cgroup_version"] == (2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1)
