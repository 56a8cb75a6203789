"""What observations of XMM-Newton cover of the sky, as ESA's catalogue tells it."""

import logging

import pytest

import daxa_testing.tap
import daxa_xmm.testing as xmm
from daxa.context import use_context
from daxa.mission import XMMPointed
from daxa_testing.sky import Sky

from ..skies import context_of

pytestmark = pytest.mark.anyio
ROWS = [
    xmm.row("0201903501", 10.0, -5.0, "2004-01-01 00:00:00", 1e4),
    xmm.row("0201903601", 10.4, -5.0, "2004-01-02 00:00:00", 1e4),
    {**xmm.row("0201903701", 10.2, -5.0, "2004-01-03 00:00:00", 1e4), "stc_s": ""},
    {**xmm.row("0201903801", 10.2, -5.05, "2004-01-04 00:00:00", 1e4), "stc_s": "Unknown"},
]
BETWEEN = "CIRCLE ICRS 10.2 -4.9 0.02"


async def test_a_region_selects_what_a_footprint_reaches(tmp_path):
    sky = Sky()
    xmm.add_rows(sky, ROWS)
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = XMMPointed()
        with pytest.warns(UserWarning, match="footprints of 1 observations cannot be read"):
            await mission.filter_on_region(BETWEEN)  # no centre lies there
        assert list(mission.filtered_obs_ids) == ["0201903501", "0201903601"]
        assert "footprint" not in mission.all_obs_info and "footprint" not in mission.filtered_obs_info
        assert len(mission.footprints) == 4 and mission.footprints[0].startswith("Polygon J2000 ")
        again = XMMPointed()  # from the cache
        await again.load()
        assert again.footprints == mission.footprints


async def test_a_reply_that_leaves_footprints_out_is_of_use_too(tmp_path, monkeypatch):
    """The query is answered, and the column is not in what comes."""
    sky = Sky()
    xmm.add_rows(sky, ROWS)
    monkeypatch.setattr("daxa_testing.tap.votable", without_footprints(daxa_testing.tap.votable))
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = XMMPointed()
        await mission.load()
        assert len(mission.all_obs_info) == 4 and mission.footprints is None
        assert mission.catalogue_source == mission.context.service_url("XSA_TAP")


def without_footprints(votable):
    def fewer(columns, rows, **options):
        return votable([one for one in columns if one.name != "stc_s"], rows, **options)

    return fewer


async def test_without_footprints_the_catalogue_is_of_use_and_centres_decide(tmp_path, caplog):
    sky = Sky()
    columns = [column for column in xmm.XSA_COLUMNS if column.name != "stc_s"]
    sky.add_table(xmm.XSA_TAP, xmm.XSA_TABLE, columns, ROWS)
    with sky.running_in_thread() as running, use_context(context_of(running, tmp_path)):
        mission = XMMPointed()
        with caplog.at_level(logging.WARNING):
            await mission.filter_on_region("CIRCLE ICRS 10.4 -5.0 0.05")
        assert list(mission.filtered_obs_ids) == ["0201903601"] and mission.footprints is None
    assert any("without what observations cover" in record.message for record in caplog.records)
