"""Images and exposure maps of XMM-Newton's cameras, made of merged event lists with SAS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daxa.api import Command, DataId, Job, Product, process
from daxa_xmm import parameters as checks
from daxa_xmm.holdings import EPIC
from daxa_xmm.messages import parse_stderr
from daxa_xmm.odf import sas_command


@process(
    level="obs",
    needs=["odf_ingest", "cif_build"],
    tools=["sas"],
    produces={"attitude": Product(path="P{obs_id}OBX000ATTTSR0000.FIT", kind="attitude")},
    message="Reading the attitude",
    listed=False,
)
def attitude(job: Job) -> Command:
    """Make the history of the telescope's attitude during the observation (see SAS's ``atthkgen``)."""
    return sas_command(job, ["atthkgen", f"atthkset={job.output('attitude')}", "timestep=1"], odf=True)


@process(
    level="inst",
    instruments=EPIC,
    needs=["merge_subexposures", attitude, "cif_build"],
    tools=["sas"],
    produces={
        "image": "images/obsid{obs_id}-inst{inst}-subexpALL-{variant}-image.fits",
        "expmap": "images/obsid{obs_id}-inst{inst}-subexpALL-{variant}-expmap.fits",
    },
    message="Generating images and exposure maps",
    listed=False,
    own=("lo_en", "hi_en"),
)
def generate_images_expmaps(job: Job, lo_en: Any = (0.5, 2.0), hi_en: Any = (2.0, 10.0)) -> Command:
    """Make images and exposure maps of a camera, one a band (see SAS's ``evselect`` and ``eexpmap``).

    ``lo_en`` and ``hi_en`` are the limits of the bands, in keV or any unit of energy. Pixels are 87 of 0.05 arcsec.
    """
    low, high = (round(1000 * float(one)) for one in job.variant.removeprefix("en").removesuffix("keV").split("_"))
    events, image, expmap = job.input("final_evt"), job.output("image"), job.output("expmap")
    return sas_command(
        job,
        [
            "evselect", f"table={events}", "withimageset=yes", f"imageset={image}", "xcolumn=X", "ycolumn=Y",
            "imagebinning=binSize", "ximagebinsize=87", "yimagebinsize=87", "withxranges=yes", "ximagemin=3649",
            "ximagemax=48106", "withyranges=yes", "yimagemin=3649", "yimagemax=48106", "squarepixels=yes",
            f"expression=PI in [{low}:{high}]",
        ],
        [
            "eexpmap", f"imageset={image}", f"attitudeset={job.input('attitude')}", f"eventset={events}",
            f"expimageset={expmap}", f"pimin={low}", f"pimax={high}", "attrebin=0.020626481",
        ],
    )  # fmt: skip


@generate_images_expmaps.check
def _(params: Mapping[str, Any]) -> dict[str, Any]:
    found = checks.bands(params["lo_en"], params["hi_en"])
    return {"lo_en": [low for low, _high in found], "hi_en": [high for _low, high in found]}


@generate_images_expmaps.variants
def _(data_id: DataId, params: Mapping[str, Any]) -> list[str]:
    """One task a band."""
    return [f"en{low}_{high}keV" for low, high in checks.bands(params["lo_en"], params["hi_en"])]


for _one in (attitude, generate_images_expmaps):
    _one.assess(lambda stdout, stderr: parse_stderr(stderr)[:2])
