"""Serves one page and its state over HTTP, to programs of this machine alone."""

from __future__ import annotations

import errno
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol

from testbed.errors import UserError

ADDRESS: Final = "127.0.0.1"  # never another: there is no log-in
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class Source(Protocol):
    """Where the answers come from."""

    def page(self) -> str:
        """HTML."""

    def state(self) -> dict[str, Any]:
        """What the page asks for while it is open."""


class Server(ThreadingHTTPServer):
    """Answers GET of `/` and `/state.json`, and nothing else. UserError where the port cannot be had."""

    daemon_threads = True  # a browser that keeps its connection does not keep the program from ending

    def __init__(self, source: Source, port: int) -> None:
        self.source = source
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UserError(
                    f"port {port} is in use by another program: give another with --port, or --port 0 for any free one"
                ) from None
            raise UserError(f"port {port} cannot be used ({error.strerror}): give another with --port") from None

    @property
    def url(self) -> str:
        """Where a browser of this machine finds it."""
        return f"http://{ADDRESS}:{self.server_port}/"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What requests that are meant for it call it. Of another name, a page of elsewhere had it led here."""
        return (f"{ADDRESS}:{self.server_port}", f"localhost:{self.server_port}")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves amid an answer is no error of ours."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds that a connection may be idle

    def do_GET(self) -> None:
        """The page, its state, or a sentence why not."""
        if self.headers.get("Host") not in self.server.hosts:
            return self._refuse(
                HTTPStatus.MISDIRECTED_REQUEST, f"This is {self.server.url} and answers to no other name."
            )
        if self.path == "/":
            return self._answer(HTTPStatus.OK, "text/html", self.server.source.page())
        if self.path == "/state.json":
            return self._answer(HTTPStatus.OK, "application/json", json.dumps(self.server.source.state()))
        return self._refuse(HTTPStatus.NOT_FOUND, f"There is only {self.server.url} here.")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the base class answers to what it does not understand, without a page of its own."""
        status = HTTPStatus(code)
        if status == HTTPStatus.NOT_IMPLEMENTED:  # a method other than GET
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._refuse(status, "Only GET is answered here." if status == HTTPStatus.METHOD_NOT_ALLOWED else status.phrase)

    def version_string(self) -> str:
        """Nobody's business."""
        return "gradwire"

    def log_message(self, format: str, *args: Any) -> None:
        """A request a second is not worth a line."""

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        self.close_connection = True  # a body that was sent along is not read as the next request
        self._answer(status, "text/plain", sentence + "\n")

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body)), **_HEADERS}
        headers |= {"Allow": "GET"} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
        headers |= {"Connection": "close"} if self.close_connection else {}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
