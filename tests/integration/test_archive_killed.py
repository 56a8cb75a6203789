"""A head that is killed while it declares an archive, lets it grow, or moves what failed: the same call goes on."""

import os
import signal
from pathlib import Path

import daxa_sample.processes
import daxa_sample.testing
import pytest

from daxa import Archive
from daxa.context import Context, use_context
from daxa.exceptions import DuplicateMissionError
from daxa_testing.sky import Sky

from . import heads

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def sky():
    made = Sky()
    daxa_sample.testing.add_to(made)
    daxa_sample.testing.add_files(made, "S0004")
    with made.running_in_thread() as running:
        yield running


@pytest.fixture
def settings(sky, tmp_path):
    return {**sky.settings(), "output": str(tmp_path / "output"), "cache": str(tmp_path / "cache")}


@pytest.fixture
def context(settings):
    own = Context(**settings)
    with use_context(own):
        yield own


async def near():
    from astropy.coordinates import SkyCoord

    from daxa.mission import Sample

    mission = Sample()
    await mission.filter_on_positions(SkyCoord(150.2, -11.08, unit="deg"))
    return mission


def states(arch, **where):
    return set(arch.tasks(**where)["state"])


@pytest.mark.parametrize(
    "at",
    [
        "daxa.archive.growing:run_processes",
        "daxa.archive.runner:ArchiveRunner._publish",
    ],
)
async def test_an_update_that_was_killed_is_finished_by_the_next(context, settings, monkeypatch, at):
    from daxa.mission import Sample

    async with await Archive("killed", await near()) as arch:
        await arch.run("image", filter="none")
        before = arch.tasks(process="image")["started"].tolist()
    heads.killed(settings, "update", at)
    monkeypatch.setattr(Sample, "catalogue", Sample.catalogue)
    heads.grow()
    async with Archive("killed") as arch:
        assert arch.version == "0.1.0" and arch["sample"].filtered_obs_ids.tolist() == ["S0001", "S0002", "S0004"]
        summary = await arch.update()
        assert summary.good and not summary.changes and len(summary.runs) == 1
        assert arch.version == summary.version == "0.1.0"
        new = arch.tasks(obs_id="S0004")
        assert set(new["process"]) >= {"download", "preprocessed_events", "image"}
        assert states(arch, obs_id="S0004") <= {"succeeded", "reused"}
        configured = {key: value for one in arch.process_configurations["sample"] for key, value in one.items()}
        assert configured["clean_events"]["filter"] == "none"
        old = arch.tasks(process="image", obs_id=["S0001", "S0002"])
        assert old["started"].tolist() == before
        nothing = await arch.update()
        assert not nothing.changes and not nothing.runs and arch.version == "0.1.0"


async def test_adding_that_was_killed_goes_on(context, settings):
    async with await Archive("killed", await near()) as arch:
        await arch.run("image")
    heads.killed(settings, "add", "daxa.archive.downloads:ArchiveDownloads._place")
    added = await heads.other("S0002")
    async with Archive("killed") as arch:
        assert arch.mission_names == ["sample", "other"] and arch.version == "0.1.0"
        await arch.add_missions(added)
        assert arch.mission_names == ["sample", "other"] and arch.version == "0.1.0"
        assert states(arch, mission="other") <= {"succeeded", "reused"}
        assert len(arch.products(mission="other", kind="events")) == 2
        with pytest.raises(DuplicateMissionError):
            await arch.add_missions(added)


async def test_adding_that_was_interrupted_goes_on(context, settings, monkeypatch):
    from daxa.archive.downloads import ArchiveDownloads

    real = ArchiveDownloads._place

    def place(self, *arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        return real(self, *arguments, **options)

    added = await heads.other("S0002")
    async with Archive("killed", await near()) as arch:
        with monkeypatch.context() as patched:
            patched.setattr(ArchiveDownloads, "_place", place)
            with pytest.raises(KeyboardInterrupt):
                await arch.add_missions(added)
        assert arch.mission_names == ["sample", "other"]
        await arch.add_missions(added)
        assert states(arch, mission="other") <= {"succeeded", "reused"}
        with pytest.raises(DuplicateMissionError):
            await arch.add_missions(added)


@pytest.mark.parametrize("at", ["daxa.archive.declaration:_fetch", "daxa.archive.downloads:ArchiveDownloads._record"])
async def test_a_declaration_that_was_killed_goes_on(context, settings, at):
    heads.killed(settings, "declare", at)
    async with Archive("killed", [await heads.sample("S0001"), await heads.other("S0002")]) as arch:
        assert arch.mission_names == ["sample", "other"] and arch.version == "0.0.0"
        assert states(arch) <= {"succeeded", "reused"}
        assert len(arch.products(kind="events")) == 4
        assert all(Path(path).is_file() for path in arch.products()["path"])


async def test_what_was_killed_while_failed_data_were_moved_is_put_right(context, settings, monkeypatch, tmp_path):
    home = tmp_path / "tools"
    monkeypatch.setenv("SAMPLETOOLS", daxa_sample.testing.install_tool(home))
    monkeypatch.setattr(daxa_sample.processes.merge, "final", True)
    program = home / "bin" / "samplecal"
    fails = 'case "$in" in *s0002*) echo "samplecal: ERROR no good" >&2; exit 1;; esac\n'
    program.write_text(program.read_text().replace("[ -f", fails + "[ -f", 1))
    with use_context(Context(**settings)):
        async with await Archive("killed", await heads.sample("S0001", "S0002"), download_products=False):
            pass
        heads.killed(settings, "merge", "daxa.archive.finality:_rename_all")
        async with Archive("killed") as arch:
            there = arch.get_current_data_path("sample", "S0002")
            assert Path(there).is_dir() and any(Path(there, "logs").iterdir())
            said = arch.raw_process_errors["sample"]["calibrate"]
            assert len(said) == 3 and all("no good" in text for text in said.values())
            assert not (await arch.run("merge", disable_progress=True)).good
            assert arch.final_process_success == {"sample": {"S0001": True, "S0002": False}}
            assert arch.get_current_data_path("sample", "S0002") == f"{arch.archive_path}failed_data/sample/S0002/"
            assert Path(arch.get_current_data_path("sample", "S0002")).is_dir()
            paths = arch.products()["path"]
            assert len(paths) and all(Path(path).is_file() for path in paths)
            assert not Path(arch.archive_path, "processed_data/sample/S0002").exists()
