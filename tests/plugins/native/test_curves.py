"""Light curves, flares cut on them, and lists without flares that stay as they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.io import fits
from astropy.units import Quantity
from hypothesis import given, settings
from hypothesis import strategies as st

import daxa_native
from daxa.api import (
    BadEventListError,
    EmptyBandError,
    InvalidParameterError,
    NoGoodTimeError,
    StorageError,
    collect_caveats,
)
from daxa_native import gti as algebra
from daxa_native.clipping import deviation, find_flares, short_left
from daxa_native.curve import Curve
from daxa_native.events import open_events
from daxa_nustar.testing.events import START, sky_list

REAL = {
    "0404910601_mos1_events.fits": 0,
    "0404910601_mos2_events.fits": 0,
    "0201903501_mos1_events.fits": 2,
    "chandra_10027_events.fits": 0,
    "nustar_90410111001_sun_centred.evt": 0,
    "rosat.evt": 0,
}
"""Bins that the cut takes from lists which were flare-cleaned before: those of one are at the edges of good times."""


def codes(caveats):
    return {caveat.code for caveat in caveats}


@pytest.fixture
def generated(tmp_path):
    def make(**arguments):
        path = tmp_path / "nu00000000001A01_cl.evt"
        path.write_bytes(sky_list(**arguments))
        return path

    return make


# --- light curves --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REAL)
def test_curves_hold_all_events_and_all_good_time(real, tmp_path, name):
    made = daxa_native.light_curve(real(name), tmp_path / "curve.fits", None, filter=None, binsize=Quantity(1, "min"))
    with fits.open(made, checksum=True) as file:
        header, data = file["RATE"].header, file["RATE"].data
        assert data.columns.names == ["TIME", "TIMEDEL", "COUNTS", "RATE", "RATE_ERR", "FRACEXP"]
        assert (header["HDUCLASS"], header["HDUCLAS1"], header["TIMEPIXR"]) == ("OGIP", "LIGHTCURVE", 0.5)
        assert data["COUNTS"].sum() == fits.getheader(real(name), "EVENTS")["NAXIS2"]
        own = [np.sum(hdu.data["STOP"] - hdu.data["START"]) for hdu in file[2:]]
        assert np.sum(data["FRACEXP"] * data["TIMEDEL"]) == pytest.approx(np.mean(own), rel=1e-5)
        good = data["FRACEXP"] > 0
        assert np.array_equal(np.isnan(data["RATE"]), ~good) and np.array_equal(np.isnan(data["RATE_ERR"]), ~good)
        assert not data["COUNTS"][~good].any()
        seconds = data["TIMEDEL"][good] * data["FRACEXP"][good]
        assert np.allclose(data["RATE"][good], data["COUNTS"][good] / seconds)
        assert np.allclose(data["RATE_ERR"][good], np.sqrt(data["COUNTS"][good]) / seconds)
        assert data["TIME"][0] == pytest.approx(header["TSTART"] + 30, abs=1e-6) and header["TIMEDEL"] == 60
        history = " ".join(str(header["HISTORY"]).split())
        assert "light_curve by daxa-native" in history and "sha256" in history and header["DEADAPP"] is False
        assert header["TELESCOP"] and header["TSTOP"] > header["TSTART"] and header["EXPOSURE"] > 0
        file.verify("exception")


def test_curves_are_of_the_band_and_of_filtered_events(real, tmp_path):
    events = real("0404910601_mos1_events.fits")
    made = daxa_native.light_curve(events, tmp_path / "curve.fits", Quantity([500, 2000], "eV"))
    data, header = fits.getdata(made, "RATE", header=True)
    # the image of the band has 27,546 counts within its edges
    pi = fits.getdata(events, "EVENTS")["PI"]
    assert data["COUNTS"].sum() == np.count_nonzero((pi >= 500) & (pi <= 2000)) == 27_546
    assert (header["E_MIN"], header["E_MAX"], header["PI_MIN"], header["PI_MAX"]) == (0.5, 2.0, 500, 2000)
    assert "mean over the 6 units of CCDNR" in " ".join(str(header["HISTORY"]).split())
    binned = daxa_native.light_curve(events, tmp_path / "long.fits", (0.5, 2.0), binsize=400)
    assert fits.getdata(binned, "RATE")["COUNTS"].sum() == 27_546


def test_good_time_is_the_mean_over_units(acis, tmp_path):
    made = daxa_native.light_curve(acis, tmp_path / "curve.fits", binsize=50)
    data = fits.getdata(made, "RATE")
    assert data["FRACEXP"].tolist() == [1, 1, 0.5, 0.5]  # one chip of two is good until 100 s, the other until 200 s
    assert data["COUNTS"].tolist() == [2, 0, 0, 1] and data["RATE"][3] == pytest.approx(1 / 25)


def test_events_at_a_stop_belong_to_the_bin_that_ends_there(nustar, tmp_path):
    with fits.open(nustar) as file:
        file["EVENTS"].data["TIME"] = [0.0, 50.0, 100.0, 300.0, 300.0, 400.0]
        file["EVENTS"].data["PI"] = 500
        table = fits.BinTableHDU.from_columns(
            [fits.Column("START", "D", array=[0.0, 300.0]), fits.Column("STOP", "D", array=[100.0, 400.0])], name="GTI"
        )
        path = tmp_path / "edges.fits"
        fits.HDUList([file[0], file["EVENTS"], table]).writeto(path)
    data = fits.getdata(daxa_native.light_curve(path, tmp_path / "curve.fits", None), "RATE")
    assert data["COUNTS"].tolist() == [3, 0, 0, 3] and data["FRACEXP"].tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("binsize", [0, -1, math.nan, math.inf, "100", True, None, Quantity(1, "m"), 1e-9])
def test_bins_that_are_none(real, tmp_path, binsize):
    with pytest.raises(InvalidParameterError):
        daxa_native.light_curve(real("rosat.evt"), tmp_path / "curve.fits", None, binsize=binsize)
    assert list(tmp_path.glob("*curve*")) == []


def test_curves_of_nothing(real, tmp_path):
    with pytest.raises(EmptyBandError):
        daxa_native.light_curve(real("nustar_90410111001_sun_centred.evt"), tmp_path / "curve.fits", (0.5, 1.5))
    with pytest.raises(NoGoodTimeError):
        daxa_native.light_curve(_without_gti(real("rosat.evt"), tmp_path), tmp_path / "curve.fits")
    assert not (tmp_path / "curve.fits").exists()


def _without_gti(path, tmp_path):
    target = tmp_path / "no_gti.fits"
    with fits.open(path, memmap=False) as file:
        fits.HDUList([hdu for hdu in file if hdu.name != "GTI"]).writeto(target, output_verify="silentfix+ignore")
    return target


# --- lists that have no flares -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REAL)
def test_real_lists_keep_their_events(real, tmp_path, name):
    events = real(name)
    made = daxa_native.flare_gti(events, tmp_path / "quiet.fits")
    with fits.open(made, checksum=True) as file:
        assert [hdu.name for hdu in file] == ["PRIMARY", "STDGTI"]
        header, kept = file["STDGTI"].header, np.array([file["STDGTI"].data["START"], file["STDGTI"].data["STOP"]]).T
        assert header["FLARBINS"] == REAL[name] and header["FLARMETH"] == "sigma" and header["QUIETSCA"] >= 1
        history = " ".join(str(header["HISTORY"]).split())
        assert "no housekeeping was looked at" in history and "SAA" not in history
    clean = daxa_native.clean_events(events, tmp_path / "clean.fits", filter=None)
    cut = daxa_native.clean_events(events, tmp_path / "cut.fits", filter=None, gti=made)
    direct = daxa_native.clean_events(events, tmp_path / "direct.fits", filter=None, flares=True)
    times = [open_events(path).table.values("TIME") for path in (clean, cut, direct)]
    assert np.array_equal(times[1], times[2])
    if not REAL[name]:
        assert np.array_equal(times[0], times[1])
        assert fits.getheader(cut, "EVENTS")["EXPOSURE"] == pytest.approx(fits.getheader(clean, "EVENTS")["EXPOSURE"])
        return
    with fits.open(clean) as file:
        good = algebra.union(
            np.array([hdu.data["START"], hdu.data["STOP"]]).T for hdu in file if hdu.name.startswith("GTI0")
        )
    lost = algebra.intersect(good, algebra.complement(kept))
    edges = good.ravel()
    assert len(lost) == REAL[name] and all(np.abs(edges - one[:, None]).min() <= 100 for one in lost)
    assert algebra.total(lost) < 0.03 * algebra.total(good)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("rate", [0.002, 0.05, 2.0])
def test_quiet_lists_lose_what_chance_takes(rate, seed):
    """At 3 sigma 0.13 % of the bins, and never more than a handful."""
    random = np.random.default_rng(seed)
    edges = 100.0 * np.arange(301)
    good = np.where(random.random(300) < 0.2, random.uniform(1, 100, 300), 100.0)
    curve = Curve(edges[:-1], edges[1:], random.poisson(rate * good), good)
    if curve.counts.sum():
        found = find_flares(curve, "curve", minlength=1)
        assert found.cut.sum() <= 4 and found.level == pytest.approx(rate, rel=5 / math.sqrt(rate * good.sum()))


# --- flares at known times -----------------------------------------------------------------------------------------


def injected(seed: int, mean: float, strength: float, flares: int, bins: int = 300):
    """A Poisson curve of `mean` events a bin with gaps and partial bins, and flares at random times."""
    random = np.random.default_rng(seed)
    size, start = 100.0, 2.65e8
    places = np.sort(random.choice(bins // 20, flares, replace=False)) * 20 * size
    spans = np.array([(at + first, at + first + long) for at, first, long in zip(
        places, random.uniform(0, 6 * size, flares), random.uniform(2 * size, 12 * size, flares), strict=True)])  # fmt: skip
    edges = start + size * np.arange(bins + 1)
    inside = np.array([np.diff(algebra.before(spans + start, edges))])[0]
    good = np.where(random.random(bins) < 0.1, random.choice([0.0, 30.0, 80.0], bins), size)
    expected = mean * good / size * (1 + (strength - 1) * inside / size)
    return Curve(edges[:-1], edges[1:], random.poisson(expected), good), spans + start


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    case=st.sampled_from([(0.5, 60.0), (2.0, 25.0), (10.0, 8.0), (50.0, 4.0), (1000.0, 2.0), (1e5, 1.5)]),
    flares=st.integers(1, 5),
)
def test_flares_are_found_within_one_bin(seed, case, flares):
    curve, spans = injected(seed, *case, flares)
    # at 5 sigma chance takes no bin in all the curves tried here, and leaves none of these flares
    found = find_flares(curve, "curve", sigma=5.0 if case[0] >= 10 else 4.5, minlength=1)
    used = curve.good > 0
    for begin, end in spans:
        whole = used & (curve.begins >= begin) & (curve.ends <= end) & (curve.good > 50)
        assert found.cut[whole].all()
    size = 100.0
    near = np.zeros(len(used), bool)
    for begin, end in spans:
        near |= (curve.ends > begin - size) & (curve.begins < end + size)
    assert not found.cut[~near].any()
    assert found.level * size == pytest.approx(case[0], rel=0.35)


@pytest.mark.parametrize("method", [{}, {"method": "threshold", "threshold": 1.5}])
@pytest.mark.parametrize("seed", range(1, 11))
def test_flares_of_a_generated_list_are_cut(generated, tmp_path, method, seed):
    flares = [(3030.0, 4170.0, 5.0), (11_000.0, 11_450.0, 8.0)]
    gaps = [(0.0, 7900.0), (8450.0, 20_000.0)]
    events = generated(flares=flares, good=gaps, seed=seed)
    header = fits.getheader(events, "EVENTS")
    assert header["GENERATD"] is True and "GENERATED" in header["ORIGIN"] and "generated" in str(header["COMMENT"])
    quiet = daxa_native.flare_gti(events, tmp_path / "quiet.fits", **method)
    kept = np.array([fits.getdata(quiet, "STDGTI")["START"], fits.getdata(quiet, "STDGTI")["STOP"]]).T - START
    lost = algebra.intersect(gaps, algebra.complement(kept))
    for begin, end, _more in flares:
        (mine,) = (one for one in lost if one[0] < end and one[1] > begin)
        assert abs(mine[0] - begin) <= 100 and abs(mine[1] - end) <= 100
    others = [one for one in lost if not any(one[0] < end + 100 and one[1] > begin - 100 for begin, end, _ in flares)]
    assert algebra.total(algebra.normalise(others)) <= 300  # what chance takes at 3 sigma
    clean = daxa_native.clean_events(events, tmp_path / "clean.fits", gti=quiet)
    seconds = fits.getheader(clean, "EVENTS")["ONTIME"]
    assert seconds == pytest.approx(algebra.total(kept))
    assert fits.getheader(clean, "EVENTS")["NAXIS2"] / seconds == pytest.approx(0.5, rel=0.05)
    made = daxa_native.image(clean, tmp_path / "image.fits", (3, 78))
    counts, header = fits.getdata(made, header=True)
    assert counts.shape == (1000, 1000) and counts[490:511, 490:511].sum() > 300
    assert header["EXPOSURE"] == pytest.approx(0.98 * seconds)
    assert header["CTYPE1"] == "RA---TAN" and header["CRVAL1"] == 150.0


def test_a_cut_on_a_light_curve_is_that_on_its_list(generated, real, tmp_path):
    events = generated(flares=[(3030.0, 4170.0, 5.0)], seed=4)
    curve = daxa_native.light_curve(events, tmp_path / "curve.fits", (3, 78))
    for number, source in enumerate((events, curve)):
        daxa_native.flare_gti(source, tmp_path / f"{number}.fits")
    by_list, by_curve = (fits.getdata(tmp_path / f"{number}.fits", "STDGTI") for number in (0, 1))
    assert np.allclose(by_list["START"], by_curve["START"], atol=1e-3, rtol=0)
    assert np.allclose(by_list["STOP"], by_curve["STOP"], atol=1e-3, rtol=0)
    bare = tmp_path / "bare.fits"  # of another program: rates alone, no table of good times
    data = fits.getdata(curve, "RATE")
    columns = [fits.Column("TIME", "D", array=data["TIME"]), fits.Column("RATE", "E", array=data["RATE"])]
    table = fits.BinTableHDU.from_columns(columns, name="RATE")
    table.header.update(TELESCOP="NuSTAR", INSTRUME="FPMA", TIMEDEL=100.0)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(bare)
    daxa_native.flare_gti(bare, tmp_path / "2.fits")
    assert fits.getheader(tmp_path / "2.fits", 1)["ONTIME"] == pytest.approx(algebra.total(
        np.array([by_list["START"], by_list["STOP"]]).T), abs=0.01)  # fmt: skip


def test_what_is_left_between_flares_is_cut():
    edges = np.arange(13.0)
    good = np.array([1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1.0])
    curve = Curve(edges[:-1], edges[1:], np.zeros(12), good)
    cut = np.zeros(12, bool)
    assert not short_left(curve, cut, 100).any()  # without a flare nothing is short
    cut[[2, 8]] = True
    # two bins at the beginning are too few; four between the flares, a gap among them, are not; three at the end
    assert np.flatnonzero(short_left(curve, cut, 3)).tolist() == [0, 1, 2, 8]
    assert np.flatnonzero(short_left(curve, cut, 4)).tolist() == [0, 1, 2, 8, 9, 10, 11]


def test_deviations_are_those_of_poisson_tails():
    # one-sided chances of k or more events, by summing the law itself, as standard deviations
    for mean, counts, sigma in ((1.0, 5, 2.68), (36.0, 60, 3.58), (0.1, 3, 3.61), (1e4, 10_400, 3.96)):
        assert deviation(np.array([counts]), np.array([mean]))[0] == pytest.approx(sigma, abs=0.3)
    assert deviation(np.array([0, 1, 5]), np.array([1.0, 0.9, 0.0])).tolist() == [0, 0, 0]


def test_times_given_for_a_list_without_good_times_are_applied(edited, tmp_path):
    def strip(file):
        file["EVENTS"].header["CONTENT"] = "EVT1"
        return file[:2]

    events = edited("chandra_10027_events.fits", strip)
    start = float(open_events(events).table.values("TIME").min())
    with collect_caveats() as caveats:
        clean = daxa_native.clean_events(events, tmp_path / "clean.fits", gti=[[start, start + 400]])
    assert "good-time-assumed" in codes(caveats)
    with fits.open(clean, checksum=True) as file:
        assert file["GTI"].data["STOP"].tolist() == [start + 400] and file["EVENTS"].header["ONTIME"] == 400
        assert file["EVENTS"].data["time"].max() <= start + 400 and len(file["EVENTS"].data) > 100
    again = daxa_native.clean_events(clean, tmp_path / "again.fits")
    assert fits.getheader(again, "EVENTS")["ONTIME"] == 400


# --- what it cannot say --------------------------------------------------------------------------------------------


def test_a_curve_without_counts_cannot_say(generated, tmp_path):
    events = generated(rate=0.0)
    for call in (
        lambda: daxa_native.flare_gti(events, tmp_path / "quiet.fits"),
        lambda: daxa_native.flare_gti(events, tmp_path / "quiet.fits", method="threshold", threshold=1),
        lambda: daxa_native.clean_events(events, tmp_path / "quiet.fits", flares=True),
        lambda: daxa_native.flare_gti(daxa_native.light_curve(events, tmp_path / "curve.fits", None),
                                      tmp_path / "quiet.fits"),
    ):  # fmt: skip
        with pytest.raises(daxa_native.NoCountsError, match="cannot say") as caught:
            call()
        assert caught.value.code == "no-counts" and caught.value.remedy
    assert not (tmp_path / "quiet.fits").exists()


def test_sparse_and_flared_curves_say_so(generated, tmp_path):
    with collect_caveats() as caveats:
        daxa_native.flare_gti(generated(rate=0.001, seed=2), tmp_path / "sparse.fits")
    assert codes(caveats) == {"weak-light-curve"} and "CAVEAT1" in fits.getheader(tmp_path / "sparse.fits", 1)
    events = generated(flares=[(0.0, 12_000.0, 5.0)])
    with collect_caveats() as caveats:
        daxa_native.flare_gti(events, tmp_path / "much.fits", method="threshold", threshold=1.5)
    assert codes(caveats) == {"much-flared"}
    with pytest.raises(NoGoodTimeError, match="Nothing is left"):
        daxa_native.flare_gti(events, tmp_path / "none.fits", method="threshold", threshold=1e-3)


@pytest.mark.parametrize(
    "arguments",
    [{"method": "eye"}, {"sigma": 0}, {"sigma": "3"}, {"sigma": math.nan}, {"minlength": 0}, {"minlength": 2.5},
     {"method": "threshold"}, {"method": "threshold", "threshold": -1}, {"method": "threshold", "threshold": "x"},
     {"method": "threshold", "threshold": Quantity(1, "m")}, {"binsize": 0}, {"band": "soft"}],
)  # fmt: skip
def test_parameters_of_cuts(real, tmp_path, arguments):
    with pytest.raises(InvalidParameterError):
        daxa_native.flare_gti(real("rosat.evt"), tmp_path / "quiet.fits", **arguments)
    assert not (tmp_path / "quiet.fits").exists()


def test_thresholds_of_epic_are_those_of_its_cameras(real, tmp_path):
    events = real("0404910601_mos1_events.fits")
    made = daxa_native.flare_gti(events, tmp_path / "quiet.fits", method="threshold")
    header = fits.getheader(made, "STDGTI")
    assert "threshold = 0.35 /s" in " ".join(str(header["HISTORY"]).split())
    assert 0 < header["FLARBINS"] < 30 and header["QUIETRAT"] < 0.35  # rough: the quiet level is 0.19
    quantity = daxa_native.flare_gti(events, tmp_path / "other.fits", method="threshold",
                                     threshold=Quantity(0.35, "1/s"))  # fmt: skip
    assert fits.getheader(quantity, "STDGTI")["ONTIME"] == header["ONTIME"]


def test_files_that_are_neither_lists_nor_curves(real, tmp_path):
    with pytest.raises(BadEventListError, match="neither a table EVENTS nor RATE"):
        daxa_native.flare_gti(real("0404910601_mos1_en0.5_2.0keV_sas_image.fits"), tmp_path / "quiet.fits")
    with pytest.raises(BadEventListError, match="babasone"):
        daxa_native.flare_gti(real("nomission.evt"), tmp_path / "quiet.fits")
    curve = daxa_native.light_curve(real("rosat.evt"), tmp_path / "curve.fits")
    with fits.open(curve, memmap=False) as file:
        table = fits.BinTableHDU.from_columns([file["RATE"].columns["RATE"]], header=file["RATE"].header)
        fits.HDUList([file[0], table]).writeto(tmp_path / "broken.fits", output_verify="silentfix+ignore")
    with pytest.raises(BadEventListError, match="TIME and COUNTS"):
        daxa_native.flare_gti(tmp_path / "broken.fits", tmp_path / "quiet.fits")


def test_a_disk_that_refuses(real, tmp_path, monkeypatch):
    import daxa_native.writing as writing

    def refuse(stream, block):
        raise OSError(28, "injected")

    monkeypatch.setattr(writing, "write_block", refuse)
    for function in (daxa_native.light_curve, daxa_native.flare_gti):
        with pytest.raises(StorageError, match="injected"):
            function(real("rosat.evt"), tmp_path / "made" / "product.fits")
        assert list((tmp_path / "made").iterdir()) == []


def test_modules_of_erosita(erosita, tmp_path):
    data = fits.getdata(daxa_native.light_curve(erosita, tmp_path / "curve.fits", (0.2, 5.0), binsize=50), "RATE")
    assert data["FRACEXP"].tolist() == [1, 1, 0.5, 0.5] and data["COUNTS"].sum() == 3
