from __future__ import annotations

from pathlib import Path

import pytest

from testbed import profiles


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
