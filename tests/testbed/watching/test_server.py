from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import UserError
from testbed.watching.server import Server
from tests import made_runs

# A shell may have started the tests with SIGINT ignored, which a program of theirs would inherit
MAIN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from testbed.cli import main; sys.argv[0] = 'gradwire'; main()"
)


class Page:
    """A source without a run."""

    def page(self) -> str:
        return "<p>the page</p>"

    def state(self) -> dict[str, Any]:
        return {"version": "1"}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Page(), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def answer(server: Server, method: str, path: str, **headers: str) -> tuple[int, str, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body, response


def test_the_page_and_its_state_are_there_and_nothing_else(server: Server) -> None:
    assert answer(server, "GET", "/")[:2] == (200, "<p>the page</p>")
    assert answer(server, "GET", "/state.json")[:2] == (200, '{"version": "1"}')
    for path in ("/..", "/cells/", "/%2e%2e/etc/passwd", "/report.html", "/?x"):
        assert answer(server, "GET", path)[0] == 404, path


def test_nothing_is_kept_guessed_or_framed(server: Server) -> None:
    headers = answer(server, "GET", "/")[2].headers
    assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY" and headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "CONNECT", "BREW"])
def test_only_get_is_answered(server: Server, method: str) -> None:
    status, body, response = answer(server, method, "/")
    assert status == 405 and "the page" not in body and response.headers["Allow"] == "GET"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:80", ""])
def test_a_name_that_somebody_led_here_is_not_answered(server: Server, host: str) -> None:
    status, body, _ = answer(server, "GET", "/", Host=host)
    assert status == 421 and "the page" not in body


def test_localhost_is_a_name_of_it(server: Server) -> None:
    assert answer(server, "GET", "/", Host=f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize("request_", [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00\xff / x\r\n\r\n"])
def test_what_is_no_request_is_survived(server: Server, request_: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        assert b"the page" not in b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer(server, "GET", "/")[0] == 200
    assert capfd.readouterr().err == ""


def test_it_listens_on_this_machine_alone(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_a_busy_port_is_a_mistake_that_is_told(server: Server) -> None:
    with pytest.raises(UserError, match=f"port {server.server_port} is in use by another program: give another"):
        Server(Page(), server.server_port)


def test_the_command_serves_a_run_until_ctrl_c(tmp_path: Path) -> None:
    folder = made_runs.make("small", tmp_path / "run")
    before = sorted(folder.rglob("*"))
    command = [sys.executable, "-c", MAIN, "watch", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout and program.stderr
        line = program.stdout.readline()
        port = int(line.partition("http://127.0.0.1:")[2].partition("/")[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/")
        assert made_runs.cells_of("smoke")[0].id in connection.getresponse().read().decode()
        program.send_signal(signal.SIGINT)  # while the browser keeps its connection
        output, errors = program.communicate(timeout=30)
        connection.close()
    assert (program.returncode, errors) == (0, "") and output == "ended\n"
    assert sorted(folder.rglob("*")) == before  # it only reads
