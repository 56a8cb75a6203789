"""Images of real EPIC lists equal those the SAS made of them, pixel for pixel and in their coordinates."""

from __future__ import annotations

import hashlib
import os
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.units import Quantity
from astropy.wcs import WCS

import daxa_native
from daxa.api import collect_caveats

COUNTS = {"mos1": 27_546, "mos2": 26_069}
KEYWORDS = ("CTYPE", "CRPIX", "CRVAL", "CUNIT", "CDELT")
PHYSICAL = ("CTYPE{}L", "CRPIX{}L", "CRVAL{}L", "CDELT{}L", "LTV{}", "LTM{0}_{0}")


@pytest.mark.parametrize("camera", COUNTS)
@pytest.mark.parametrize("cleaned", [False, True])
def test_images_equal_those_of_the_sas(real, tmp_path, camera, cleaned):
    events = real(f"0404910601_{camera}_events.fits")
    if cleaned:
        events = daxa_native.clean_events(events, tmp_path / "clean.fits")
    with collect_caveats() as caveats:
        made = daxa_native.image(events, tmp_path / "image.fits", Quantity([0.5, 2.0], "keV"))
    assert caveats == []
    truth, theirs = fits.getdata(real(f"0404910601_{camera}_en0.5_2.0keV_sas_image.fits"), header=True)
    with fits.open(made, checksum=True) as file:
        counts, ours = file[0].data, file[0].header
        assert counts.sum() == COUNTS[camera]
        assert np.array_equal(counts, truth)
        assert ours["BITPIX"] == theirs["BITPIX"]
        for name in [f"{key}{axis}" for key in KEYWORDS for axis in (1, 2)] + [
            key.format(axis) for key in PHYSICAL for axis in (1, 2)
        ]:
            same = ours[name] == theirs[name] if isinstance(theirs[name], str) else None
            assert same or ours[name] == pytest.approx(theirs[name], rel=1e-12), name
        assert ours["EXPOSURE"] == pytest.approx(theirs["EXPOSURE"], abs=1e-6)
        names = [hdu.name for hdu in file[1:]]
        assert len(names) == len(set(names)) >= 6 and all(name.startswith("GTI00") for name in names)
        assert {hdu.header["CCDID"] for hdu in file[1:]} == ({1, 2, 3, 4, 5, 7} | ({6} if camera == "mos2" else set()))
        file.verify("exception")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        world = WCS(ours)
        old = WCS(theirs)
    assert not [one for one in caught if "RADECSYS" not in str(one.message) and "datfix" not in str(one.message)]
    corners = np.array([[0, 0], [511, 0], [0, 511], [511, 511]])
    assert np.allclose(world.wcs_pix2world(corners, 0), old.wcs_pix2world(corners, 0), rtol=0, atol=1e-9)
    assert world.wcs.radesys == "FK5"


@pytest.mark.parametrize("name", ["0404910601_mos1", "0404910601_mos2", "0201903501_mos1"])
def test_good_and_live_times_of_each_ccd_are_those_of_the_header(real, tmp_path, name):
    from daxa_native.events import open_events
    from daxa_native.exposure import find_exposure
    from daxa_native.goodtime import read_good_times

    events = open_events(real(f"{name}_events.fits"))
    exposure = find_exposure(events, read_good_times(events))
    header = events.hdu.header
    assert len(exposure.by_unit) == len([key for key in header if key[:6] == "LIVETI" and key[6:].isdigit()])
    for ccd, (on, live) in exposure.by_unit.items():
        assert on == pytest.approx(header[f"ONTIME{ccd:02d}"], abs=1e-6)
        assert live == pytest.approx(header[f"LIVETI{ccd:02d}"], abs=1e-4)
    assert exposure.ontime == pytest.approx(header["ONTIME"], abs=1e-6)
    assert exposure.livetime == pytest.approx(header["LIVETIME"], abs=1e-4)


def test_the_subspace_names_the_good_times_not_stdgti(real, tmp_path):
    header = fits.getheader(daxa_native.image(real("0404910601_mos1_events.fits"), tmp_path / "image.fits"))
    assert header["ONTIME"] == pytest.approx(12_914.9, abs=0.1)
    assert header["EXPOSURE"] == pytest.approx(12_914.9, abs=0.1)
    assert header["LIVETIME"] == pytest.approx(12_667.14, abs=0.01)
    assert "GTI00506, named by the data subspace" in " ".join(str(header["HISTORY"]).split())


def test_both_limits_of_the_band_are_included(real, tmp_path):
    events = real("0404910601_mos1_events.fits")
    energies = fits.getdata(events, "EVENTS")["PI"]
    for low, high in ((500, 2000), (200, 12_000), (2000, 10_000), (1999, 2001)):
        made = daxa_native.image(events, tmp_path / "image.fits", (low / 1000, high / 1000))
        assert fits.getdata(made).sum() == np.count_nonzero((energies >= low) & (energies <= high))
    thousand = daxa_native.image(events, tmp_path / "ev.fits", Quantity([500, 2000], "eV"))
    assert fits.getdata(thousand).sum() == COUNTS["mos1"]
    everything = daxa_native.image(events, tmp_path / "all.fits", None)
    assert fits.getdata(everything).sum() == len(energies)


def test_products_say_what_they_are(real, tmp_path, monkeypatch):
    events = real("0404910601_mos1_events.fits")
    digest = hashlib.sha256(events.read_bytes()).hexdigest()
    for made, extension in (
        (daxa_native.image(events, tmp_path / "image.fits"), 0),
        (daxa_native.clean_events(events, tmp_path / "clean.fits"), "EVENTS"),
        (tmp_path / "clean.fits", 0),
    ):
        header = fits.getheader(made, extension)
        history = " ".join(str(header["HISTORY"]).split())
        assert f"sha256 {digest}" in history
        assert "input: 0404910601_mos1_events.fits" in history
        assert "good times: GTI00006" in history and "both ends" in history
        assert "0x766ba000" in header["SLCTEXPR"] and "FLAG == 0" in header["SLCTEXPR"]
        assert "GTI(mos1_exp1_gti.fits,TIME)" in history  # the input's own history
        assert header["CREATOR"].startswith("daxa-native ") and header["DATE"][:2] == "20"
        assert header["TELESCOP"], header["OBS_ID"] == ("XMM", "0404910601")
        assert (header["INSTRUME"], header["EXPIDSTR"], header["FILTER"]) == ("EMOS1", "S001", "Thin1")
        assert header["MJDREF"] == 50814.0 and header["TIMESYS"] == "TT"
        assert header["TSTART"] == pytest.approx(2.65111148437562e08) and header["TSTOP"] > header["TSTART"]
        assert header["DATE-OBS"] == "2006-05-27T09:59:08.438"
        assert "CHECKSUM" in header and "DATASUM" in header and "DAXASKY" not in header
    monkeypatch.setenv("DAXA_SKY", "1")
    assert fits.getheader(daxa_native.image(events, tmp_path / "sky.fits"))["DAXASKY"] is True


def test_other_grids(real, tmp_path):
    events = real("0404910601_mos1_events.fits")
    whole = fits.getheader(daxa_native.image(events, tmp_path / "image.fits", bin=80))
    assert (whole["NAXIS1"], whole["NAXIS2"]) == (648, 648)  # as evselect without ranges
    assert whole["CRVAL1L"] == 40.5 and whole["CRPIX1"] == pytest.approx(324.50625, abs=1e-9)
    assert whole["CDELT2"] * 3600 == pytest.approx(4)
    small = fits.getheader(daxa_native.image(events, tmp_path / "image.fits", bin=80, shape=(100, 200)))
    assert (small["NAXIS1"], small["NAXIS2"]) == (200, 100)
    assert small["CRPIX1"] == pytest.approx(100.50625) and small["CRPIX2"] == pytest.approx(50.50625)
    same = fits.getdata(daxa_native.image(events, tmp_path / "image.fits", bin=87, shape=512))
    assert same.sum() == COUNTS["mos1"]


def test_a_compressed_list_gives_the_same_image(real, tmp_path):
    import gzip

    plain = real("0404910601_mos2_events.fits")
    packed = tmp_path / "list.FTZ"
    packed.write_bytes(gzip.compress(plain.read_bytes(), 1))
    made = [daxa_native.image(path, tmp_path / f"{path.suffix}.fits") for path in (plain, packed)]
    assert np.array_equal(*(fits.getdata(path) for path in made))


def test_importing_the_package_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys, daxa_native, daxa_native.plugin, daxa_native.processes;"
        "bad = {'astropy', 'numpy', 'matplotlib', 'pandas', 'scipy'} & set(sys.modules);"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": os.environ["PATH"]})
