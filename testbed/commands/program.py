"""The command that runs a user's own program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from testbed.commands.options import FOLDER, LAB


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- PROGRAM [ARGUMENT]...")
@click.option("--topology", help="ring, star or tree.  [default: star]")
@click.option("--arity", type=int, help="Of a tree: workers below each leaf switch.")
@click.option("--workers", type=int, help="Ranks, each on a host of its own.  [default: 8]")
@click.option("--bandwidth", metavar="RATE", help="Of every link, each way, such as 100mbit or '1.4 Gbit/s'.")
@click.option("--trunk", metavar="RATE", help="Of links between switches of a tree.  [default: as --bandwidth]")
@click.option("--latency", metavar="TIME", help="Round trip between neighbouring workers, such as 20ms.")
@click.option("--jitter", metavar="TIME", help="Standard deviation of that round trip.  [default: 0]")
@click.option("--loss", metavar="SHARE", help="Of packets that each link drops, such as '0.1 %'.  [default: 0]")
@click.option("--queue", metavar="SIZE", help="Of every link, each way: bytes, or a time.  [default: 16 MiB]")
@click.option("--slow-start-after-idle", is_flag=True, default=None, help="Restart TCP's window after an idle time.")
@click.option("--lab", type=LAB, default="auto", show_default=True, help="Where the network is emulated.")
@click.option("--timeout", "timeout_s", metavar="S", type=click.FloatRange(min=0, min_open=True),
              help="Seconds of the lab's time after which the program is ended, with exit status 124.")  # fmt: skip
@click.option(
    "--env", "assignments", multiple=True, metavar="NAME=VALUE", help="A variable for the program; repeatable."
)
@click.option("--output", type=FOLDER, help="Folder for the result, and for what each rank prints.")
@click.option("--label", is_flag=True, help="Begin each line that the program prints with its rank.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON document on standard output.")
@click.option("--patience", "patience_s", metavar="S", default=60.0, show_default=True,
              type=click.FloatRange(min=0, min_open=True),
              help="Lab virtual: processor time that a rank may use while emulated time stands still.")  # fmt: skip
@click.option(
    "--memory", metavar="SIZE", help="Lab virtual: of all ranks together.  [default: 1 GiB, and 1 GiB a rank]"
)
def run(program: tuple[str, ...], lab: str, timeout_s: float | None, assignments: tuple[str, ...],
        output: Path | None, label: bool, as_json: bool, patience_s: float, memory: str | None,
        **network: Any) -> int:  # fmt: skip
    """Run your own program on an emulated network: one rank a host, MPI or torch.distributed.

    Its time, the bytes on each link and the probe of the network go to standard error, and what it prints comes
    through. The exit status is the program's own.

    \b
    Examples:
      gradwire run --workers 4 --bandwidth 100mbit --latency 20ms -- python examples/ping_pong.py
      gradwire run --lab host --workers 4 --bandwidth 1gbit --latency 1ms --output result -- ./my_mpi_program
    """
    from testbed.program import request as asked
    from testbed.program.course import run_program

    request = asked.Request(
        words=program,
        network=asked.read_network(network),
        lab=lab,
        timeout_s=timeout_s,
        patience_s=patience_s,
        memory_bytes=asked.read_memory(memory),
        environment=asked.read_environment(assignments),
        output=output,
        label=label,
        as_json=as_json,
    )
    return run_program(request)
