from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from testbed import profiles
from testbed.workers.protocol import LIBRARY_ALLREDUCE, PARTS, SEND, WAIT

Document = Mapping[str, Any]
# As `tcpdump -q` prints a TCP segment: addresses with ports, and the bytes of payload.
SEGMENT = re.compile(r"^IP ([\d.]+)\.\d+ > ([\d.]+)\.\d+: tcp (\d+)$", re.MULTILINE)


@pytest.fixture
def check_trace() -> Callable[[Document, Document], None]:
    """Asserts what holds between a cell's trace and its document."""
    return _check_trace


def _check_trace(document: Document, trace: Document) -> None:
    last = document["repetitions"][-1]
    assert len(trace["workers"]) == document["cell"]["network"]["workers"]
    assert len(trace["steps"]) == 3
    for place, number in enumerate(trace["steps"]):
        totals_ns: Counter[str] = Counter()
        steps = [of_worker[place] for of_worker in trace["workers"]]
        for step in steps:
            _check_step(step, number)
            for name, _, duration_ns, *_ in step["slices"]:
                totals_ns["communicate" if name in (SEND, WAIT, LIBRARY_ALLREDUCE) else name] += duration_ns
        rounding_s = 1e-9 * max(len(step["slices"]) for step in steps)
        for part in PARTS:
            mean_s = totals_ns[part] / len(steps) / 1e9
            assert mean_s == pytest.approx(last[f"{part}_s"][place - len(trace["steps"])], rel=0, abs=rounding_s), part
        sent, received = (_bytes(steps, name) for name in (SEND, WAIT))
        assert sent == received == document["bytes"]["handed_per_step"]


def _check_step(step: Document, number: int) -> None:
    assert all(gap_ns >= 0 and duration_ns >= 0 for _, gap_ns, duration_ns, *_ in step["slices"]), number
    filled_ns = sum(gap_ns + duration_ns for _, gap_ns, duration_ns, *_ in step["slices"])
    assert 0 < filled_ns <= step["end_ns"] - step["begin_ns"], number


def _bytes(steps: list[Document], name: str) -> int:
    messages = [one[3] for step in steps for one in step["slices"] if one[0] == name]
    return sum(size for of_slice in messages for _, size in of_slice)


@pytest.fixture
def check_captures() -> Callable[[Document, Path], None]:
    """Asserts what holds between a cell's packet captures and its document."""
    return _check_captures


def _check_captures(document: Document, folder: Path) -> None:
    links = document["capture"]["links"]
    assert {path.name for path in folder.iterdir()} == {f"{link}.pcap" for link in links}
    workers = document["cell"]["network"]["workers"]
    own = {f"10.0.0.{rank + 1}" for rank in range(workers)}
    steps = sum(len(repetition["step_s"]) + 1 for repetition in document["repetitions"])  # one leads in
    leaving: Counter[str] = Counter()  # payload of each worker's connections, where its own links are captured
    for link, counts in links.items():
        assert counts["dropped"] == 0 and counts["packets"] > 0
        for (source, target), size in _payload(folder / f"{link}.pcap", counts["packets"]).items():
            assert {source, target} <= own
            if _address(link.split("-")[0]) == source or (
                link.startswith("w") and _address(link.split("-")[1]) == source
            ):
                leaving[source] += size
    retransmitted = document["bytes"]["retransmitted_per_step"]
    sent = (document["bytes"]["socket_per_step"] + retransmitted) * steps
    assert sum(leaving.values()) == pytest.approx(sent, rel=0 if retransmitted == 0 else 1e-3)
    if shutil.which("tshark"):
        opened = subprocess.run(["tshark", "-r", folder / f"{link}.pcap", "-c", "9"], capture_output=True, check=True)
        assert len(opened.stdout.splitlines()) == 9


def _address(node: str) -> str:
    """The address of `w3`; of a switch none that is a worker's."""
    return f"10.0.0.{int(node[1:]) + 1}" if node.startswith("w") else ""


def _payload(path: Path, packets: int) -> Counter[tuple[str, str]]:
    """Bytes of TCP payload in a file, by source and target."""
    said = subprocess.run(["tcpdump", "-nntqr", path], capture_output=True, text=True, check=True).stdout
    segments = SEGMENT.findall(said)
    assert len(segments) == len(said.splitlines()) == packets  # nothing but TCP
    payload: Counter[tuple[str, str]] = Counter()
    for source, target, size in segments:
        payload[source, target] += int(size)
    return payload


@pytest.fixture(scope="session")
def even_device(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A device on which each step of `vector-25000` computes for 50 ms, always; anything else is a K80's."""
    text = Path(profiles.__file__).with_name("k80.yaml").read_text()
    for found, instead in (
        ("  resnet20:", "  vector-25000:"),
        ("value: 1.65e-3", "value: 5.0e-2"),
        ("value: 3.43e-4", "value: 0.0"),
        ("value: 0.02", "value: 0.0"),
    ):
        assert text.count(found) >= 1
        text = text.replace(found, instead)
    path = tmp_path_factory.mktemp("devices") / "even.yaml"
    path.write_text(text)
    return str(path)
