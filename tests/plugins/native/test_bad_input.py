"""Whatever cannot be used ends in a typed error that names it, and nothing is written."""

from __future__ import annotations

import errno
import gzip

import numpy as np
import pytest
from astropy.io import fits

import daxa_native
from daxa.api import (
    BadEventListError,
    DaxaError,
    EmptyBandError,
    InvalidParameterError,
    NoCelestialWCSError,
    NoGoodTimeError,
    StorageError,
)


def fails(function, path, tmp_path, error, words, **arguments):
    """Check the error, and that nothing was written."""
    target = tmp_path / "made" / "product.fits"
    with pytest.raises(error, match=words) as caught:
        function(path, target, **arguments)
    assert caught.value.expected and caught.value.remedy
    assert not target.parent.exists() or list(target.parent.iterdir()) == []
    return caught.value


BOTH = pytest.mark.parametrize("function", [daxa_native.image, daxa_native.clean_events])


@BOTH
@pytest.mark.parametrize("keep", [0, 100, 2880, 10_000, 0.5, 0.99])
def test_truncated_lists(real, tmp_path, function, keep):
    whole = real("0404910601_mos1_events.fits").read_bytes()
    path = tmp_path / "list.fits"
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    error = fails(function, path, tmp_path, BadEventListError, "truncated|empty")
    assert str(path) in str(error) and error.context["path"] == str(path)


@BOTH
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>Not found</html>" * 200, "does not begin like a FITS file"),
        (gzip.compress(b"x" * 100_000, mtime=0)[:90], "end-of-stream"),
        (b"\x1f\x8b\x08\x00" + bytes(100), "list.fits"),
        (b"SIMPLE  =                    T" + b" " * 5000, "no END"),
    ],
    ids=["a page", "half of a gzip", "an empty gzip", "no end of the header"],
)
def test_files_that_are_no_lists(tmp_path, function, content, words):
    path = tmp_path / "list.fits"
    path.write_bytes(content)
    fails(function, path, tmp_path, BadEventListError, words)


@BOTH
def test_missing_files_and_directories(tmp_path, function):
    fails(function, tmp_path / "none.fits", tmp_path, BadEventListError, "No such file")
    fails(function, tmp_path, tmp_path, BadEventListError, "directory")


@BOTH
def test_lists_of_unknown_missions(real, tmp_path, function):
    fails(function, real("nomission.evt"), tmp_path, BadEventListError, "babasone")


def test_images_are_no_lists(real, tmp_path):
    path = real("0404910601_mos1_en0.5_2.0keV_sas_image.fits")
    fails(daxa_native.image, path, tmp_path, BadEventListError, "no table EVENTS or STDEVT")


def test_lists_without_columns(real, edited, tmp_path):
    fails(daxa_native.image, real("monol_testA.evt"), tmp_path, BadEventListError, "no column X")

    def drop(name):
        def change(file):
            table = fits.BinTableHDU.from_columns(
                [column for column in file["EVENTS"].columns if column.name != name], header=file["EVENTS"].header
            )
            return [file[0], file["GTI"], table]

        return edited("rosat.evt", change)

    fails(daxa_native.image, drop("PI"), tmp_path, BadEventListError, "no column PI")
    fails(daxa_native.clean_events, drop("TIME"), tmp_path, BadEventListError, "no column TIME")


@BOTH
def test_lists_without_good_times(edited, tmp_path, function):
    for name, stem in (
        ("0404910601_mos1_events.fits", "GTI0"),
        ("rosat.evt", "GTI"),
        ("chandra_10027_events.fits", "GTI"),
    ):
        path = edited(name, lambda file, stem=stem: [hdu for hdu in file if not hdu.name.startswith(stem)])
        fails(function, path, tmp_path, NoGoodTimeError, "does not say which time is good")
    path = edited("0404910601_mos2_events.fits", lambda file: [hdu for hdu in file if "GTI" not in hdu.name])
    fails(function, path, tmp_path, NoGoodTimeError, "no table of good times")


@BOTH
def test_empty_good_times(edited, tmp_path, function):
    def empty(file):
        file["GTI"].data["STOP"] = file["GTI"].data["START"]

    fails(function, edited("rosat.evt", empty), tmp_path, NoGoodTimeError, "holds no interval")


@BOTH
@pytest.mark.parametrize(
    ("name", "band"),
    [
        ("0404910601_mos1_events.fits", (2.0, 0.5)),
        ("0404910601_mos1_events.fits", (1.0, 1.0)),
        ("0404910601_mos1_events.fits", (16.0, 20.0)),
        ("0404910601_mos1_events.fits", (0.5001, 0.5009)),
        ("rosat.evt", (0.501, 0.509)),
        ("rosat.evt", (5.0, 10.0)),
        ("chandra_10027_events.fits", (15.5, 17.0)),
        ("chandra_10027_without_energy.fits", (15.5, 17.0)),
    ],
)
def test_empty_bands(real, tmp_path, function, name, band):
    error = fails(function, real(name), tmp_path, EmptyBandError, "keV", band=band)
    assert error.code == "empty-band" and error.context["value"] == list(band)


@BOTH
@pytest.mark.parametrize("band", ["soft", [0.5], [0.5, 2, 7], [float("nan"), 2], 5, [-1, 2], ["0.5", "2"], [True, 2]])
def test_bands_that_are_none(real, tmp_path, function, band):
    fails(function, real("rosat.evt"), tmp_path, InvalidParameterError, "not an energy band", band=band)


@pytest.mark.parametrize(
    "arguments",
    [{"bin": 0}, {"bin": 1.5}, {"bin": True}, {"shape": (5,)}, {"shape": 0}, {"shape": 10**6}, {"filter": "mine"}],
)
def test_parameters_of_images(real, tmp_path, arguments):
    fails(daxa_native.image, real("rosat.evt"), tmp_path, InvalidParameterError, ".", **arguments)


def test_good_times_that_are_none(real, tmp_path):
    for given in ([[1, 2, 3]], 5, [["a", "b"]], real("0404910601_mos1_events.fits")):
        fails(daxa_native.clean_events, real("rosat.evt"), tmp_path, InvalidParameterError, "good times", gti=given)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("TCTYP1", "GLON-TAN"), ("TCTYP1", "DEC--TAN"), ("TCRVL1", "85.88"), ("TCRVL2", 100.0), ("TCDLT1", 0.0),
        ("TCDLT2", 0.5), ("TCRPX1", "middle"), ("TCUNI1", "arcsec"), ("TCRVL1", None), ("TCTYP2", None),
    ],
)  # fmt: skip
def test_coordinates_that_cannot_be_right(edited, tmp_path, keyword, value):
    def change(file):
        if value is None:
            del file["EVENTS"].header[keyword]
        else:
            file["EVENTS"].header[keyword] = value

    error = fails(daxa_native.image, edited("rosat.evt", change), tmp_path, NoCelestialWCSError, keyword)
    assert value is None or str(value) in str(error)


def test_products_never_replace_their_input(real, tmp_path):
    events = real("rosat.evt")
    before = events.read_bytes()
    for function in (daxa_native.image, daxa_native.clean_events):
        with pytest.raises(InvalidParameterError, match="cannot be written"):
            function(events, events)
    with pytest.raises(InvalidParameterError):
        daxa_native.image(events, tmp_path)
    assert events.read_bytes() == before


@BOTH
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EFBIG])
@pytest.mark.parametrize("after", [0, 3])
def test_a_disk_that_refuses(real, tmp_path, monkeypatch, function, code, after):
    import daxa_native.writing as writing

    target = tmp_path / "made" / "product.fits"
    target.parent.mkdir()
    target.write_bytes(b"the product of an earlier run")
    write, calls = writing.write_block, []

    def refuse(stream, block):
        calls.append(len(block))
        if len(calls) > after:
            raise OSError(code, "injected")
        write(stream, block)

    monkeypatch.setattr(writing, "write_block", refuse)
    with pytest.raises(StorageError, match="injected") as caught:
        function(real("rosat.evt"), target)
    assert str(target) in str(caught.value)
    assert target.read_bytes() == b"the product of an earlier run" and len(list(target.parent.iterdir())) == 1


def test_a_directory_that_cannot_be_made(real, tmp_path):
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(StorageError):
        daxa_native.image(real("rosat.evt"), tmp_path / "file" / "image.fits")


def test_damaged_bytes_end_in_typed_errors_or_in_a_product(real, tmp_path):
    """Bytes of headers overwritten at random: an error of ours, or an image, and never anything else."""
    whole = np.frombuffer(real("rosat.evt").read_bytes(), np.uint8)
    random = np.random.default_rng(1993)
    path = tmp_path / "list.fits"
    with fits.open(real("rosat.evt")) as file:
        places = np.concatenate([np.arange(hdu.fileinfo()["hdrLoc"], hdu.fileinfo()["datLoc"]) for hdu in file])
    failed = 0
    for _ in range(150):
        content = whole.copy()
        where = random.choice(places, random.integers(1, 40))
        content[where] = random.choice(np.frombuffer(b"0123456789 -.'TFEXIJBPQ=/\x00\xff", np.uint8), len(where))
        path.write_bytes(content.tobytes())
        try:
            daxa_native.image(path, tmp_path / "image.fits")
        except DaxaError:
            failed += 1
    assert failed
