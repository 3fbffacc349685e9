"""What the preloaded library does to a socket, seen from a process that has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed.labs import native

# Parts of a message of 40,000 bytes come; the mark is read after each part was taken.
PROGRAM = """
import array, fcntl, json, socket, termios, time
listener = socket.create_server(("127.0.0.1", 0))
sender = socket.create_connection(listener.getsockname())
receiver = listener.accept()[0]
receiver.setblocking(False)

def waiting():
    count = array.array("i", [0])
    fcntl.ioctl(receiver, termios.FIONREAD, count)
    return count[0]

def mark():
    return receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)

missing, marks = 40_000, [mark()]
for part in (10_000, 20_000, 6_000, 4_000):
    sender.sendall(bytes(part))
    while waiting() < part:  # read before the mark is reached, as after an early wake-up
        time.sleep(0.001)
    missing -= len(receiver.recv(missing))
    marks.append(mark())
number = receiver.fileno()
receiver.close()
again = socket.socket(fileno=socket.socket(socket.AF_INET, socket.SOCK_STREAM).detach())
print(json.dumps([marks, number == again.fileno()]))
"""


# How many polls that find nothing return at once, before one sleeps: at first, right after that, and after a send.
POLLS = """
import json, resource, select, socket
one, other = socket.socketpair()
idle = select.epoll()
idle.register(one.fileno(), select.EPOLLIN)

def sleeps():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    idle.poll(0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw > before

def at_once():
    return next(count for count in range(1000) if sleeps())

first, again = at_once(), at_once()
one.send(b"x")
print(json.dumps([first, again, at_once()]))
"""


def said(helpers: Path, program: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **native.blocking_progress(helpers)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.fixture
def marks(helpers: Path) -> list[int]:
    found, same_number = said(helpers, PROGRAM)
    assert same_number
    return list(found)


def test_waits_that_are_over_at_once_do_not_make_the_next_one_sleep(helpers: Path) -> None:
    assert said(helpers, POLLS) == [16, 0, 16]


def test_a_socket_wakes_its_reader_when_the_rest_of_a_message_is_there_however_short(marks: list[int]) -> None:
    assert marks == [1, 30_000, 10_000, 4_000, 1]
