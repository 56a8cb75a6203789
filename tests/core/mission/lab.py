"""Two missions of our invention: Lab, whose catalogue comes from a service, and Duo, which brings its own along."""

import json

import numpy as np
import pandas as pd

from daxa.api import Location, Mission, MissionEntry, RemoteFile, ServiceSpec, hookimpl


def rows(count, seed=1, frame_columns=()):
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2001-01-01") + pd.to_timedelta(rng.integers(0, 20 * 365 * 86400, count), unit="s")
    duration = pd.to_timedelta(rng.integers(1000, 90000, count), unit="s")
    return pd.DataFrame(
        {
            "ra": rng.uniform(0, 360, count),
            "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, count))),
            "ObsID": [f"{number:06d}" for number in range(1, count + 1)],
            "start": start,
            "science_usable": np.arange(count) % 17 != 3,
            "duration": duration,
            "end": start + duration,
            "target_category": [("GCL", "AGN", "STR")[number % 3] for number in range(count)],
            "proprietary_end_date": pd.Timestamp("2010-01-01"),
            "proprietary_usable": True,
            **dict.fromkeys(frame_columns, 1.5),
        }
    )


class Lab(Mission):
    name = "lab"
    pretty_name = "Laboratory"
    id_pattern = r"[0-9]{6}"
    frame = "fk5"
    instruments = ("A", "B")
    instrument_aliases = {"CAM-A": "A"}
    fov = "15 arcmin"
    columns = ("target_category", "proprietary_end_date", "proprietary_usable")
    column_order = (
        "ra",
        "dec",
        "ObsID",
        "start",
        "science_usable",
        "duration",
        "proprietary_end_date",
        "proprietary_usable",
        "end",
        "target_category",
    )
    has_proprietary = True
    services = ("LAB_TABLES", "LAB")
    bands = {"A": {(0.5, 2.0): "1", (2.0, 7.0): "2"}, "B": {(0.7, 2.0): ""}}
    instrument_tokens = {"A": "cama", "B": "camb"}
    templates = {
        "events": "products/{i}_{oi}_*_evt.fits",
        "image": {"A": "products/{i}_{oi}_im{eb}.fits", "B": "products/{i}_{oi}_im.fits"},
        "expmap": {"A": "products/{i}_{oi}_ex.fits", "B": None},
    }

    async def catalogue(self, net):
        reply = await net.get(net.url("LAB_TABLES") + "catalogue.json")
        table = pd.DataFrame(json.loads(reply.text))
        for name in ("start", "end", "proprietary_end_date"):
            if name in table:
                table[name] = pd.to_datetime(table[name])
        if "duration" in table:
            table["duration"] = pd.to_timedelta(table["duration"], unit="s")
        return table

    async def remote_files(self, obs, want, net):
        base = f"{net.url('LAB')}{obs['ObsID']}/"
        reply = await net.get(base + "index.json")
        for name, size in json.loads(reply.text).items():
            part = "products" if name.startswith("products/") else "raw"
            if getattr(want, part):
                yield RemoteFile(
                    obs_id=obs["ObsID"], path=name, locations=[Location(url=base + name, size=size)], part_of=part
                )


class Duo(Mission):
    name = "duo"
    pretty_name = "Duo"
    id_pattern = r"[0-9]{1,6}"
    frame = "icrs"
    instruments = ("WIDE", "NARROW")
    fov = {"WIDE": "1 deg", "NARROW": "5 arcmin"}
    columns = ("instrument",)
    one_inst_per_obs = True
    integer_obs_ids = True

    async def catalogue(self, net):
        table = rows(400, seed=2).drop(columns=["proprietary_end_date", "proprietary_usable"])
        table["ObsID"] = [str(int(one)) for one in table["ObsID"]]
        table["instrument"] = [self.instruments[number % 2] for number in range(len(table))]
        return table


class plugin:
    @staticmethod
    @hookimpl
    def daxa_register_missions():
        return [
            MissionEntry(name="duo", title="Duo", target="daxa_lab:Duo"),
            MissionEntry(name="lab", title="Laboratory", target="daxa_lab:Lab"),
        ]

    @staticmethod
    @hookimpl
    def daxa_register_services():
        return [
            ServiceSpec(name="LAB", url="https://lab.invalid/files/", connections=4),
            ServiceSpec(name="LAB_TABLES", url="https://lab.invalid/tables/", connections=4),
        ]
