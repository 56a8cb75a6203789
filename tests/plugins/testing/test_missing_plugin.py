"""An archive of which one plugin is not installed any longer: it opens, and all that does not need it works."""

import types

import daxa_sample.testing
import pytest
from daxa_sample.mission import Sample

from daxa import Archive
from daxa.api import API_VERSION, PluginInfo, hookimpl
from daxa.context import use_context
from daxa.exceptions import MissingPluginError
from daxa.mission import Chandra
from daxa.plugins import Plugins
from daxa_chandra import testing as chandra
from daxa_testing.sky import Sky

from ..skies import context_of, gz

pytestmark = pytest.mark.anyio

WHEN = "2002-10-26 01:19:30"


@pytest.fixture
def sky():
    made = Sky()
    names = ("primary/acisf03205N006_evt2.fits.gz", "secondary/acisf03205_000N006_evt1.fits.gz")
    chandra.add_observation(made, "3205", 10.0, 20.0, WHEN, 47700.0, {name: gz() for name in names})
    daxa_sample.testing.add_to(made)
    with made.running_in_thread() as running:
        yield running


@pytest.fixture
def without_sample():
    """The plugins that are left when daxa-sample is gone."""
    plugins = Plugins(blocked={"daxa-sample"})
    plugins.discover()
    return plugins


async def declared(sky, tmp_path):
    with use_context(context_of(sky, tmp_path)):
        missions = [Sample(), Chandra()]
        await missions[0].filter_on_obs_ids("S0001")
        await missions[1].filter_on_obs_ids("3205")
        async with Archive("both", missions):
            pass


async def test_it_opens_and_says_which_distribution_it_needs(sky, tmp_path, without_sample, caplog):
    await declared(sky, tmp_path)
    with use_context(context_of(sky, tmp_path, plugins=without_sample)):
        async with Archive("both") as archive:
            assert "sample" in caplog.text and "pip install daxa-sample" in caplog.text
            assert archive.mission_names == ["sample", "chandra"]
            assert archive["chandra"].filtered_obs_ids.tolist() == ["3205"]
            assert archive["sample"].filtered_obs_ids.tolist() == ["S0001"]
            assert list(archive["sample"].filtered_obs_info["ObsID"]) == ["S0001"]
            with pytest.raises(MissingPluginError, match="pip install daxa-sample"):
                await archive["sample"].catalogue(None)
            assert set(archive.tasks()["mission"]) == {"chandra", "sample"}
            assert set(archive.products()["mission"]) == {"chandra", "sample"}
            checks = await archive.verify()
            assert {one.state for one in checks} == {"intact"}


async def test_what_does_not_need_it_runs(sky, tmp_path, without_sample, caplog):
    await declared(sky, tmp_path)
    with use_context(context_of(sky, tmp_path, plugins=without_sample)):
        async with Archive("both") as archive:
            for choice in ({}, {"missions": "chandra"}):
                summary = await archive.run("download", rerun="download", **choice)
                assert summary.stopped is None
            assert "sample is left out" in caplog.text
            with pytest.raises(MissingPluginError, match="pip install daxa-sample"):
                await archive.run("download", missions="sample")
    with use_context(context_of(sky, tmp_path)):
        async with Archive("both") as archive:  # installed again, nothing is lost
            assert archive["sample"].filtered_obs_ids.tolist() == ["S0001"]
            assert type(archive["sample"]) is Sample
            summary = await archive.run("download", rerun="download")
            assert summary.stopped is None


async def test_a_plugin_that_cannot_be_loaded_is_told_as_one_that_is_missing(sky, tmp_path, without_sample):
    """One that needs a newer core is installed, and left out: the archive says so all the same."""
    await declared(sky, tmp_path)
    newer = types.ModuleType("newer")
    newer.daxa_plugin_info = hookimpl(lambda: PluginInfo(api=API_VERSION + 1))
    record = without_sample.register(newer, "sample")
    assert "newer daxa-core" in record.error
    with use_context(context_of(sky, tmp_path, plugins=without_sample)):
        async with Archive("both") as archive:
            assert len(archive.products(mission="chandra")) == 1
            with pytest.raises(MissingPluginError):
                await archive.run("download", missions="sample")
