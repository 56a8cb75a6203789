"""Summaries as odfingest writes them, from what they should be read as."""

import gzip
from pathlib import Path

DATA = Path(__file__).parents[2] / "data" / "xmm"
PHL1811 = DATA.parent / "phl1811"
OBS, REVOLUTION = "0204310101", "0828"
KINDS = {"PN": "EPIC PN", "M1": "EPIC MOS", "M2": "EPIC MOS", "R1": "RGS", "R2": "RGS", "OM": "OM"}


def real(name):
    return gzip.decompress((DATA / f"{name}_SCX00000SUM.SAS.gz").read_bytes())


def exposure(inst, name, one):
    modes = "".join(f"DATA_MODE_{ccd} = {mode} / Data mode for CCD {ccd}\n" for ccd, mode in one["ccd_modes"].items())
    wheel = f"FILTER_WHEEL = FILTER A // Name of filter wheel position\nFILTER = {one['filter']} // Filter\n"
    wheel = wheel if one["filter"] else ""
    parameters = 1 + len(one["ccd_modes"]) + wheel.count("\n")
    return (
        f"//\n// Exposure Record\n//\nEXPOSURE\n{name[1:]} / Exposure Identifier [also {name}]\n"
        f"{'Y' if one['scheduled'] else 'N'} / Is this a scheduled exposure?\n{one['type']} / Exposure Type\n"
        f"{OBS}{inst}{name} / Commanded Exposure Identifier\n2004-06-17T10:39:08.000 / Actual Start Time\n//\n"
        f"// Configuration Record for {inst}\n//\nCONFIGURATION {KINDS.get(inst, inst)}\n"
        f"{parameters} / Number of configuration parameters available\n"
        f"MODE = {one['mode']} / Instrument configuration \n{modes}{wheel}"
    )


def instrument(inst, info):
    text = f"//\n// Instrument Record\n//\nINSTRUMENT\n{inst}\n"
    if not info["active"]:
        return f"{text}N / Is this instrument active?\n0 / Number of exposures for this instrument\n"
    text += f"Y / Is this instrument active?\n{info['num_exp']} / Number of exposures for this instrument\n"
    return text + "".join(exposure(inst, name, one) for name, one in info["exposures"].items())


def written(summary, obs_id=OBS, proposal=True):
    """The text of a summary; the proposal repeats words that stand for records above."""
    files = "".join(
        f"{REVOLUTION}_{obs_id}_{inst}{name}00AUX.FIT / ODF Constituent\n"
        for inst, info in summary.items()
        for name in info.get("exposures", {})
    )
    end = "// The PROPOSAL record was extracted\nPROPOSAL\nA. N. OTHER\nINSTRUMENT\nEXPOSURE\nFILTER = Closed\n"
    return (
        "// ----\n// XMM-Newton Science Analysis System\n//\nPATH /raw/\n//\nOBSERVATION\n"
        f"{obs_id} / Observation Identifier\n{REVOLUTION} / Revolution Identifier\n//\nFILES\n"
        f"{files.count(chr(10))} / Number of Files\n{files}CONFIGURATION\n5\nODF_VERSION = 003 / reset\n"
        + "".join(instrument(inst, info) for inst, info in summary.items())
        + (end if proposal else "")
    )
