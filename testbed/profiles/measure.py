"""`gradwire profile`: measures this machine's device and writes its profile.

Compute is timed at two batch sizes, `batch_size` and a quarter of it, which gives the line's slope and
constant; the spread is that of the steps at `batch_size`. Codecs and vector work are timed on a whole
vector and on a 64th of it, for the same reason. On a CPU one thread is used, as a worker of the testbed
has; on a GPU every timed call ends with a synchronisation.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from ruamel.yaml import YAML

from algorithms.codecs.codec import Codec, priced_codecs
from testbed.errors import UserError
from testbed.profiles.finding import MEASURED, measured_folder
from testbed.profiles.profile import CodecCost, Compute, Cost, Profile, Quantity, Sampled
from testbed.workloads import create
from testbed.workloads.partition import Batches
from testbed.workloads.threads import one_thread
from testbed.workloads.workload import Workload

Seconds = npt.NDArray[np.float64]
Say = Callable[[str], None]

_WARMUP_CALLS = 3  # the first calls choose kernels and allocate
_STEPS = 40  # of compute at the full batch: enough for a distribution
_CALLS = 60  # of each codec and vector operation
_FRACTION = 64  # the smaller vector
_FLOAT_BYTES = 4
_BUSY = 1.1  # elapsed over computed seconds, above which others are using the processor


@dataclass(frozen=True, kw_only=True)
class _Line:
    """seconds = constant + slope * size, through two measured points; neither is ever negative."""

    constant: float
    slope: float


def measure_profile(
    *,
    workloads: Iterable[Workload | str],
    batch_size: int,
    device: str = MEASURED,
    output: Path | None = None,
    say: Say,
    steps: int = _STEPS,
) -> Path:
    """Measure a device of this machine and write its profile; about two minutes for ResNet-20 on a CPU.

    Args:
        workloads: what to time; a name stands for the workload with its defaults.
        batch_size: samples of a step, at least 4.
        device: torch's name of the device, `cpu` or `cuda`.
        output: the YAML file; None: where `load` finds it under the device's name.
        say: told what is being measured.
        steps: timed steps of compute, at least 4.

    Returns:
        The file written.

    Raises:
        UserError: the device is not there, an argument is out of range, or `output` cannot be written.
    """
    where = _device(device)
    path = output or measured_folder() / f"{device}.yaml"
    _make_room(path.parent)
    if batch_size < 4 or steps < 4:
        raise UserError(f"batch_size and steps must be at least 4, got {batch_size} and {steps}")
    try:
        codecs = priced_codecs()
    except ValueError as error:  # of another package
        raise UserError(str(error)) from None
    with one_thread():
        made = [create(each) if isinstance(each, str) else each for each in workloads]
        size = max(workload.parameters for workload in made)
        profile = Profile(
            schema=1,
            device=device,
            kind="measured",
            description=_describe(where),
            sources={"this-machine": f"measured by `gradwire profile` on {time.strftime('%Y-%m-%d')}"},
            compute={workload.name: _compute(workload, batch_size, steps, where, say) for workload in made},
            codecs={name: _codec(name, codec, size, where, say) for name, codec in codecs.items()},
            **_vector_work(size, where, say),
        )
    return _write(profile, path)


def fit(small: float, large: float, small_s: float, large_s: float) -> _Line:
    """The line through two points; through the origin and the larger one if it would start below zero."""
    slope = max(0.0, (large_s - small_s) / (large - small))
    constant = large_s - slope * large
    return _Line(constant=constant, slope=slope) if constant >= 0 else _Line(constant=0.0, slope=large_s / large)


def time_calls(call: Callable[[], object], calls: int, device: torch.device) -> Seconds:
    """Seconds of each of `calls` calls, after some that are not counted, float64 [calls]."""
    seconds = np.empty(calls)
    for index in range(-_WARMUP_CALLS, calls):
        began = time.perf_counter()
        call()
        _synchronise(device)
        if index >= 0:
            seconds[index] = time.perf_counter() - began
    return seconds


def _compute(workload: Workload, batch_size: int, steps: int, device: torch.device, say: Say) -> Compute:
    quarter = batch_size // 4
    say(f"{workload.name} on {device}: {steps} steps of {batch_size} samples, {steps // 2} of {quarter}")
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    full_s = _steps(workload, batch_size, steps, device)
    if device.type == "cpu":
        _warn_if_busy(time.perf_counter() - began_s, time.process_time() - began_cpu_s, say)
    quarter_s = _steps(workload, quarter, steps // 2, device)
    line = fit(quarter, batch_size, float(quarter_s.mean()), float(full_s.mean()))
    mean = f"means {full_s.mean():.4g} s at batch {batch_size} and {quarter_s.mean():.4g} s at batch {quarter}"
    return Compute(
        seconds_per_step=Quantity(value=line.constant, derivation=f"measured: constant of the line of {mean}"),
        seconds_per_sample=Quantity(value=line.slope, derivation=f"measured: slope of the line of {mean}"),
        spread=Sampled(
            relative=tuple(round(float(value), 6) for value in full_s / full_s.mean()),
            derivation=f"measured: {steps} steps at batch {batch_size}, median {np.median(full_s):.4g} s",
        ),
    )


def _warn_if_busy(wall_s: float, cpu_s: float, say: Say) -> None:
    """Other programs make a processor's times longer: say so, since the profile would keep them."""
    if wall_s > _BUSY * cpu_s:
        say(f"this machine is busy: {cpu_s:.1f} s of compute took {wall_s:.1f} s; measure again when idle")


def _steps(workload: Workload, batch_size: int, steps: int, device: torch.device) -> Seconds:
    """Seconds of forward and backward passes; copying the batch to the device is part, making it is not."""
    x = workload.initial_parameters().to(device)
    gradient = torch.empty_like(x)
    batches = Batches(workload.dataset, workers=1, batch_size=batch_size, seed=workload.seed)
    ready = iter([workload.dataset.batch(batches.indices(0, step)) for step in range(steps + _WARMUP_CALLS)])
    return time_calls(lambda: workload.gradient(x, next(ready), gradient), steps, device)


def _codec(name: str, codec: Codec, size: int, device: torch.device, say: Say) -> CodecCost:
    say(f"codec {name} on {device}: {_CALLS} calls each way on {size} values")
    generator = torch.Generator(device).manual_seed(1)
    values = torch.randn(size, device=device, generator=torch.Generator(device).manual_seed(2)) / size**0.5
    out = torch.empty_like(values)

    def encode(count: int) -> Callable[[], object]:
        into = torch.empty(codec.max_bytes(count), dtype=torch.uint8, device=device)
        return lambda: codec.encode(values[:count], generator, into)

    def decode(count: int) -> Callable[[], object]:
        payload = codec.encode(values[:count], generator).clone()
        return lambda: codec.decode(payload, out[:count])

    return CodecCost(encode=_cost(encode, size, device), decode=_cost(decode, size, device))


def _vector_work(size: int, device: torch.device, say: Say) -> dict[str, Cost]:
    say(f"reduce, apply and staging copy on {device}: {_CALLS} calls on {size} values")
    x, y = torch.zeros(size, device=device), torch.ones(size, device=device)
    host = torch.empty(size, pin_memory=device.type == "cuda")  # as what messages leave from is
    return {
        "reduce": _cost(lambda count: lambda: x[:count].add_(y[:count]), size, device),
        "apply": _cost(lambda count: lambda: x[:count].add_(y[:count], alpha=-0.1), size, device),
        "staging_copy": _staging(lambda count: lambda: host[:count].copy_(x[:count]), size, device),
    }


def _staging(of_count: Callable[[int], Callable[[], object]], size: int, device: torch.device) -> Cost:
    """On a CPU nothing is staged: MPI sends from where the values are."""
    if device.type != "cpu":
        return _cost(of_count, size, device)
    nothing = Quantity(value=0.0, derivation="MPI sends from the memory that a CPU computes in")
    return Cost(seconds_per_call=nothing, seconds_per_byte=nothing)


def _cost(of_count: Callable[[int], Callable[[], object]], size: int, device: torch.device) -> Cost:
    """The line through the median times of calls on `size` values and on a 64th of them."""
    small = max(1, size // _FRACTION)
    small_s, large_s = (float(np.median(time_calls(of_count(count), _CALLS, device))) for count in (small, size))
    line = fit(small * _FLOAT_BYTES, size * _FLOAT_BYTES, small_s, large_s)
    points = f"medians {large_s:.3g} s on {size} values and {small_s:.3g} s on {small}, of 4 bytes"
    return Cost(
        seconds_per_call=Quantity(value=line.constant, derivation=f"measured: line through the {points}"),
        seconds_per_byte=Quantity(value=line.slope, derivation=f"measured: line through the {points}"),
    )


def _make_room(folder: Path) -> None:
    """The folder of the profile, before minutes are spent on it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"output folder {folder} cannot be made ({error.strerror}): give another") from None
    if not os.access(folder, os.W_OK):
        raise UserError(f"output folder {folder} is not yours to write to: give another")


def _write(profile: Profile, path: Path) -> Path:
    values = asdict(profile)
    for compute in values["compute"].values():
        compute["spread"]["relative"] = list(compute["spread"]["relative"])
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8") as file:
        YAML().dump(values, file)  # in the order of the fields
    unfinished.replace(path)
    return path


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {name} cannot be used here ({reason}): choose cpu, or cuda with a GPU") from error
    return device


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"one core of {_processor()} ({os.cpu_count()} cores), torch {torch.__version__}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
