from __future__ import annotations

from testbed.session.trace import trace_document
from testbed.workers.protocol import BlockDone, Slice


def test_every_worker_has_its_traced_steps_from_where_the_one_before_ended() -> None:
    first = BlockDone(
        1.0,
        (2.0, 2.5, 3.5),
        {},
        0,
        slices=(
            (Slice("compute", 2.0, 0.25), Slice("send", 2.375, 0.125, ((1, 40),))),
            (Slice("compute", 2.5, 1.0),),
        ),
    )
    second = BlockDone(1.0, (1.5, 2.5, 3.0), {}, 0, slices=((), ()))
    document = trace_document([first, second], end_step=14)
    assert document["steps"] == [12, 13]
    assert document["workers"] == [
        [
            {
                "begin_ns": 500_000_000,
                "end_ns": 1_000_000_000,
                "slices": [["compute", 0, 250_000_000], ["send", 125_000_000, 125_000_000, [[1, 40]]]],
            },
            {"begin_ns": 1_000_000_000, "end_ns": 2_000_000_000, "slices": [["compute", 0, 1_000_000_000]]},
        ],
        [
            {"begin_ns": 0, "end_ns": 1_000_000_000, "slices": []},
            {"begin_ns": 1_000_000_000, "end_ns": 1_500_000_000, "slices": []},
        ],
    ]


def test_a_block_that_is_traced_whole_begins_at_its_start() -> None:
    document = trace_document([BlockDone(1.0, (2.0,), {}, 0, slices=((),))], end_step=1)
    assert document == {"steps": [0], "workers": [[{"begin_ns": 0, "end_ns": 1_000_000_000, "slices": []}]]}


def test_slices_that_touch_still_do_when_rounded() -> None:
    thirds = (Slice("send", 0.0, 1e-9 / 3), Slice("wait", 1e-9 / 3, 2e-9 / 3), Slice("decode", 1e-9, 1e-6))
    (step,) = trace_document([BlockDone(0.0, (2e-6,), {}, 0, slices=(thirds,))], end_step=1)["workers"][0]
    assert step["slices"] == [["send", 0, 0], ["wait", 0, 1], ["decode", 0, 1000]]
