"""The command line: its commands, and how what they raise is told."""

from __future__ import annotations

import os
import sys

import click

from testbed.commands import COMMANDS
from testbed.errors import LabError, UserError

FAULT, MISTAKE, INTERRUPTED = 1, 2, 130  # exit codes


def main() -> None:
    """The console script: a mistake or a fault is one line on stderr, never a traceback."""
    try:
        status = cli.main(prog_name="gradwire", standalone_mode=False) or 0
        sys.stdout.flush()  # here, where a full disk can still be told
        sys.exit(status)
    except click.ClickException as error:
        error.show()
        sys.exit(MISTAKE)
    except UserError as error:
        _complain(error, MISTAKE)
    except LabError as error:
        _complain(error, FAULT)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output (head, say) has seen enough
        _give_up_output()
        sys.exit(FAULT)
    except OSError as error:  # a full disk, a folder that is not ours: its text says which
        _give_up_output()
        _complain(error, FAULT)


def _give_up_output() -> None:
    """Let nobody's output fail a second time, in the interpreter's own flush when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(error: Exception, code: int) -> None:
    click.echo(f"gradwire: {error}", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradwire")
def cli() -> None:
    """How fast does this algorithm train on that network? Measured, on one machine.

    \b
    Example:
      gradwire sweep sweeps/smoke.yaml
    """


for command in COMMANDS:
    cli.add_command(command)
