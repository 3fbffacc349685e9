import dataclasses
from pathlib import Path

import pytest

from algorithms.algorithm import Work
from algorithms.codecs.codec import priced_codecs
from algorithms.codecs.levels import DENSE_BLOCK
from testbed import profiles, workloads
from testbed.errors import UserError

SHIPPED = ("a100", "edge-cpu", "k80")


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a workload asks of a device, counted from the layers' shapes without the profiles' own text."""

    calls: int  # kernels or operators of a step
    dense: float  # multiply-adds of a sample, forward, in convolutions and LSTMs
    linear: float = 0  # in linear layers
    outputs: int = 0  # of convolutions, of a sample
    moved_bytes: int = 0  # weights that every step reads and writes, whatever its batch


COUNTS = {
    "resnet32": Counts(calls=261, dense=68.86e6, outputs=11 * 16 * 32**2 + 10 * 32 * 16**2 + 10 * 64 * 8**2),
    "resnet110": Counts(calls=885, dense=252.89e6, outputs=37 * 16 * 32**2 + 36 * 32 * 16**2 + 36 * 64 * 8**2),
    "vgg16": Counts(calls=109, dense=313.2e6, outputs=276_480),
    "vgg-qsgd": Counts(calls=71, dense=131.4e6, linear=21.54e6, outputs=208_906, moved_bytes=12 * 22_543_050),
    "mlp-4096": Counts(calls=14, dense=0, linear=3.252e6, moved_bytes=12 * 3_256_330),
    "mlp-340": Counts(calls=14, dense=0, linear=0.27e6, moved_bytes=12 * 270_310),
    "lstm-ptb": Counts(
        calls=303,
        dense=35 * 2 * 4 * 1500 * 3000,
        linear=35 * 1500 * 10_000,
        moved_bytes=2 * 35 * 2 * 4 * 1500**2 * 4 + 12 * 66_034_000,
    ),
    "lstm-an4": Counts(
        calls=3058,
        dense=136 * (32 * (81 * 41 * 11 + 41 * 32 * 21 * 11) + 4 * 800 * (1312 + 800 + 4 * 1600)),
        linear=136 * 800 * (29 + 21),
        moved_bytes=5 * 2 * 136 * 4 * 800**2 * 4 + 12 * 27_569_568,
    ),
}

# Counted from He et al. 2016, tables 1 and 6: outputs of all convolutions, channels x side^2.
RESNET20 = 7 * 16 * 32**2 + 6 * 32 * 16**2 + 6 * 64 * 8**2
STAGES = ((56, 64, 3), (28, 128, 4), (14, 256, 6), (7, 512, 3))
RESNET50 = 64 * 112**2 + sum(side**2 * width * (6 * blocks + 4) for side, width, blocks in STAGES)
# v1.5 takes the stride in the 3 x 3: the first 1 x 1 of stages 2 to 4 still has the larger side
RESNET50_V15 = RESNET50 + sum(3 * side**2 * width for side, width, _ in STAGES[1:])


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADWIRE_CACHE", str(tmp_path))


@pytest.mark.parametrize(("device", "images_per_s", "resnet50"), [("k80", 51.9, RESNET50), ("a100", 938, RESNET50_V15)])
def test_shipped_compute_is_what_its_derivation_says(device: str, images_per_s: float, resnet50: int) -> None:
    compute = profiles.load(device).compute_of("resnet20")
    assert compute.seconds_per_sample.value == pytest.approx(RESNET20 / resnet50 / images_per_s, rel=2e-3)
    for count in (RESNET20, resnet50):
        assert f"{count:,}" in compute.seconds_per_sample.derivation


@pytest.mark.parametrize(("device", "memory_byte_per_s"), [("k80", 0.7 * 240e9), ("a100", 0.85 * 2039e9)])
def test_shipped_vector_work_moves_the_bytes_that_its_derivation_counts(device: str, memory_byte_per_s: float) -> None:
    profile = profiles.load(device)
    for cost in (profile.reduce, profile.apply):
        assert cost.seconds_per_byte.value == pytest.approx(3 / memory_byte_per_s, rel=1e-3)
    moved = {  # bytes for each value of 4: encode, decode
        "qsgd": (9, 5),
        "qsgd-elias": (22.5, 4.5),
        "fp16": (6, 6),
        "terngrad": (8.2, 4.2),
        "sign": (8.125, 4.125),
        "topk": (20, 4),
        "randomk": (84, 84),
    }
    for name, (encode, decode) in moved.items():
        for cost, size in ((profile.codecs[name].encode, encode), (profile.codecs[name].decode, decode)):
            assert cost.seconds_per_byte.value == pytest.approx(size / 4 / memory_byte_per_s, rel=1e-3)
            assert f"{size:g} bytes moved" in cost.seconds_per_byte.derivation or name == "qsgd"


@pytest.mark.parametrize(("device", "clock_hz"), [("k80", 875e6), ("a100", 1410e6)])
def test_shipped_elias_decoding_takes_a_block_of_codes_in_turn(device: str, clock_hz: float) -> None:
    per_call = profiles.load(device).codecs["qsgd-elias"].decode.seconds_per_call.value
    assert per_call == pytest.approx(1e-5 + DENSE_BLOCK * 50 / clock_hz, rel=1e-3)


def test_the_edge_devices_numbers_are_what_their_derivations_say() -> None:
    profile = profiles.load("edge-cpu")
    flops, memory_byte_per_s = 8 * 1.5e9, 12.8e9 / 4
    seconds_per_sample = profile.compute_of("resnet20").seconds_per_sample.value
    assert seconds_per_sample == pytest.approx(3 * 2 * 40.55e6 / (0.35 * flops), rel=2e-3)
    fp32, qsgd = profile.codecs["fp32"], profile.codecs["qsgd"]
    for cost, passes in ((fp32.encode, 1), (fp32.decode, 2), (profile.reduce, 3), (profile.apply, 3)):
        assert cost.seconds_per_byte.value == pytest.approx(passes / memory_byte_per_s)
    assert qsgd.encode.seconds_per_byte.value == pytest.approx((30 + 60) / 1.5e9 / 4)
    assert qsgd.decode.seconds_per_byte.value == pytest.approx(30 / 1.5e9 / 4)
    fp16 = profile.codecs["fp16"]
    assert fp16.encode.seconds_per_byte.value == pytest.approx(2.5 / memory_byte_per_s, rel=1e-3)
    assert fp16.decode.seconds_per_byte.value == pytest.approx(1.5 / memory_byte_per_s, rel=1e-3)
    cycles = {"terngrad": (100, 30), "sign": (40, 20), "topk": (40, None), "randomk": (90, 90), "qsgd-elias": (180, 80)}
    for name, (encode, decode) in cycles.items():
        assert profile.codecs[name].encode.seconds_per_byte.value == pytest.approx(encode / 1.5e9 / 4, rel=1e-3)
        if decode is not None:
            assert profile.codecs[name].decode.seconds_per_byte.value == pytest.approx(decode / 1.5e9 / 4, rel=1e-3)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize(
    ("device", "call_s", "byte_per_s"),
    [("k80", 10e-6, 0.7 * 240e9), ("a100", 10e-6, 0.85 * 2039e9), ("edge-cpu", 50e-6, 3.2e9)],
)
def test_other_workloads_take_what_their_counts_say(device: str, call_s: float, byte_per_s: float, name: str) -> None:
    counts, compute = COUNTS[name], profiles.load(device).compute_of(name)
    step_s = counts.calls * call_s + counts.moved_bytes / byte_per_s
    assert compute.seconds_per_step.value == pytest.approx(step_s, rel=6e-3)
    readings = {
        "k80": ((counts.dense + counts.linear) / 3.8e9 / 51.9, counts.outputs / RESNET50 / 51.9),
        "a100": (
            counts.dense / 4.1e9 / 938 + 6 * counts.linear / (0.7 * 19.5e12),
            counts.outputs / RESNET50_V15 / 938,
        ),
        "edge-cpu": (6 * (counts.dense + counts.linear) / (0.35 * 8 * 1.5e9),),
    }
    assert compute.seconds_per_sample.value == pytest.approx(max(readings[device]), rel=6e-3)


def test_counts_are_kept_of_every_workload() -> None:
    assert set(COUNTS) == set(workloads.names()) - {"resnet20"}


@pytest.mark.parametrize("device", SHIPPED)
def test_shipped_profiles_are_estimates_that_cover_every_workload_and_codec(device: str) -> None:
    profile = profiles.load(device)
    assert (profile.device, profile.kind) == (device, "estimated")
    assert set(profile.compute) == set(workloads.names())
    assert set(profile.codecs) == set(priced_codecs())


def test_work_is_a_constant_and_a_slope() -> None:
    profile = profiles.load("k80")
    encode = profile.codecs["qsgd"].encode
    expected = encode.seconds_per_call.value + 1000 * encode.seconds_per_byte.value
    assert profile.work_s(Work.ENCODE, 1000, "qsgd") == expected
    assert profile.work_s(Work.DECODE, 1000, "qsgd") < expected
    assert profile.work_s(Work.REDUCE, 0) == profile.reduce.seconds_per_call.value
    assert profile.mean_compute_s("resnet20", 128) == pytest.approx(1.65e-3 + 128 * 3.43e-4)


def test_what_a_profile_lacks_is_named() -> None:
    with pytest.raises(UserError, match=r"device k80 has no codec 'elias', only bf16, fp16, fp32, grid, .*qsgd"):
        profiles.load("k80").work_s(Work.ENCODE, 1, "elias")
    with pytest.raises(UserError, match="device k80 has no workload 'vgg61', only lstm-"):
        profiles.load("k80").mean_compute_s("vgg61", 1)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_unmeasured_device_of_this_machine_says_how_to_measure_it(device: str) -> None:
    assert device in profiles.names()
    expected = rf"device {device} has not been measured .*run `gradwire profile --device {device}`"
    with pytest.raises(UserError, match=expected):
        profiles.load(device)


def test_an_unknown_device_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="device is 'k8', must be one of a100, cpu, cuda, edge-cpu, k80, or the path"):
        profiles.load("k8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: estimated", "kind: guessed", "kind is 'guessed'"),
        ("kind: estimated", "kind: real", "kind is 'real', which no file can be"),
        ("value: 3.43e-4", "value: -1.0", "seconds_per_sample.value is -1.0: input should be greater"),
        ("value: 3.43e-4", "value: .nan", "seconds_per_sample.value is nan"),
        ("value: 3.43e-4", "value: fast", "seconds_per_sample.value is 'fast'"),
        ("device: k80", "device: k80\nspeed: 3", "speed is not a field of a profile"),
        ("device: k80", "", "device is missing"),
        ("schema: 1", "schema: [", "is not YAML"),
    ],
)
def test_a_bad_file_names_field_value_and_rule(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (Path(profiles.__file__).parent / "k80.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message) as raised:
        profiles.load(str(path))
    assert str(path) in str(raised.value)


def test_the_digest_follows_the_content() -> None:
    profile = profiles.load("k80")
    assert profile.digest == profiles.load("k80").digest != profiles.load("a100").digest
    assert dataclasses.replace(profile, description="other").digest != profile.digest
