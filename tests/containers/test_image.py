from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from docker import DockerClient
from hypothesis import given
from hypothesis import strategies as st

from containers import image
from testbed.errors import UserError

PATHS = st.lists(st.sampled_from("abc"), max_size=4).map(lambda parts: Path("/", *parts))


@given(st.lists(PATHS))
def test_nested_paths_are_covered_by_what_is_kept(paths: list[Path]) -> None:
    kept = image.without_nested(paths)
    assert all(any(path.is_relative_to(one) for one in kept) for path in paths)
    assert not [1 for one in kept for other in kept if one != other and one.is_relative_to(other)]


def test_equal_machines_make_equal_images(tmp_path: Path) -> None:
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "bin").mkdir()
    archive = image._archive(tmp_path)
    assert archive == image._archive(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        assert found.getmember("lib").linkname == "usr/lib"
        assert "bin" not in found.getnames()  # bound, since it is a folder of its own
        assert found.getmember("tmp").mode == 0o1777


@pytest.mark.docker
def test_the_image_is_made_once_for_a_user_without_privileges(engine: DockerClient) -> None:
    name = image.ensure(engine, lambda text: None)
    said: list[str] = []
    assert image.ensure(engine, said.append) == name
    assert said == []
    assert engine.images.get(name).attrs["Config"]["User"] == f"{image.USER}:{image.USER}"
    assert engine.images.get(name).attrs["Size"] < 2**20


@pytest.mark.docker
def test_an_image_that_is_missing_is_not_fetched(engine: DockerClient) -> None:
    with pytest.raises(UserError, match=r"containers\.image is 'no-such/image:1'.*build it"):
        image.require(engine, "no-such/image:1")
