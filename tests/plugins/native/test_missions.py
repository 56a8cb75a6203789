"""The conventions of each mission, on real lists and on generated ones."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import daxa_native
from daxa.api import NoCelestialWCSError, NoGoodTimeError, collect_caveats


def codes(caveats):
    return {caveat.code for caveat in caveats}


def test_chandra_exposure_is_that_of_its_good_times(real, tmp_path):
    events = real("chandra_10027_events.fits")
    with collect_caveats() as caveats:
        made = daxa_native.image(events, tmp_path / "image.fits")
    assert codes(caveats) == {"exposure-disagrees", "missing-column"}
    told = " ".join(caveat.message for caveat in caveats)
    assert "18279.3 s" in told and "945.3 s" in told and "status" in told
    with fits.open(made, checksum=True) as file:
        header, counts = file[0].header, file[0].data
        assert header["ONTIME"] == pytest.approx(945.336, abs=1e-3)
        assert header["EXPOSURE"] == header["LIVETIME"] == pytest.approx(945.336 * 0.906947, abs=0.01)
        assert header["CAVEAT1"].startswith("missing-column: ") and header["CAVEAT2"].startswith("exposure-disagrees: ")
        assert file["GTI"].header["HDUNAME"] == "GTI7" and file["GTI"].ver == 7
        data = fits.getdata(events, "EVENTS")
        band = (data["energy"] >= 500) & (data["energy"] <= 2000)
        assert counts.sum() == np.count_nonzero(band) == 2146
        x, y = WCS(header).wcs_world2pix([[header["RA_NOM"], header["DEC_NOM"]]], 1)[0]
        assert (x, y) == (pytest.approx(header["CRPIX1"]), pytest.approx(header["CRPIX2"]))
        assert header["CRPIX1"] - header["LTV1"] == pytest.approx(4096.5 / 2)
        assert header["CRPIX1P"] == 0.5 and (header["CRVAL1P"] - 0.5) % 2 == 0
        rows, columns = np.flatnonzero(counts.any(axis=1)), np.flatnonzero(counts.any(axis=0))
        assert min(rows[0], columns[0], counts.shape[0] - 1 - rows[-1], counts.shape[1] - 1 - columns[-1]) >= 8
    made = daxa_native.image(events, tmp_path / "hard.fits", (2.0, 7.0))
    assert fits.getdata(made).shape == counts.shape  # the grid does not depend on the band


def test_chandra_channels_follow_from_energies(real):
    data = fits.getdata(real("chandra_10027_events.fits"), "EVENTS")
    plain = data["pi"] < 1024
    assert np.array_equal(data["pi"][plain], np.floor(data["energy"][plain].astype(float) / 14.6).astype(int) + 1)
    assert np.count_nonzero(~plain) == 202


def test_chandra_overflow_is_no_energy(real, tmp_path):
    for name in ("chandra_10027_events.fits", "chandra_10027_without_energy.fits"):
        made = daxa_native.image(real(name), tmp_path / "image.fits", (10.0, 14.95))
        data = fits.getdata(real("chandra_10027_events.fits"), "EVENTS")
        expected = np.count_nonzero((data["energy"] >= 10_000) & (data["pi"] < 1024))
        assert abs(fits.getdata(made).sum() - expected) <= 3  # a channel is 14.6 eV wide


def test_chandra_good_times_are_per_chip_by_hduname(acis, tmp_path):
    with collect_caveats() as caveats:
        clean = daxa_native.clean_events(acis, tmp_path / "clean.fits")
    assert codes(caveats) == set()
    with fits.open(clean, checksum=True) as file:
        data, header = file["EVENTS"].data, file["EVENTS"].header
        # chip 3 is not good at 150 s; one event has a bad grade, one a bit of status
        assert [(row["ccd_id"], row["time"]) for row in data] == [(7, 10.0), (7, 150.0), (3, 10.0)]
        assert header["ONTIME7"] == 200 and header["ONTIME3"] == 100 and header["ONTIME"] == 200
        assert header["EXPOSURE"] == header["EXPOSUR7"] == pytest.approx(180) and header["LIVTIME3"] == pytest.approx(
            90
        )
        assert header["DSREF1" if header["DSTYP1"] == "TIME" else "DSREF2"] == ":GTI7"
    again = daxa_native.clean_events(clean, tmp_path / "again.fits")
    assert np.array_equal(fits.getdata(again, "EVENTS"), fits.getdata(clean, "EVENTS"))
    subspace = [card[:2] for card in fits.getheader(again, "EVENTS").cards if "DS" in card.keyword[:3]]
    assert subspace == [card[:2] for card in fits.getheader(clean, "EVENTS").cards if "DS" in card.keyword[:3]]


def test_chandra_level_1_without_good_times_takes_the_header(edited, tmp_path):
    def strip(file, content):
        file["EVENTS"].header["CONTENT"] = content
        return file[:2]

    level1 = edited("chandra_10027_events.fits", lambda file: strip(file, "EVT1"))
    with collect_caveats() as caveats:
        made = daxa_native.image(level1, tmp_path / "image.fits")
    assert "exposure-of-header" in codes(caveats)
    assert fits.getheader(made)["EXPOSURE"] == pytest.approx(18_279.3387)
    level2 = edited("chandra_10027_events.fits", lambda file: strip(file, "EVT2"))
    with pytest.raises(NoGoodTimeError, match="no table of good times"):
        daxa_native.image(level2, tmp_path / "other.fits")
    assert not (tmp_path / "other.fits").exists()


def test_rosat_of_1993(real, tmp_path):
    events = real("rosat.evt")
    with collect_caveats() as caveats:
        made = daxa_native.image(events, tmp_path / "image.fits")
    assert caveats == []
    counts, header = fits.getdata(made, header=True)
    pi = fits.getdata(events, "EVENTS")["PI"]
    assert counts.shape == (512, 512) and counts.sum() == np.count_nonzero((pi >= 50) & (pi <= 200))
    assert header["EXPOSURE"] == header["ONTIME"] == pytest.approx(14_766)
    assert header["OBS_ID"] == "US800282P.N1" and header["DATE-OBS"] == "1993-03-08T10:31:27.000"
    x, y = (7680 - 0.5) / 30 + 0.5, (7680 - 0.5) / 30 + 0.5
    ra, dec = WCS(header).wcs_pix2world([[x, y]], 1)[0]
    assert (ra, dec) == (pytest.approx(85.88), pytest.approx(69.26986))
    first = fits.getdata(events, "EVENTS")["TIME"].min()
    assert 48043 + 0.8797453703700740 + first / 86400 == pytest.approx(49054.4386, abs=1e-4)
    clean = daxa_native.clean_events(events, tmp_path / "clean.fits")
    assert len(fits.getdata(clean, "EVENTS")) == 2928  # both ends of an interval belong to it
    assert any("DTCOR is 1" in line for line in header["HISTORY"])


def test_a_sun_centred_list_is_cleaned_but_not_imaged(real, tmp_path):
    events = real("nustar_90410111001_sun_centred.evt")
    with collect_caveats() as caveats:
        clean = daxa_native.clean_events(events, tmp_path / "clean.fits", band=(3, 78))
    assert "no-celestial-wcs" in codes(caveats)
    header = fits.getheader(clean, "EVENTS")
    assert header["NAXIS2"] == 286
    assert header["ONTIME"] == pytest.approx(101, abs=1e-3) and header["EXPOSURE"] == pytest.approx(70.03, abs=0.01)
    for source in (events, clean):
        with pytest.raises(NoCelestialWCSError, match="celestial") as caught:
            daxa_native.image(source, tmp_path / "image.fits", (3, 78))
        assert "TCRVL13 is the text '0.0'" in str(caught.value) and "TCDLT13 is -2.458" in str(caught.value)
        assert caught.value.code == "no-celestial-wcs" and caught.value.remedy
    assert not (tmp_path / "image.fits").exists()


def test_nustar_images_are_1000_pixels_wide(nustar, tmp_path):
    with collect_caveats() as caveats:
        made = daxa_native.image(nustar, tmp_path / "image.fits", (3, 78))
    assert caveats == []
    counts, header = fits.getdata(made, header=True)
    assert counts.shape == (1000, 1000) and header["CRPIX1"] == 500.5
    # of six: one outside the metrology, one without energy, one out of good time, one above 78 keV
    assert counts.sum() == 2 and counts[0, 0] == counts[-1, -1] == 1
    assert header["EXPOSURE"] == pytest.approx(70) and header["PI_MIN"] == 35 and header["PI_MAX"] == 1910
    assert daxa_native.clean_events(nustar, tmp_path / "all.fits") and len(fits.getdata(tmp_path / "all.fits", 1)) == 5


def test_further_good_times_and_the_mean_dead_time(nustar, tmp_path):
    with collect_caveats() as caveats:
        clean = daxa_native.clean_events(nustar, tmp_path / "clean.fits", gti=[[0, 15], [35, 45]])
    assert codes(caveats) == {"mean-dead-time"}
    header = fits.getheader(clean, "EVENTS")
    assert header["ONTIME"] == 25 and header["EXPOSURE"] == pytest.approx(17.5)
    assert fits.getdata(clean, "EVENTS")["TIME"].tolist() == [10, 40]
    assert fits.getdata(clean, "GTI")["START"].tolist() == [0, 35]
    with pytest.raises(NoGoodTimeError, match="leave nothing"):
        daxa_native.clean_events(nustar, tmp_path / "none.fits", gti=[[1000, 2000]])
    made = daxa_native.image(clean, tmp_path / "image.fits", (3, 78))
    assert fits.getheader(made)["EXPOSURE"] == pytest.approx(17.5)
    by_file = daxa_native.clean_events(nustar, tmp_path / "file.fits", gti=clean)
    assert fits.getheader(by_file, "EVENTS")["ONTIME"] == 25


def test_erosita(erosita, tmp_path):
    with collect_caveats() as caveats:
        made = daxa_native.image(erosita, tmp_path / "image.fits")
    assert codes(caveats) == {"unit-without-good-time", "absolute-time"}
    with fits.open(made, checksum=True) as file:
        counts, header = file[0].data, file[0].header
        assert counts.shape == (3240, 3240) and header["CRPIX1"] == 1620.5 and header["CTYPE1"] == "RA---SIN"
        assert header["CDELT2"] * 3600 == pytest.approx(4) and header["CRVAL1P"] == 0 and header["CRPIX1P"] == 1620.5
        # i = floor(X / 80) + n / 2, for events at X = -1, 0 and (module 2, whose time is good) 80
        places = np.argwhere(counts).tolist()
        assert places == [[1619, 1619], [1620, 1620], [1621, 1621]] and counts.sum() == 3
        assert header["ONTIME1"] == 100 and header["ONTIME2"] == 200 and header["ONTIME"] == 150
        assert header["LIVTIME1"] == pytest.approx(90) and header["RADESYS"] == "ICRS"
        assert "mean over the 2 telescope modules" in " ".join(str(header["HISTORY"]).split())
        assert [hdu.name for hdu in file[1:]] == ["GTI1", "GTI2"]


def test_raw_epic_lists_are_filtered_in_the_good_times_of_their_ccds(edited, tmp_path):
    def raw(file):
        header, data = file["EVENTS"].header, file["EVENTS"].data
        for keyword in [key for key in header if "DS" in key[:3] and key[-1].isdigit()]:
            del header[keyword]
        data["FLAG"][:10] = 1 << 16
        data["FLAG"][10:12] = -(2**31)
        data["PATTERN"][12:15] = 13
        data["CCDNR"][20:23] = 6  # MOS1 has no CCD 6
        return [hdu for hdu in file if not hdu.name.startswith("GTI0")]

    events = edited("0404910601_mos1_events.fits", raw)
    with collect_caveats() as caveats:
        clean = daxa_native.clean_events(events, tmp_path / "clean.fits")
    assert codes(caveats) == {"unit-without-good-time", "exposure-disagrees"}
    with fits.open(clean, checksum=True) as file:
        header = file["EVENTS"].header
        assert header["NAXIS2"] == 72_308 - 18
        assert header["ONTIME01"] == pytest.approx(20_464.9, abs=0.1)
        assert header["DSTYP1"] == "CCDNR" and header["DSREF2"] == ":STDGTI01" and header["2DSREF2"] == ":STDGTI02"
    again = daxa_native.clean_events(clean, tmp_path / "again.fits")
    assert np.array_equal(fits.getdata(again, "EVENTS"), fits.getdata(clean, "EVENTS"))
    none = daxa_native.clean_events(events, tmp_path / "none.fits", filter=None)
    assert fits.getheader(none, "EVENTS")["NAXIS2"] == 72_308 - 3


def test_cleaned_lists_keep_rows_and_tables(real, tmp_path):
    source = real("0404910601_mos1_events.fits")
    clean = daxa_native.clean_events(source, tmp_path / "clean.fits", gti=[[2.65115e8, 2.6512e8]])
    with fits.open(source) as before, fits.open(clean, checksum=True) as after:
        assert [hdu.name for hdu in after] == [hdu.name for hdu in before]
        kept = after["EVENTS"].data
        times = before["EVENTS"].data["TIME"]
        assert np.array_equal(kept, before["EVENTS"].data[(times >= 2.65115e8) & (times <= 2.6512e8)])
        assert np.array_equal(after["EXPOSU03"].data, before["EXPOSU03"].data)
        header = after["EVENTS"].header
        assert header["TSTART"] >= 2.65115e8 and header["TSTOP"] <= 2.6512e8
        assert header["ONTIME"] == after["GTI00006"].header["ONTIME"] <= 5000
        assert 0.95 < header["LIVETIME"] / header["ONTIME"] < 1
        assert "TDMAX6" not in header and header["TLMAX6"] == 51840
