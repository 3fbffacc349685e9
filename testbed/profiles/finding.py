"""From the `device` of a sweep file to a profile: shipped, measured on this machine, or a user's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from testbed.cache import cache_folder
from testbed.cell import OWN_DEVICES
from testbed.errors import UserError
from testbed.profiles.instant import INSTANT
from testbed.profiles.profile import ADAPTER, Profile

MEASURED = "cpu"  # what `gradwire profile` measures where nothing else is said
_BUILT_IN = {INSTANT.device: INSTANT}  # for measurements of the network alone: not offered to sweeps
_SHIPPED = Path(__file__).parent
_SUFFIX = ".yaml"


def measured_folder() -> Path:
    """Where `gradwire profile` leaves its profiles; a run keeps a copy of what it used."""
    return cache_folder() / "profiles"


def names() -> tuple[str, ...]:
    """Devices that a sweep may name: shipped, measured here, and this machine's own, measured or not."""
    found = {path.stem for folder in (_SHIPPED, measured_folder()) for path in folder.glob(f"*{_SUFFIX}")}
    return tuple(sorted(found | set(OWN_DEVICES)))


def load(device: str) -> Profile:
    """The profile of a device by name, or by the path of a YAML file.

    Raises:
        UserError: no such profile, or one that is not valid; the sentence says what to do.
    """
    if _is_path(device):
        return read(Path(device))
    if device in _BUILT_IN:
        return _BUILT_IN[device]
    for folder in (_SHIPPED, measured_folder()):
        if (path := folder / f"{device}{_SUFFIX}").is_file():
            return read(path)
    if device in OWN_DEVICES:
        raise UserError(
            f"device {device} has not been measured ({measured_folder()} lacks it): run `gradwire profile --device "
            f"{device}`"
        )
    raise UserError(f"device is {device!r}, must be one of {', '.join(names())}, or the path of a {_SUFFIX} file")


def absolute(device: str) -> str:
    """The device as workers are to be told it: a path is made absolute, for they work in another folder."""
    return str(Path(device).absolute()) if _is_path(device) else device


def _is_path(device: str) -> bool:
    return device.endswith(_SUFFIX) or "/" in device


def read(path: Path) -> Profile:
    """The profile in a YAML file; UserError names the file, the field, its value and the rule."""
    try:
        values: Any = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        profile = ADAPTER.validate_python(values)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"profile {path} cannot be read: {error}") from error
    except YAMLError as error:
        raise UserError(f"profile {path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise UserError(f"profile {path}: {_sentence(error)}; testbed/profiles/k80.yaml is an example") from error
    if profile.kind not in ("measured", "estimated"):
        raise UserError(f"profile {path}: kind is {profile.kind!r}, which no file can be: say measured or estimated")
    return profile


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong, as field, value and rule."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "the document"
    if first["type"] == "missing":
        return f"{field} is missing"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{field} is not a field of a profile"
    shown = repr(first["input"])
    value = shown if len(shown) < 60 else type(first["input"]).__name__
    return f"{field} is {value}: {first['msg'][:1].lower()}{first['msg'][1:]}"
