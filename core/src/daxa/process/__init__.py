"""Steps of reduction: how a plugin declares them, and what a step is given."""

from daxa.process.caveats import collect_caveats, report_caveat
from daxa.process.declare import Need, Process, Product, process
from daxa.process.job import Call, Command, Job

__all__ = [
    "Call",
    "Command",
    "Job",
    "Need",
    "Process",
    "Product",
    "collect_caveats",
    "process",
    "report_caveat",
]
