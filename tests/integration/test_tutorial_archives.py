"""DAXA's tutorial of archives, cell by cell, with ``await`` in front of what takes time: what a reader sees.

The values that were recorded of it are compared in `test_founding_archives`; here its cells are run as they stand, in
their order, in one notebook.
"""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from daxa.context import Context, use_context
from daxa_demo.founding import phl1811
from daxa_testing.sky import Sky
from daxa_xmm.testing import sas

from .cells import Notebook

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
DATA = Path(__file__).parents[1] / "data"
TILE = DATA / "a3667" / "erass_obs_304147_listing.json"


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """The offline sky with stand-ins for SAS, and an output root in which somebody has made the second archive."""
    import asyncio

    root = tmp_path_factory.mktemp("tutorial")
    tools = sas.install(root / "sas", version="20.0.0", scenario=phl1811.scenario())
    with ExitStack() as stack:
        running = stack.enter_context(Sky.installed().running_in_thread())
        context = Context(
            **running.settings(), output=str(root / "daxa_output"), cache=str(root / "cache"), tool_sas=str(tools),
            tool_heasoft=str(tools / "headas"),
        )  # fmt: skip

        async def prepare():
            async with await phl1811.build(root):
                pass

        with use_context(context):
            asyncio.run(prepare())
        yield root, context


@pytest.fixture
def notebook(surroundings, monkeypatch):
    root, context = surroundings
    monkeypatch.chdir(root)
    with use_context(context):
        yield Notebook()


async def test_creating_an_archive(notebook, capsys):
    cell = notebook.cell
    await cell("""
        from daxa.mission import XMMPointed, Chandra, eRASS1DE, ROSATPointed
        from daxa.archive import Archive

        import os
    """)
    await cell("""
        xm = XMMPointed()
        ch = Chandra()
        er = eRASS1DE()
        rp = ROSATPointed()
    """)
    await cell("""
        await xm.filter_on_name("A3667")
        await ch.filter_on_name("A3667")
        await er.filter_on_name("A3667")
        await rp.filter_on_name("A3667")
    """)
    await cell("""
        await xm.download()
        await ch.download(download_products=True)
        await er.download()
        await rp.download(download_products=True)
    """)
    await cell("""
        arch = await Archive("A3667", [xm, ch, er, rp], clobber=True,
                             use_preprocessed={'xmm_pointed': False, 'chandra': True,
                                               'erosita_all_sky_de_dr1': True, 'rosat_pointed': True})
    """)
    capsys.readouterr()
    await cell("arch.info()")
    said = [line for line in capsys.readouterr().out.split("\n") if "Chosen instruments" not in line]
    told = (DATA / "a3667" / "info_newer_run.txt").read_text(encoding="utf-8").strip().split("\n")
    assert [line for line in said if line] == [line for line in told if line and "Chosen instruments" not in line]

    listing = json.loads(TILE.read_text(encoding="utf-8"))
    top = await cell("""
        demo_pth = arch.get_current_data_path('erosita_all_sky_de_dr1', '304147')

        os.listdir(demo_pth)
    """)
    assert set(listing["top_level"]) <= set(top)
    assert sorted(await cell("os.listdir(os.path.join(demo_pth, 'images'))")) == sorted(listing["images"])
    assert sorted(await cell("os.listdir(os.path.join(demo_pth, 'events'))")) == sorted(listing["events"])


async def test_an_existing_archive(notebook, capsys, surroundings):
    cell = notebook.cell
    await cell("""
        from daxa.archive import Archive

        import os
    """)
    await cell('prev_arch = await Archive("PHL1811_made_earlier")')
    await cell("prev_arch.info()")
    assert capsys.readouterr().out.count("Fully Processed - True") == 4
    await cell("print(Archive.__doc__)")
    said = capsys.readouterr().out
    for name in ("archive_name", "missions", "clobber", "download_products", "use_preprocessed"):
        assert f"{name} :" in said

    # its missions
    assert repr(await cell("prev_arch['xmm_pointed']")) == "<XMM-Newton Pointed: 5 of 5 observations selected>"
    names = [type(one).__name__ for one in await cell("prev_arch.missions")]
    assert names == ["XMMPointed", "Chandra", "NuSTARPointed", "ROSATAllSky"]
    assert len(await cell("prev_arch['xmm_pointed'].filtered_obs_info")) == 5

    # its general properties
    assert await cell("prev_arch.archive_name") == "PHL1811_made_earlier"
    path = await cell("prev_arch.archive_path")
    assert path == f"{surroundings[0]}/daxa_output/archives/PHL1811_made_earlier/"
    assert await cell("prev_arch.mission_names") == ["xmm_pointed", "chandra", "nustar_pointed", "rosat_all_sky"]

    # what is known of its processing
    success = await cell("prev_arch.process_success")
    assert repr(success).startswith("{'xmm_pointed': {'cif_build': {'0102041001': True")
    assert success["xmm_pointed"]["espfilt"]["0502671101PNS003"] is False
    assert (await cell("prev_arch.process_names"))["chandra"] == ["preprocessed_events", "preprocessed_images"]
    await cell("print(prev_arch.process_logs['xmm_pointed']['espfilt']['0204310101M1S001'])")
    assert capsys.readouterr().out.startswith("espfilt:- Executing (routine): espfilt eventfile=")
    raw = await cell("prev_arch.raw_process_errors")
    assert list(raw["xmm_pointed"]["espfilt"]) == ["0502671101PNS003"]
    assert await cell("prev_arch.process_errors['xmm_pointed']['espfilt']['0502671101PNS003']") == [
        "noCounts raised by espfilt - All histo counts are zero! Check your FOV Lightcurve!"
    ]
    warned = await cell("prev_arch.process_warnings['xmm_pointed']['epchain']['0502671101PNS003'][109]")
    assert set(warned) == {"originator", "name", "message"} and warned["originator"] == "epframes"
    extra = await cell("prev_arch.process_extra_info['xmm_pointed']['cleaned_evt_lists']")
    assert len(extra) == 14 and extra["0204310101PNS003"]["evt_clean_path"].startswith(path)
    assert (await cell("prev_arch.final_process_success"))["xmm_pointed"]["0102041001"] is False
    summary = await cell("prev_arch.observation_summaries['xmm_pointed']['0204310101']")
    assert list(summary) == ["M1", "M2", "PN"] and summary["PN"]["num_exp"] == 14
    assert summary["PN"]["exposures"]["U101"]["mode"] == "Offset"

    # where its data are, and its logs
    for obs_id, kind in (("0204310101", "processed_data"), ("0102041001", "failed_data")):
        found = await cell(f"prev_arch.get_current_data_path('xmm_pointed', '{obs_id}')")
        assert found == f"{path}{kind}/xmm_pointed/{obs_id}/"
    assert await cell("prev_arch.get_failed_processes('espfilt')") == {"xmm_pointed": ["0502671101PNS003"]}
    logs = await cell("prev_arch.get_process_logs('espfilt', obs_id='0502671101', inst='PN')")
    errors = await cell("prev_arch.get_process_raw_error_logs('espfilt', obs_id='0502671101', inst='PN')")
    await cell("logs, errors = prev_arch.get_failed_logs('espfilt')")
    assert await cell("logs['xmm_pointed']['0502671101PNS003']") == logs["xmm_pointed"]["0502671101PNS003"]
    assert await cell("errors") == errors

    # its regions
    await cell("""
        with_regions = [name[:-4] for name in os.listdir('region_files')]
        reg_paths = {'xmm_pointed': {}}
        for oi in prev_arch['xmm_pointed'].filtered_obs_ids:
            if oi in with_regions:
                im_pth = prev_arch.get_current_data_path('xmm_pointed', oi) + \\
                    'images/obsid{}-instM2-subexpALL-en0.5_2.0keV-image.fits'.format(oi)
                reg_paths['xmm_pointed'][oi] = {'regions': 'region_files/{}.reg'.format(oi), 'wcs_src': im_pth}
        prev_arch.source_regions = reg_paths
    """)
    regions = await cell("prev_arch.source_regions")
    assert {obs_id: len(one) for obs_id, one in regions["xmm_pointed"].items()} == {
        "0105261001": 25, "0204310101": 59, "0502671101": 11, "0761910201": 70,
    }  # fmt: skip
    assert repr(regions).startswith("{'xmm_pointed': {'0105261001': [<EllipseSkyRegion(center=<SkyCoord (ICRS)")

    # nothing new is at the archives: the version stays
    before = await cell("prev_arch.version")
    await cell("await prev_arch.update()")
    assert await cell("prev_arch.version") == before
