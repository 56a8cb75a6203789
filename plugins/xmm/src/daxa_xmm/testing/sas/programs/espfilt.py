"""``espfilt``: times without flares of soft protons.

The stand-in takes the median of the field's light curve for the quiet rate instead of fitting its histogram. What it
prints and leaves is in the order, and under the names, of the recorded logs.
"""

from __future__ import annotations

import os

from . import events, evselect
from .parameters import declared

_CAMERAS = {"EMOS1": "mos1", "EMOS2": "mos2", "EPN": "pn"}
_FIELD = {"pn": "(PATTERN<=4)&&(PI in [{low}:{high}])&&(#XMMEA_EP)",
          "mos": "(PATTERN<=12)&&(PI in [{low}:{high}])&&(#XMMEA_EM)"}  # fmt: skip
_CORNER = {"pn": "(PATTERN<=4)&&!((DETX,DETY) in circle(-2200,-1100,18080))",
           "mos": "(PATTERN<=12)&&((FLAG & 0x766aa000)==0)&&!(CIRCLE(100,-200,17700,DETX,DETY))"}  # fmt: skip
_GOOD = {"pn": "(PATTERN<=4)&&((FLAG & 0xfb0000)==0)", "mos": "(PATTERN<=12)&&((FLAG & 0x766aa000)==0)"}


def espfilt(task):
    """Find the times, and write the events of them."""
    path = task.parameters.get("eventfile") or task.parameters.get("eventset")
    hdus, place = task.open_table(path, "EVENTS")
    header = hdus[place]
    camera = _CAMERAS.get(header.get("INSTRUME"))
    if camera is None:
        task.fail("file", f"{path} is no event list of EPIC.")
    evselect.identify(task, header)
    task.calibration()
    if task["method"] not in ("histogram", "ratio"):
        task.fail("ParamNotInRange", f"The value `{task['method']}' of the parameter `method' is not histogram/ratio.")
    low, high = int(task.parameters.get("elow", 2500)), int(task.parameters.get("ehigh", 8500))
    stem = f"{camera}{header.get('EXPIDSTR')}"
    long = task.sas < (20,) or task.parameters.get("withlongnames") == "yes"
    steps = _Steps(task, path, hdus, place, stem, f"-{low}-{high}" if long else "", camera[:3].rstrip("S"), (low, high))
    steps.before()
    intervals = steps.quiet()
    steps.after(intervals)


class _Steps:
    """The steps of one run."""

    def __init__(self, task, path, hdus, place, stem, suffix, kind, band):
        self.task, self.path, self.hdus, self.place = task, path, hdus, place
        self.stem, self.suffix, self.kind, self.band = stem, suffix, "mos" if kind == "mos" else "pn", band

    def _name(self, what, kind="fits"):
        return f"{self.stem}-{what}{self.suffix}.{kind}"

    def _evselect(self, table, hdus, place, expression, bin_size=None, **more):
        """Run `evselect` in the process of this task."""
        task = self.task
        chosen = {**declared("evselect", task.sas), "table": table, "expression": expression, **more}
        task.executing("evselect", task.described(chosen))
        if bin_size:
            chosen["timebinsize"] = bin_size
        count = evselect.run(task, hdus, place, chosen)
        task.state("ended", "evselect")
        return count

    def _image(self, table, hdus, place, what):
        size = {"xcolumn": "DETX", "ycolumn": "DETY", "ximagesize": "60", "yimagesize": "60"}
        image = {"imageset": self._name(what), "withimageset": "yes"}
        self._evselect(table, hdus, place, "true", **size, **image)

    def _events(self, table, hdus, place, expression, output):
        return self._evselect(
            table, hdus, place, expression, filteredset=output, withfilteredset="yes", keepfilteroutput="yes"
        )

    def _curve(self, what, expression):
        """Make a light curve: of bins of a second, as the log says, but of 500 bins at most."""
        table = self.hdus[self.place]
        size = max(1.0, (table.get("TSTOP") - table.get("TSTART")) / 500)
        return self._evselect(
            f"{self.path}:EVENTS",
            self.hdus,
            self.place,
            expression,
            bin_size=size,
            rateset=self._name(what),
            withrateset="yes",
            maketimecolumn="yes",
            makeratecolumn="yes",
            withfilteredset="yes",
        )

    def before(self):
        """Images and light curves of the field and of the corners."""
        task, (low, high) = self.task, self.band
        task.say(f" ESPFILT: Processing eventlist: {self.path}")
        task.say(f" *FOV IMAGE* = {self._name('fovim')}")
        self._image(self.path, self.hdus, self.place, "fovim")
        task.say(" Running evselect to create *FOV LIGHTCURVE*")
        task.say(f" *FOV LIGHTCURVE * = {self._name('fovlc')}")
        self._curve("fovlc", _FIELD[self.kind].format(low=low, high=high))
        task.say(" Running evselect to create *CORNER EVENTLIST*")
        task.say(f" *CORNER EVENTLIST * = {self._name('corev')}")
        corner = _CORNER[self.kind]
        self._events(f"{self.path}:EVENTS", self.hdus, self.place, corner, self._name("corev"))
        task.say(" Running evselect to create *CORNER IMAGE*")
        task.say(f" *CORNER IMAGE * = {self._name('corim')}")
        self._image(self._name("corev"), self.hdus, self.place, "corim")
        task.say(" Running evselect to create *CORNER LIGHTCURVE*")
        task.say(f" *CORNER LIGHTCURVE * = {self._name('corlc')}")
        self._curve("corlc", f"(PI in [{low}:{high}])&&{corner}")

    def quiet(self):
        """Times at which the rate of the field is that of most of the exposure."""
        task, header = self.task, self.hdus[self.place]
        task.say(f" ESPFILT: Processing using the {task['method'].upper()} method.")
        low, high = self.band
        rows, _ = evselect.select(task, header, _FIELD[self.kind].format(low=low, high=high))
        start, length = header.get("TSTART"), header.get("TSTOP") - header.get("TSTART")
        step = max(float(task["binsize"]), length / 20)
        counts = [0] * max(int(length // step), 1)
        for row in rows:
            counts[min(int((row[0] - start) // step), len(counts) - 1)] += 1
        task.say(f" CLEAN_LC: There are {int(length):>12}  rows in the FOV LC")
        if not rows:
            task.fail("noCounts", "All histo counts are zero! Check your FOV Lightcurve!")
        middle = sorted(counts)[len(counts) // 2]
        width = float(task.parameters.get("allowsigma", 3)) * max(middle, 1) ** 0.5
        task.say(f"Normalization = {max(counts):>9.3f}")
        task.say(f"Width         = {max(middle, 1) ** 0.5 / step:>9.3f}")
        task.say(f"Center        = {middle / step:>9.3f}")
        made = []
        for number, count in enumerate(counts):
            if abs(count - middle) > width:
                continue
            last = number == len(counts) - 1
            begin, end = start + number * step, start + length if last else start + (number + 1) * step
            if made and made[-1][1] == begin:
                made[-1] = (made[-1][0], end)
            else:
                made.append((begin, end))
        return made

    def after(self, intervals):
        """Write the good times and what is left of the events in them."""
        task = self.task
        lines = "".join(f"{start:.3f} {stop:.3f} +\n" for start, stop in intervals)
        text, good = self._name("gti", "txt"), self._name("gti")
        task.write_text(text, lines)
        task.executing("gtibuild", f"file={text} table={good}")
        task.write(
            good, [events.fits.primary(history=["stand-in for espfilt: generated"]), events.gti("STDGTI", intervals)]
        )
        task.state("ended", "gtibuild")
        task.write_text(self._name("hist", "qdp"), "READ SERR 1\n! stand-in for espfilt: generated\n" + lines)
        if task.no_output:
            return
        table, expression = f"{self.path}:EVENTS", f"{_GOOD[self.kind]}&&GTI({good},TIME)"
        word = task["method"].upper()
        task.say(f" {word}_METHOD: *CLEANED (flare-free) FOV EVENTLIST FILE* = {self._name('allevc')}")
        task.say(" *Flare free eventlist evselect command =")
        self._events(table, self.hdus, self.place, expression, self._name("allevc"))
        task.say(f" {word}_METHOD: *CLEANED (flare-free) FOV IMAGE FILE* = {self._name('allimc')}")
        clean = task.open(self._name("allevc"))
        self._image(self._name("allevc"), clean, self.place, "allimc")
        task.say(f" {word}_METHOD: *CLEANED (flare-free) CORNER EVENTLIST FILE* = {self._name('corevc')}")
        self._events(table, self.hdus, self.place, f"{_CORNER[self.kind]}&&GTI({good},TIME)", self._name("corevc"))
        if task.parameters.get("withoot") == "yes":
            self._out_of_time(expression)
        task.say(f" {word}_METHOD: Return with no errors")
        if task.parameters.get("keepinterfiles", "no") == "no":
            task.say(" ESPFILT: **** keepinterfiles NOT set")
            task.say(" ESPFILT: **** Deleting these intermediary files:")
            for name, what in (
                (self._name("fovim"), "Unfiltered FOV image"),
                (self._name("corim"), "Corner-only image"),
                (text, "GTI text file for gtibuild"),
            ):
                task.say(f" {what}: {name}")
                os.remove(name)

    def _out_of_time(self, expression):
        """Select from the out-of-time list at the same times."""
        path = self.task["ootfile"]
        hdus, place = self.task.open_table(path, "EVENTS")
        self._events(f"{path}:EVENTS", hdus, place, expression, f"{self.stem}-allevcoot.fits")
