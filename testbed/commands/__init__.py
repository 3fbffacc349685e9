"""The commands of the command line, a module for each kind. What a command needs is imported inside it.

`gradwire --help` then answers at once, and lists them in the order of `COMMANDS`.
"""

from testbed.commands import comparing, documents, machine, measuring, papers, program, results

COMMANDS = (
    measuring.sweep,
    measuring.train,
    measuring.figures,
    program.run,
    results.report,
    comparing.compare,
    papers.figure,
    results.table,
    results.trace,
    results.watch,
    documents.guide,
    machine.doctor,
    machine.fidelity,
    machine.profile,
    machine.data,
    machine.clean,
    machine.schema,
)
