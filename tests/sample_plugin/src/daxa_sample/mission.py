"""The mission Sample: two telescopes, WIDE and DEEP, that may expose several times in one observation."""

from daxa.api import (
    Location,
    Mission,
    NotAtArchiveError,
    RemoteFile,
    on_the_sky,
    texts,
    time_from_seconds,
    utc_from_mjd,
    whole_table,
)


class Sample(Mission):
    """Observations of Sample; positions are of the pointing."""

    name = "sample"
    pretty_name = "Sample"
    id_pattern = r"S[0-9]{4}"
    frame = "icrs"
    instruments = ("WIDE", "DEEP")
    default_instruments = ("WIDE", "DEEP")
    instrument_tokens = {"WIDE": "w", "DEEP": "d"}
    fov = "30 arcmin"
    levels = ("obs", "inst", "exp")
    product_level = "inst"
    column_order = ("ra", "dec", "ObsID", "science_usable", "start", "end", "duration")
    services = ("SAMPLE_TAP", "SAMPLE")
    templates = {"events": "{oi}_{i}_evt.fits"}

    async def catalogue(self, net):
        """Fetch the table ``sample``: one row an observation, times as MJD."""
        import pandas as pd

        table = await whole_table(net, net.url("SAMPLE_TAP"), "sample", ["obsid", "ra", "dec", "start_mjd", "seconds"])
        table = table[on_the_sky(table["ra"], table["dec"])].reset_index(drop=True)
        start, duration = utc_from_mjd(table["start_mjd"]), time_from_seconds(table["seconds"])
        return pd.DataFrame(
            {
                "ObsID": texts(table["obsid"]),
                "ra": table["ra"],
                "dec": table["dec"],
                "science_usable": True,
                "start": start,
                "end": start + duration,
                "duration": duration,
            }
        )

    async def remote_files(self, obs, want, net):
        """List the observation's directory: an event list a telescope, and for a reduction the summary and raw frames."""
        base = f"{net.url('SAMPLE')}{obs['ObsID']}/"
        mine = tuple(f"{obs['ObsID'].lower()}_{self.instrument_tokens[inst]}_" for inst in want.instruments)
        found = 0
        for entry in await net.listing(base):
            part = "products" if entry.name.endswith("_evt.fits") else "raw"
            if not getattr(want, part) or not (entry.name == "summary.txt" or entry.name.startswith(mine)):
                continue
            found += 1
            size = entry.size if entry.exact else None
            location = Location(url=base + entry.name, size=size)
            yield RemoteFile(obs_id=obs["ObsID"], path=entry.name, locations=[location], part_of=part)
        if not found:
            raise NotAtArchiveError(f"The archive holds nothing of {obs['ObsID']} that is wanted.", url=base)
