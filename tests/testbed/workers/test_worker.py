from __future__ import annotations

from multiprocessing import Pipe
from typing import Any

from testbed.workers.protocol import Block, Command, Failed, Hello, Leave, Left, Quit, Snapshot
from testbed.workers.worker import Worker


def conversation(*commands: Any) -> list[Any]:
    """What a worker answers to commands, its first word included."""
    session, worker_end = Pipe()
    with session, worker_end:
        for command in (*commands, Quit()):
            session.send(command)
        Worker(worker_end, rank=3).serve()
        answers = []
        while session.poll():
            answers.append(session.recv())
        return answers


def test_a_worker_introduces_itself_and_quits_when_told() -> None:
    (hello,) = conversation()
    assert isinstance(hello, Hello)
    assert hello.rank == 3
    assert "MPICH" in hello.mpi_library


def test_a_command_that_fails_is_answered_with_the_reason_and_the_next_is_heard() -> None:
    commands: tuple[Command, ...] = (Block(0, (0.0,)), Snapshot())
    for answer in conversation(*commands)[1:]:
        assert isinstance(answer, Failed)
        assert (answer.rank, answer.reason) == (3, "RuntimeError: no cell was prepared")
        assert "cell_runner" not in answer.reason and "Traceback" in answer.traceback


def test_an_unknown_command_is_a_failure() -> None:
    answer = conversation("dance")[1]
    assert "'dance'" in answer.reason


def test_leaving_without_a_cell_is_no_failure() -> None:
    assert conversation(Leave())[1:] == [Left()]
