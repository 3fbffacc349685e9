"""The engine's client against an engine's answers, on a socket of the tests' own."""

from __future__ import annotations

import gc
import json
import socketserver
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from testbed.doctor import engine
from testbed.errors import LabError

INFO = {
    "ServerVersion": "28.2.2",
    "CgroupVersion": "2",
    "Driver": "overlay2",
    "Runtimes": {"runc": {}, "nvidia": {}},
    "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}],
}


class Answers(BaseHTTPRequestHandler):
    """Says its version and INFO."""

    def do_GET(self) -> None:
        body = json.dumps({"ApiVersion": "1.47"} if self.path.endswith("/version") else INFO).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def address_string(self) -> str:
        return "a unix socket"


@pytest.fixture
def listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    path = str(tmp_path / "engine")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with socketserver.ThreadingUnixStreamServer(path, Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_an_engine_says_what_it_is(listening: None) -> None:
    assert engine.ask() == engine.Engine(
        version="28.2.2",
        cgroup_version="2",
        storage_driver="overlay2",
        runtimes=("nvidia", "runc"),
        devices=("nvidia.com/gpu=0",),
    )


@pytest.mark.parametrize("host", ["unix:///nowhere/engine", "not a host"])
def test_an_engine_that_does_not_answer_is_a_fault_in_few_words(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the library leaves the socket that found nobody to Python
        complaint = what_is_said()
        gc.collect()
    assert complaint.startswith("no Docker engine answers: ")
    assert len(complaint) < 160


def what_is_said() -> str:
    try:
        engine.ask()
    except LabError as error:
        return str(error)
    return ""
