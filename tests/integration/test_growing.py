"""Archives that grow: more missions, new observations, and the same work done for them."""

import os
import shutil
import signal

import anyio.to_thread
import daxa_sample.testing
import pandas as pd
import pytest

from daxa import Archive
from daxa.archive.growing import Asked, next_version, recorded_requests
from daxa.context import Context, use_context
from daxa.exceptions import DuplicateMissionError, NetworkError
from daxa.outcome import State
from daxa.store.records import RunEntry
from daxa_testing.sky import Sky

from .test_archive import BASE, sample

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    daxa_sample.testing.add_to(made)
    daxa_sample.testing.add_files(made, "S0004")
    with made.running_in_thread() as running:
        yield running


@pytest.fixture
def context(sky, tmp_path):
    own = Context(**sky.settings(), output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))
    with use_context(own):
        yield own


def tomorrow(monkeypatch, change):
    """Let the catalogue change."""
    from daxa.mission import Sample

    real = Sample.catalogue

    async def catalogue(self, net):
        return change(await real(self, net))

    monkeypatch.setattr(Sample, "catalogue", catalogue)


def with_a_new_one(table):
    row = table.iloc[[0]].assign(ObsID="S0004", ra=150.11)
    return pd.concat([table, row], ignore_index=True)


async def near():
    from astropy.coordinates import SkyCoord

    from daxa.mission import Sample

    mission = Sample()
    await mission.filter_on_positions(SkyCoord(150.2, -11.08, unit="deg"))
    return mission


async def test_new_observations_get_what_the_others_got(context, monkeypatch):
    arch = await Archive("grows", await near())
    await arch.run("image", filter="none")
    await arch.run("quicklook")
    made = arch.tasks(process="image")["started"].tolist()
    nothing = await arch.update()
    assert (
        not nothing.changes and not nothing.runs and arch.version == "0.0.0" and str(nothing) == "nothing has changed"
    )
    tomorrow(monkeypatch, with_a_new_one)
    summary = await arch.update()
    assert summary.good and summary.version == arch.version == "0.1.0"
    assert summary.changes["sample"]["new_obs_ids"] == ["S0004"]
    assert "1 observations are new" in str(summary)
    assert arch["sample"].filtered_obs_ids.tolist() == ["S0001", "S0002", "S0004"] and arch["sample"].locked
    assert set(arch.tasks(obs_id="S0004")["process"]) >= {"download", "image", "quicklook"}
    assert set(arch.tasks()["state"]) <= {"succeeded", "reused"}
    assert len(arch.products(kind="image", obs_id="S0004")) == 2
    assert len(arch.tasks(process="image")) == len(made) + 2
    previous = context.config.output / "archives" / "grows" / ".save_info" / "previous_versions"
    assert [path.name for path in previous.iterdir()] == ["sample_state_0.0.0.json"]
    await arch.close()
    monkeypatch.undo()
    with use_context(context):
        async with Archive("grows") as again:
            assert len(again["sample"]) == 3 and again.version == "0.1.0"
            gone = await again.update()  # the catalogue is as it was
            assert gone.changes["sample"]["removed_obs_ids"] == ["S0004"] and again.version == "0.2.0"
            assert again["sample"].filtered_obs_ids.tolist() == ["S0001", "S0002"]


async def test_only_what_is_new_is_worked_on(context, monkeypatch):
    """What failed before, or was never asked for, is left as it is; time limits are those of the last time."""
    arch = await Archive("only", await near())
    await arch.run("image", obs_ids=["S0001"], timeout=500)
    tomorrow(monkeypatch, with_a_new_one)
    summary = await arch.update()
    assert summary.good and set(arch.tasks(process="image")["obs_id"]) == {"S0001", "S0004"}
    runs = await anyio.to_thread.run_sync(arch._opened.runs)
    assert runs[-1].request["time_limit"] == 500 and runs[-1].request["wanted"] == {"sample": ["image"]}
    assert set(arch.tasks(run_id=runs[-1].id)["obs_id"]) == {"S0004"}
    await arch.close()
    async with Archive("only") as again:
        nothing = await again.update()
        assert not nothing.changes and not nothing.runs and again.version == "0.1.0"


async def test_what_could_not_be_fetched_is_left_for_the_next_update(context, monkeypatch):
    from daxa.mission import Sample

    real = Sample.remote_files
    arch = await Archive("left", await near())
    await arch.run("image")

    async def refuse(self, obs, want, net):
        if obs["ObsID"] == "S0004":
            raise NetworkError("The archive is closed today.", url=BASE)
        async for one in real(self, obs, want, net):
            yield one

    tomorrow(monkeypatch, with_a_new_one)
    monkeypatch.setattr(Sample, "remote_files", refuse)
    assert not (await arch.update()).good and arch.version == "0.1.0"
    monkeypatch.setattr(Sample, "remote_files", real)
    summary = await arch.update()
    assert summary.good and not summary.changes and len(summary.runs) == 1 and arch.version == "0.1.0"
    assert len(arch.products(kind="image", obs_id="S0004")) == 2
    assert not (await arch.update()).runs
    await arch.close()


async def test_a_mission_taken_whole_is_taken_whole_again(context, monkeypatch):
    from daxa.mission import Sample

    mission = Sample()
    await mission.load()
    arch = await Archive("whole", mission, all_observations=True, on_error="collect")
    assert not (await arch.update()).changes
    tomorrow(monkeypatch, with_a_new_one)
    summary = await arch.update()
    assert summary.changes["sample"]["new_obs_ids"] == ["S0004"] and arch.version == "0.1.0"
    assert arch.tasks(process="download", obs_id="S0004")["state"].tolist() == ["succeeded"]
    await arch.close()
    async with Archive("whole") as again:
        assert not (await again.update()).changes and len(again["sample"]) == 4


async def test_an_update_that_is_interrupted_starts_no_further_run(context, monkeypatch):
    from daxa.mission import Sample

    real = Sample.remote_files

    async def remote_files(self, obs, want, net):
        os.kill(os.getpid(), signal.SIGINT)
        async for remote in real(self, obs, want, net):
            yield remote

    async with Archive("cut", await near()) as arch:
        await arch.run("summary", disable_progress=True)
        await arch.run("image", timeout=600, disable_progress=True)
        tomorrow(monkeypatch, with_a_new_one)
        shutil.rmtree(context.config.cache)
        with monkeypatch.context() as patched:
            patched.setattr(Sample, "remote_files", remote_files)
            summary = await arch.update()
        assert summary.interrupted and not summary.good and len(summary.runs) == 1
        again = await arch.update()
        assert not again.interrupted and len(again.runs) == 2
        assert set(arch.tasks(obs_id="S0004", process="download")["state"]) <= {"succeeded", "reused"}


async def test_what_is_not_public_yet_is_not_taken_in(context, monkeypatch):
    from daxa.mission import Sample

    end = pd.Timestamp.now().normalize() + pd.Timedelta(30, "D")

    def with_dates(table):
        return table.assign(proprietary_usable=True, proprietary_end_date=pd.Timestamp("2020-01-01"))

    def with_a_closed_one(table):
        table = with_dates(with_a_new_one(table))
        new = table["ObsID"] == "S0004"
        return table.assign(proprietary_usable=~new, proprietary_end_date=table["proprietary_end_date"].mask(new, end))

    monkeypatch.setattr(Sample, "has_proprietary", True)
    order = (*Sample.column_order, "proprietary_usable", "proprietary_end_date")
    monkeypatch.setattr(Sample, "column_order", order)
    real = Sample.catalogue
    tomorrow(monkeypatch, with_dates)
    arch = await Archive("closed", await near())
    monkeypatch.setattr(Sample, "catalogue", real)
    tomorrow(monkeypatch, with_a_closed_one)
    with pytest.warns(UserWarning, match="proprietary"):
        nothing = await arch.update()
    assert nothing.good and not nothing.changes and arch.version == "0.0.0" and len(arch["sample"]) == 2
    await arch.close()


async def test_a_catalogue_that_cannot_be_asked_changes_nothing(context, monkeypatch):
    arch = await Archive("down", await near())

    def refuse(_table):
        raise NetworkError("The catalogue is down.", url=BASE)

    tomorrow(monkeypatch, refuse)
    with pytest.warns(UserWarning, match="is down"):  # the cache serves
        assert not (await arch.update()).changes
    shutil.rmtree(context.config.cache)
    summary = await arch.update()
    assert not summary.good and "down" in summary.failures["sample"] and arch.version == "0.0.0"
    assert len(arch["sample"]) == 2 and arch["sample"].locked
    await arch.close()


async def test_missions_are_added_and_nothing_runs_again(context, monkeypatch):
    from daxa.mission import Sample

    arch = await Archive("two", await sample("S0001"))
    await arch.run("image")
    with pytest.raises(DuplicateMissionError, match="update"):
        await arch.add_missions(await sample("S0002"))
    assert arch.version == "0.0.0"

    class Other(Sample):
        name = "other"
        pretty_name = "Other"

    entry = context.registry.mission_entry("sample")
    from attrs import evolve

    monkeypatch.setitem(context.registry.missions, "other", evolve(entry, name="other", target=f"{__name__}:Other"))
    monkeypatch.setitem(context.registry.owners, ("mission", "other"), "daxa-other")
    monkeypatch.setitem(globals(), "Other", Other)
    other = Other()
    await other.filter_on_obs_ids("S0002")
    await arch.add_missions([other])
    assert arch.mission_names == ["sample", "other"] and arch.version == "0.1.0"
    assert set(arch.tasks(process="download")["mission"]) == {"sample", "other"}
    summary = await arch.run("image")
    assert summary.good and summary.counts[State.SUCCEEDED] == 4 and summary.counts[State.REUSED] >= 4
    await arch.close()
    async with Archive("two") as again:
        assert again.mission_names == ["sample", "other"]


async def test_raw_data_are_deleted_and_products_stay(context):
    arch = await Archive("lean", await sample("S0001"))
    await arch.run("image")
    assert await arch.delete_raw_data(force_del=True) == 8
    assert {one.state for one in await arch.verify()} == {"intact"}
    assert set((await arch.run("image")).counts) == {State.REUSED}
    await arch.close()


def test_versions():
    assert [next_version(one) for one in ("0.0.0", "0.9.0", "1.2.3")] == ["0.1.0", "0.10.0", "1.3.0"]


def test_what_was_asked_for_several_times_counts_as_it_was_last():
    def run(number, wanted, **params):
        return entry(number, {"wanted": wanted, "params": params})

    def entry(number, request):
        return RunEntry(id=number, started=0.0, ended=1.0, request=request, host="here", pid=1)

    runs = [
        run(1, {"a": ["download"], "b": ["download"]}),
        run(2, {"a": ["image"], "b": ["image"]}, lo=1),
        run(3, {"a": ["curve"]}),
        run(4, {"a": ["image"]}, lo=2),
        entry(5, {"declare": "old"}),
    ]
    assert recorded_requests(runs, ["a", "b"]) == [
        Asked({"b": ["image"]}, {"lo": 1}),
        Asked({"a": ["curve"]}),
        Asked({"a": ["image"]}, {"lo": 2}),
    ]
    assert recorded_requests(runs, ["b"]) == [Asked({"b": ["image"]}, {"lo": 1})]
    assert recorded_requests(runs, ["b", "c"]) == [Asked({"c": ["download"]}), Asked({"b": ["image"]}, {"lo": 1})]
