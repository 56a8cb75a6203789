"""The mission Sample: a catalogue that the plugin brings along, and a plain directory of files."""

from daxa.api import Location, Mission, NotAtArchiveError, RemoteFile

ROWS = [
    # ObsID, ra and dec in degrees (ICRS), start, duration in seconds
    ("S0001", 150.10, -11.06, "2031-03-01 10:00:00", 10_000),
    ("S0002", 150.30, -11.10, "2031-03-05 00:00:00", 5_000),
    ("S0003", 10.68, 41.27, "2031-04-01 12:30:00", 20_000),
]


class Sample(Mission):
    """Two telescopes, WIDE and DEEP, whose event lists are kept as they are."""

    name = "sample"
    pretty_name = "Sample"
    id_pattern = r"S[0-9]{4}"
    frame = "icrs"
    instruments = ("WIDE", "DEEP")
    default_instruments = ("WIDE", "DEEP")
    instrument_tokens = {"WIDE": "w", "DEEP": "d"}
    fov = "30 arcmin"
    levels = ("obs", "inst")
    product_level = "inst"
    column_order = ("ra", "dec", "ObsID", "science_usable", "start", "end", "duration")
    services = ("SAMPLE",)
    templates = {"events": "{oi}_{i}_evt.fits"}

    async def catalogue(self, net):
        """One row an observation."""
        import pandas as pd

        table = pd.DataFrame(ROWS, columns=["ObsID", "ra", "dec", "start", "duration"])
        table["start"] = pd.to_datetime(table["start"])
        table["duration"] = pd.to_timedelta(table["duration"], unit="s")
        table["end"] = table["start"] + table["duration"]
        table["science_usable"] = True
        return table

    async def remote_files(self, obs, want, net):
        """List the observation's directory; a file an instrument."""
        base = f"{net.url('SAMPLE')}{obs['ObsID']}/"
        wanted = {f"{obs['ObsID'].lower()}_{self.instrument_tokens[inst]}_evt.fits" for inst in want.instruments}
        found = [entry for entry in await net.listing(base) if entry.name in wanted]
        if not found:
            raise NotAtArchiveError(f"The archive holds no event list of {obs['ObsID']}.", url=base)
        for entry in found:
            yield RemoteFile(obs_id=obs["ObsID"], path=entry.name, locations=[Location(url=base + entry.name)])
