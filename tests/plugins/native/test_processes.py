"""The processes: pure bodies, bands of each mission, and the pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import daxa_native
from daxa.api import BadEventListError, DataId, InvalidParameterError, Job
from daxa.specs import load_target
from daxa_native import processes
from daxa_native.bands import band_variant, default_bands, variant_band


def job(process, given, outputs, variant=""):
    return Job(
        process=process.name,
        data_id=DataId("rosat_pointed", "RP800282N00", "PSPCB"),
        variant=variant,
        name="obsidRP800282N00-instPSPCB-subexpNone",
        given={key: (path,) for key, path in given.items()},
        outputs=outputs,
        scratch=Path("scratch"),
        raw=Path("raw"),
    )


def test_the_chain_runs_from_list_to_picture(real, tmp_path):
    clean, image, picture = tmp_path / "clean.fits", tmp_path / "image.fits", tmp_path / "quicklook.png"
    (variant,) = processes.image.variants_of(DataId("rosat_pointed", "RP800282N00", "PSPCB"), {})
    steps = (
        job(processes.clean_events, {"events": real("rosat.evt")}, {"events": clean}),
        job(processes.image, {"events": clean}, {"image": image}, variant),
        job(processes.quicklook, {"image": image}, {"quicklook": picture}, variant),
    )
    for process, step in zip((processes.clean_events, processes.image, processes.quicklook), steps, strict=True):
        call = process.command(step, process.parameters)
        assert call == process.command(step, process.parameters)
        assert json.loads(json.dumps(dict(call.arguments))) == call.arguments  # plain data only
        made = load_target(call.target)(**call.arguments)
        assert made.stat().st_size > 10_000
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG") and b"RP800282N00" in content and b"daxa-native" in content


def test_declarations():
    assert [process.level for process in (processes.clean_events, processes.image, processes.quicklook)] == [
        "product"
    ] * 3
    assert processes.clean_events.needs[0].process == "preprocessed_events"
    assert {key: one.kind for key, one in processes.clean_events.produces.items()} == {"events": "events"}
    assert processes.image.needs[0].process == "clean_events" and processes.quicklook.needs[0].process == "image"


@pytest.mark.parametrize(
    ("mission", "inst", "variants"),
    [
        ("xmm_pointed", "M1", ("en0.5_2.0keV", "en2.0_10.0keV")),
        ("chandra", "ACIS", ("en0.5_2.0keV", "en2.0_7.0keV")),
        ("chandra", "HRC", ("all",)),
        ("nustar_pointed", "FPMA", ("en3.0_78.0keV",)),
        ("rosat_pointed", "PSPCB", ("en0.5_2.0keV",)),
        ("rosat_pointed", "HRI", ("all",)),
        ("something_else", "A", ("en0.5_2.0keV",)),
    ],
)
def test_bands_of_missions(mission, inst, variants):
    data_id = DataId(mission, "1", inst)
    assert processes.image.variants_of(data_id, processes.image.parameters) == variants
    assert processes.quicklook.variants_of(data_id, processes.quicklook.parameters) == variants
    for variant, band in zip(variants, default_bands(mission, inst), strict=True):
        assert band_variant(variant_band(variant)) == variant
        assert variant_band(variant) == (None if band is None else list(band))
    assert processes.image.variants_of(data_id, {"bands": [[1, 2.5]]}) == ("en1.0_2.5keV",)


def test_variants_that_are_none():
    with pytest.raises(InvalidParameterError, match="soft"):
        variant_band("soft")


def test_curves_and_flares_run_as_processes(real, tmp_path):
    events, clean, curve, quiet = real("rosat.evt"), tmp_path / "c.fits", tmp_path / "l.fits", tmp_path / "g.fits"
    (variant,) = processes.light_curve.variants_of(DataId("rosat_pointed", "RP800282N00", "PSPCB"), {})
    steps = (
        (processes.clean_events, {"flares": True}, job(processes.clean_events, {"events": events}, {"events": clean})),
        (processes.light_curve, {}, job(processes.light_curve, {"events": clean}, {"lightcurve": curve}, variant)),
        (processes.flare_gti, {"sigma": 4.0}, job(processes.flare_gti, {"events": events}, {"gti": quiet})),
    )
    for process, parameters, step in steps:
        call = process.command(step, {**process.parameters, **parameters})
        assert json.loads(json.dumps(dict(call.arguments))) == call.arguments
        assert load_target(call.target)(**call.arguments).stat().st_size > 2880
    assert processes.clean_events.parameters["flares"] is False
    assert {key: one.kind for key, one in processes.light_curve.produces.items()} == {"lightcurve": "lightcurve"}
    assert {key: one.kind for key, one in processes.flare_gti.produces.items()} == {"gti": "gti"}
    assert processes.flare_gti.needs[0].process == "preprocessed_events"


@pytest.mark.parametrize("smooth", [None, 0, 3.0])
def test_pictures_of_every_mission(real, nustar, erosita, tmp_path, smooth):
    from matplotlib.image import imread

    for number, (events, band) in enumerate(
        (
            (real("0404910601_mos1_events.fits"), (2, 10)),
            (real("chandra_10027_events.fits"), (0.5, 7)),
            (nustar, (3, 78)),
        )
    ):
        image = daxa_native.image(events, tmp_path / f"{number}.fits", band)
        pixels = imread(daxa_native.quicklook(image, tmp_path / f"{number}.png", smooth=smooth, dpi=60))
        assert pixels.shape[0] > 300 and np.std(pixels[..., :3]) > 0.1


def test_a_picture_of_no_events(nustar, tmp_path):
    image = daxa_native.image(nustar, tmp_path / "image.fits", (20, 21))
    with pytest.raises(InvalidParameterError):
        daxa_native.quicklook(image, tmp_path / "picture.png", cmap="no such map")
    from astropy.io import fits

    if fits.getdata(image).sum() == 0:
        assert daxa_native.quicklook(image, tmp_path / "picture.png", dpi=50).exists()


def test_pictures_need_an_image(real, tmp_path):
    with pytest.raises(BadEventListError, match="holds no image"):
        daxa_native.quicklook(real("rosat.evt"), tmp_path / "picture.png")
    with pytest.raises(BadEventListError, match="No such file"):
        daxa_native.quicklook(tmp_path / "none.fits", tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()
