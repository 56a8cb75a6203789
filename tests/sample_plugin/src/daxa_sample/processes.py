"""How raw frames of Sample become one calibrated event list a telescope.

The summary says which telescopes exposed, and how often. Each exposure is calibrated by ``samplecal``; those of a
telescope that could be calibrated are merged.
"""

import re

from daxa.api import Call, Child, Command, Need, process


@process(level="obs", produces={"summary": "misc/{name}-summary.txt"}, message="Reading summaries")
def summary(job):
    """Keep the summary that came with the observation."""
    return Call("shutil:copyfile", src=str(job.raw / "summary.txt"), dst=str(job.output("summary")))


@summary.reveal
def exposures(job):
    """A line an exposure: telescope, name, seconds, and whether its shutter was open."""
    found = {}
    for line in job.output("summary").read_text().splitlines():
        inst, name, seconds, shutter = line.split()
        usable = shutter == "open"
        child = Child(
            name=name,
            usable=usable,
            reason="" if usable else "its shutter was closed",
            info={"seconds": float(seconds)},
        )
        found.setdefault(inst, []).append(child)
    return [Child(name=inst, children=children) for inst, children in found.items()]


@process(level="exp", needs=[summary], tools=["sampletools"], produces={"events": "events/{name}-events.fits"})
def calibrate(job, minimum: float = 0.0):
    """Calibrate the raw frames of an exposure (Sample Calibration Guide, 2). ``minimum`` is the least energy in keV."""
    token = {"WIDE": "w", "DEEP": "d"}[job.data_id.inst]
    frames = job.raw / f"{job.data_id.obs_id.lower()}_{token}_{job.data_id.subexp.lower()}_raw.fits"
    return Command(["samplecal", f"infile={frames}", f"outfile={job.output('events')}", f"minimum={minimum}"])


@calibrate.applies
def _(exposure, params):
    return exposure.seconds >= 100 or f"it lasted {exposure.seconds:g} s, and 100 s are needed"


@calibrate.assess
def _(stdout, stderr):
    errors = re.findall(r"^samplecal: ERROR (.*)$", stderr, re.MULTILINE)
    warnings = re.findall(r"^samplecal: WARNING (.*)$", stderr, re.MULTILINE)
    return errors, [{"originator": "samplecal", "name": "warning", "message": text} for text in warnings]


@process(level="inst", needs=[Need(process="calibrate", mode="any")], produces={"merged": "events/{name}-merged.fits"})
def merge(job):
    """Merge the calibrated exposures of a telescope, in order of time in seconds."""
    lists = sorted(map(str, job.inputs("events")))
    return Call("daxa_sample.merging:merge", lists=lists, out_path=str(job.output("merged")))
