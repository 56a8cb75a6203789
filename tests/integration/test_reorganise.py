"""Downloaded products under the archive's names: where a map holds for several bands, it has a name in each."""

from daxa.archive.reorganise import in_each_band, reorganise
from daxa.specs import ProductLabel

BANDS = {"PSPC": {(0.07, 2.4): "1", (0.07, 0.4): "3"}, "HRI": {(0.07, 2.4): "1"}, "GAS": {}}


def test_a_map_without_a_band_has_a_name_in_each(tmp_path):
    raw, root = tmp_path / "raw", tmp_path / "archive"
    raw.mkdir()
    labels = []
    for kind, lo, hi in (("events", None, None), ("image", 0.07, 2.4), ("image", 0.07, 0.4), ("expmap", None, None)):
        path = f"{kind}{hi or ''}.fits"
        (raw / path).write_text(path)
        labels.append(ProductLabel(kind=kind, path=path, inst="PSPC", lo=lo, hi=hi))
    done = reorganise(root, raw, "rosat_all_sky", "RS931959N00", in_each_band(labels, BANDS.get), {})
    assert not done.failed
    stem = "obsidRS931959N00-instPSPC-subexpNone"
    assert {one.path.name: one.label.path for one in done.placed} == {
        f"{stem}-finalevents.fits": "events.fits",
        f"{stem}-en0.07_2.4keV-image.fits": "image2.4.fits",
        f"{stem}-en0.07_0.4keV-image.fits": "image0.4.fits",
        f"{stem}-en0.07_2.4keV-expmap.fits": "expmap.fits",
        f"{stem}-en0.07_0.4keV-expmap.fits": "expmap.fits",
    }
    for one in done.placed:
        status = (root / one.path).stat()
        assert status.st_mode & 0o777 == 0o444 and status.st_ino == (raw / one.label.path).stat().st_ino


def test_what_has_no_bands_keeps_its_name():
    labels = [ProductLabel(kind=kind, path="x", inst="GAS") for kind in ("events", "expmap", "image")]
    assert in_each_band(labels, BANDS.get) == labels == in_each_band(labels, lambda _inst: None)
    (only,) = in_each_band([ProductLabel(kind="expmap", path="x", inst="HRI")], BANDS.get)
    assert (only.lo, only.hi) == (0.07, 2.4)
