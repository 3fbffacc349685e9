"""CMU's AN4 (Acero 1993): spelled words, names and numbers, if the user has it; nothing here downloads it.

948 utterances to train on and 130 to test with, as CMU's own README counts what it gives away.

etc/an4_train.transcription     `<s> R U B O U T </s> (an4-fash-b)` a line
wav/an4_clstk/fash/an4-fash-b.sph
etc/an4_test.transcription, wav/an4test_clstk/...
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from testbed.errors import UserError
from testbed.workloads.data.dataset import DataSource, Provider, user_places
from testbed.workloads.data.speech import Speech
from testbed.workloads.data.sphere import read_sphere

NAME = "an4"
_LINE = re.compile(r"(?:<s>)?\s*(?P<words>.*?)\s*(?:</s>)?\s*\((?P<id>\S+-(?P<speaker>\S+)-\S+)\)\s*")


@dataclass(frozen=True, kw_only=True)
class Part:
    """The training or the test part: its transcription, its sounds, and how many there are."""

    transcription: str
    sounds: str
    utterances: int


TRAINING = Part(transcription="etc/an4_train.transcription", sounds="wav/an4_clstk", utterances=948)
HELD_OUT = Part(transcription="etc/an4_test.transcription", sounds="wav/an4test_clstk", utterances=130)


def load(folder: Path, part: Part) -> Speech:
    """One part; UserError if utterances are missing or cannot be read."""
    lines = _read(folder / part.transcription).splitlines()
    found = [_parse(folder / part.transcription, line) for line in lines if line.strip()]
    if len(found) != part.utterances:
        rule = f"has {len(found)} utterances, must have {part.utterances}"
        raise UserError(f"{folder / part.transcription} {rule}: it is damaged, get it again")
    sounds = [folder / part.sounds / line["speaker"] / f"{line['id']}.sph" for line in found]
    absent = [path for path in sounds if not path.is_file()]
    if absent:
        raise UserError(f"{absent[0]} is missing, and {len(absent) - 1} others: get AN4 again")
    return Speech(
        name=NAME, sounds=[read_sphere(path) for path in sounds], transcripts=[line["words"].upper() for line in found]
    )


def _parse(path: Path, line: str) -> re.Match[str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise UserError(f"{path}: line {line!r} must be as `<s> WORDS </s> (an4-speaker-b)`: correct the file")
    return match


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): get AN4 again") from error


def _digest(folder: Path) -> str:
    """Of both transcriptions: no sum of AN4's sounds is published."""
    whole = hashlib.sha256()
    for part in (TRAINING, HELD_OUT):
        whole.update(_read(folder / part.transcription).encode())
    return f"sha256:{whole.hexdigest()}"


def _locate() -> DataSource | None:
    for place in user_places(NAME):
        if (place / TRAINING.transcription).is_file():
            return DataSource(
                name=NAME,
                digest=_digest(place),
                load=partial(load, place, TRAINING),
                load_held_out=partial(load, place, HELD_OUT),
            )
    return None


AN4 = Provider(name=NAME, locate=_locate, places=lambda: user_places(NAME))
