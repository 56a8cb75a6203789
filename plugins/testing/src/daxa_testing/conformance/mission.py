"""What holds for a mission, against a sky of its author's own."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from daxa.context import Context
from daxa.contract import Finding
from daxa.contract.entry import check_light, import_cost
from daxa.contract.missions import KINDS, check_mission_class, check_obs_id
from daxa.exceptions import CatalogueError, NetworkError, NotAtArchiveError, OfflineError
from daxa.ids import DataId
from daxa.mission.base import Mission
from daxa.mission.catalogue import CORE_COLUMNS
from daxa.net.client import open_net
from daxa.specs import MissionEntry, RemoteFile, Want
from daxa_testing.conformance.base import assert_sound, missing, own_context, under
from daxa_testing.conformance.watching import tree
from daxa_testing.sky import Sky


class MissionConformance:
    """Checks of a mission: what its class declares, its catalogue, the files it names, and a download.

    Attributes
    ----------
    mission : str
        Internal name.
    """

    mission: str = ""

    # --- what an author says ----------------------------------------------------------------------------------------

    def sky(self) -> Sky:
        """Return the offline sky that holds the mission's tables and files."""
        raise missing(self, "what the archive holds", "def sky(self): return Sky() with tables and files added")

    def obs_ids(self) -> Sequence[str]:
        """Return ObsIDs of that sky that have files; one is enough."""
        raise missing(self, "which observations have files", 'def obs_ids(self): return ["S0001"]')

    def absent_obs_ids(self) -> Sequence[str]:
        """Return ObsIDs that are in the catalogue, and of which the archive holds nothing; none by default."""
        return ()

    def make(self, context: Context) -> Mission:
        """Make the mission."""
        return self._class(context)(context=context)

    # --- declarations -----------------------------------------------------------------------------------------------

    def _entry(self) -> MissionEntry:
        if not self.mission:
            raise missing(self, "which mission it looks at", 'mission = "sample"')
        return Context().registry.mission_entry(self.mission)

    def _class(self, context: Context) -> type[Mission]:
        return context.registry.mission_class(self._entry().name)

    def _declared(self) -> list[Finding]:
        registry, entry = Context().registry, self._entry()
        return list(check_mission_class(self._class(Context()), entry.name, entry.title, frozenset(registry.services)))

    def test_its_class_declares_what_it_should(self) -> None:
        """Names, frame, instruments, levels, columns, templates, services, methods."""
        assert_sound(one for one in self._declared() if one.check not in ("fov", "obs-id"))

    def test_the_form_of_its_obs_ids_is_safe(self) -> None:
        """The pattern lets nothing pass that could leave its directory."""
        assert_sound(one for one in self._declared() if one.check == "obs-id")

    def test_quantities_written_as_text_become_quantities(self) -> None:
        """The field of view is text in the class, and an angle when it is looked at."""
        assert_sound(one for one in self._declared() if one.check == "fov")

    def test_its_class_imports_nothing_heavy(self) -> None:
        """Neither astropy nor pandas comes along with it."""
        module = self._entry().target.partition(":")[0]
        assert_sound(check_light(f"mission {self.mission}", import_cost(module, attempts=1)))

    # --- catalogue --------------------------------------------------------------------------------------------------

    def _tables(self, tmp_path: Path, times: int) -> list[Any]:
        async def fetched(context: Context) -> list[Any]:
            async with open_net(context) as net:
                return [await self.make(context).catalogue(net) for _ in range(times)]

        with under(self.sky(), tmp_path) as (context, _):
            return asyncio.run(fetched(context))

    def test_its_catalogue_has_its_columns_types_and_order(self, tmp_path: Path) -> None:
        """As the method returns it, before anything puts it right."""
        (table,) = self._tables(tmp_path, 1)
        cls = self._class(Context())
        subject, names = f"catalogue of {self.mission}", list(table.columns)
        faults = []
        lacking = [one for one in (*CORE_COLUMNS, *cls.columns) if one not in names]
        if lacking:
            faults.append(
                Finding("columns", subject, f"it lacks {', '.join(lacking)}.", "add them; declare others as columns=")
            )
        order = list(cls.column_order or CORE_COLUMNS)
        undeclared = [one for one in names if cls.column_order and one not in order]
        if undeclared:
            faults.append(
                Finding("columns", subject, f"it has {', '.join(undeclared)} beyond.", "name them in column_order")
            )
        kinds = {"ra": "f", "dec": "f", "start": "M", "end": "M", "duration": "m", "science_usable": "b"}
        kinds |= {"proprietary_usable": "b", "proprietary_end_date": "M"}
        said = {"f": "float64", "M": "datetime64[ns]", "m": "timedelta64[ns]", "b": "bool"}
        for name, kind in kinds.items():
            if name in names and table[name].dtype.kind != kind:
                faults.append(
                    Finding("columns", subject, f"{name} is of type {table[name].dtype}.", f"make it {said[kind]}")
                )
        if "ObsID" in names and not all(isinstance(one, str) for one in table["ObsID"]):
            faults.append(Finding("columns", subject, "ObsID is no text.", "use daxa.api.texts; zeros in front count"))
        if "ObsID" in names and table["ObsID"].duplicated().any():
            faults.append(Finding("columns", subject, "an ObsID is there twice.", "write one row an observation"))
        if not len(table):
            faults.append(Finding("columns", subject, "it has no rows.", "let sky() hold an observation"))
        assert_sound(faults)

    def test_its_catalogue_is_the_same_twice(self, tmp_path: Path) -> None:
        """Asked twice, the same service gives the same rows in the same order."""
        first, second = self._tables(tmp_path, 2)
        same = first.reset_index(drop=True).equals(second.reset_index(drop=True))
        assert same, "catalogue() gives other rows, or another order, the second time. Remedy: sort them, by ObsID say."

    def test_its_obs_ids_are_found_again(self, tmp_path: Path) -> None:
        """Each matches the pattern, and comes back unchanged from paths and data ids."""
        (table,) = self._tables(tmp_path, 1)
        cls = self._class(Context())
        assert_sound(finding for one in table["ObsID"] for finding in check_obs_id(cls, one))

    def test_it_keeps_off_the_network(self, tmp_path: Path) -> None:
        """Where the network is switched off, nothing is asked; without a catalogue there is an error that says so."""
        with under(self.sky(), tmp_path, offline=True) as (context, running):
            with contextlib.suppress(CatalogueError, OfflineError):  # a plugin may bring its catalogue along
                asyncio.run(_loaded(self.make(context)))
            assert not running.requests, "it asks although the network is off. Remedy: ask through `net` alone."

    def test_a_selection_can_be_kept(self, tmp_path: Path) -> None:
        """A snapshot passes through JSON, and makes the same mission without network."""

        async def kept(context: Context) -> tuple[Mission, dict[str, Any]]:
            mission = self.make(context)
            await mission.filter_on_obs_ids(list(self.obs_ids()))
            return mission, mission.snapshot()

        with under(self.sky(), tmp_path) as (context, _):
            mission, snapshot = asyncio.run(kept(context))
            plain = json.loads(json.dumps(snapshot))
            offline = own_context(tmp_path, offline=True)
            again = type(mission).from_snapshot(plain, context=offline)
            assert list(again.filtered_obs_ids) == list(mission.filtered_obs_ids) == sorted_like(again, self.obs_ids())
            chosen = mission.filtered_obs_info.reset_index(drop=True)
            restored = again.filtered_obs_info.reset_index(drop=True)
            assert list(restored.columns) == list(chosen.columns)
            assert (restored["ObsID"] == chosen["ObsID"]).all() and (restored["start"] == chosen["start"]).all()

    # --- files ------------------------------------------------------------------------------------------------------

    def _named(self, tmp_path: Path, *wants: Mapping[str, Any]) -> list[dict[str, list[RemoteFile]]]:
        """Files of each observation, for each wish."""

        async def named(context: Context) -> list[dict[str, list[RemoteFile]]]:
            mission = await _loaded(self.make(context))
            found = []
            async with open_net(context) as net:
                for one in wants:
                    want = Want(**{"instruments": tuple(mission.chosen_instruments), **one})
                    rows = {obs_id: mission.observation(obs_id) for obs_id in self.obs_ids()}
                    found.append({obs_id: await _listed(mission, row, want, net) for obs_id, row in rows.items()})
            return found

        with under(self.sky(), tmp_path) as (context, _):
            return asyncio.run(named(context))

    def test_it_names_the_same_files_twice(self, tmp_path: Path) -> None:
        """In the same order; nothing is written by naming them."""
        first, second = self._named(tmp_path, {}, {})
        assert first == second, "remote_files() names other files the second time. Remedy: sort what a listing gives."
        bare = [obs_id for obs_id, files in first.items() if not files]
        assert not bare, (
            f"remote_files() names no file of {', '.join(bare)}. Remedy: let sky() hold some, or correct it."
        )
        written = tree(tmp_path / "output")
        assert not written, f"remote_files() writes {', '.join(written)}. Remedy: the core keeps files; name them only."

    def test_its_files_stay_in_their_directory(self, tmp_path: Path) -> None:
        """Paths are relative and lead nowhere else; no two files have one path; addresses are of its services."""
        (found,) = self._named(tmp_path, {})
        assert_sound(finding for obs_id, files in found.items() for finding in self._file_findings(obs_id, files))

    def _file_findings(self, obs_id: str, files: Sequence[RemoteFile]) -> list[Finding]:
        faults = []
        seen: set[tuple[str, tuple[str, ...]]] = set()
        for one in files:
            subject = f"file {one.path or one.url} of {obs_id}"
            path = PurePosixPath(one.path)
            if path.is_absolute() or ".." in path.parts or "\\" in one.path:
                faults.append(
                    Finding(
                        "files", subject, "its path leaves the observation's directory.", 'write "events/name.fits"'
                    )
                )
            if one.obs_id != obs_id:
                faults.append(Finding("files", subject, f"it says obs_id={one.obs_id!r}.", f"write {obs_id!r}"))
            if not one.locations:
                faults.append(Finding("files", subject, "it can be had from nowhere.", "give a Location"))
            if one.unpack in ("none", "gzip", "compress") and not path.name:
                faults.append(Finding("files", subject, "its path is a directory.", "name the file as it is kept"))
            if (one.path, one.members) in seen and one.unpack in ("none", "gzip", "compress"):
                faults.append(Finding("files", subject, "another file has the same path.", "give each its own"))
            seen.add((one.path, one.members))
            for place in one.locations:
                if place.kind != "file" and not place.url.startswith("http://127.0.0.1"):
                    faults.append(
                        Finding(
                            "files",
                            subject,
                            f"{place.url} is of no service of the mission: the address is written out.",
                            'begin with net.url("SERVICE"), which users can set',
                        )
                    )
        return faults

    def test_raw_and_products_switch_as_declared(self, tmp_path: Path) -> None:
        """What is wanted of either kind comes, and nothing that is of the other kind only."""
        both, raw, products = self._named(
            tmp_path, {}, {"raw": True, "products": False}, {"raw": False, "products": True}
        )
        for obs_id in both:
            wrong = [one.path or one.url for one in raw[obs_id] if one.part_of == "products"]
            wrong += [one.path or one.url for one in products[obs_id] if one.part_of == "raw"]
            assert not wrong, (
                f"remote_files() names {', '.join(wrong)} of {obs_id} though nobody wants it."
                " Remedy: look at want.raw and want.products, or correct part_of."
            )
            parts = _keys(raw[obs_id]) | _keys(products[obs_id])
            assert parts == _keys(both[obs_id]), (
                f"What is named of {obs_id} for both wishes is not what is named for each:"
                f" {', '.join(sorted(map(str, parts ^ _keys(both[obs_id]))))}. Remedy: let the wishes add up."
            )

    def test_fewer_instruments_name_no_other_files(self, tmp_path: Path) -> None:
        """What one instrument wants is among what all want."""
        instruments = self._class(Context()).default_instruments
        everything, *each = self._named(tmp_path, {}, *({"instruments": (inst,)} for inst in instruments))
        for inst, found in zip(instruments, each, strict=True):
            for obs_id, files in found.items():
                more = {one.path for one in files} - {one.path for one in everything[obs_id]}
                assert not more, (
                    f"{inst} alone wants {', '.join(sorted(more))} of {obs_id}, and all instruments do not."
                    " Remedy: look at want.instruments alone."
                )

    def test_what_is_not_there_is_told(self, tmp_path: Path) -> None:
        """Of an observation that the archive holds nothing of, there is a NotAtArchiveError."""

        async def told(context: Context) -> list[str]:
            mission = await _loaded(self.make(context))
            silent = []
            async with open_net(context) as net:
                for obs_id in self.absent_obs_ids():
                    want = Want(instruments=tuple(mission.chosen_instruments))
                    try:
                        async for _ in mission.remote_files(mission.observation(obs_id), want, net):
                            pass
                        silent.append(obs_id)
                    except NotAtArchiveError:
                        pass
            return silent

        with under(self.sky(), tmp_path) as (context, _):
            silent = asyncio.run(told(context))
        assert not silent, f"Nothing is said of {', '.join(silent)}. Remedy: raise NotAtArchiveError(..., url=...)."

    # --- download ---------------------------------------------------------------------------------------------------

    def test_an_observation_is_downloaded_verified_and_known_again(self, tmp_path: Path) -> None:
        """Through the real machinery: fetched, unpacked, recorded, intact; the second time nothing is fetched."""

        async def downloaded(context: Context) -> tuple[Any, Any, Any, Mission]:
            mission = self.make(context)
            await mission.filter_on_obs_ids(list(self.obs_ids()))
            report = await mission.download(download_products=True, on_error="collect")
            checks = await mission.verify()
            again = await mission.download(download_products=True, on_error="collect")
            return report, checks, again, mission

        with under(self.sky(), tmp_path) as (context, _):
            report, checks, again, mission = asyncio.run(downloaded(context))
            causes = [f"{one.path or one.url}: {one.cause}" for one in report.failed]
            assert not causes, f"Not all could be fetched: {'; '.join(causes)}. Remedy: name what sky() holds."
            assert report.size > 0 and {one.obs_id for one in checks} == set(self.obs_ids())
            changed = [f"{one.path} is {one.state}" for one in checks if one.state != "intact"]
            assert not changed, f"After the download {'; '.join(changed)}. Remedy: give every file a path of its own."
            fetched = [one.path for one in again.files if one.state == "fetched"]
            assert not fetched, f"The second download fetches {', '.join(fetched)} again. Remedy: name the same files."
            outside = [path for path in tree(tmp_path / "output") if f"/{mission.name}_raw" not in path]
            assert not outside, f"The download writes {', '.join(outside)}. Remedy: leave files to the core."
            assert_sound(self._label_findings(mission))

    def _label_findings(self, mission: Mission) -> list[Finding]:
        faults = []
        for obs_id in self.obs_ids():
            paths = mission.downloaded_files(obs_id)
            row = mission.observation(obs_id)
            labels = mission.label(row, paths)
            if list(mission.label(row, list(reversed(paths)))) != list(labels):
                faults.append(
                    Finding("labels", f"label() of {obs_id}", "it depends on the order of files.", "sort them")
                )
            for one in labels:
                subject = f"label of {one.path}"
                if one.path not in paths:
                    faults.append(Finding("labels", subject, "there is no such file.", "label what is given only"))
                if one.kind not in KINDS:
                    faults.append(
                        Finding("labels", subject, f"{one.kind!r} is no kind.", f"write one of {', '.join(KINDS)}")
                    )
                if not set(one.inst.split("_")) <= set(mission.instruments):
                    faults.append(
                        Finding(
                            "labels", subject, f"{one.inst!r} is no instrument.",
                            f"write one of {', '.join(mission.instruments)}",
                        )
                    )  # fmt: skip
                if (one.subexp is None) == (mission.product_level == "exp"):
                    faults.append(
                        Finding(
                            "labels", subject,
                            f"its sub-exposure is {one.subexp!r}, and products are kept by {mission.product_level}.",
                            "give a sub-exposure where product_level is 'exp', else None",
                        )
                    )  # fmt: skip
        return faults

    def test_identifiers_lead_back_to_their_observation(self, tmp_path: Path) -> None:
        """``ident_to_obsid`` finds the ObsID in the identifiers that processes have."""
        mission = self.make(own_context(tmp_path))
        if type(mission).ident_to_obsid is Mission.ident_to_obsid:
            return  # a plugin may leave it out
        for obs_id in self.obs_ids():
            for inst in mission.instruments:
                deepest = {"obs": (), "inst": (inst,), "exp": (inst, "S001")}[mission.levels[-1]]
                ident = DataId(self.mission, obs_id, *deepest).ident
                found = mission.ident_to_obsid(ident)
                assert found == obs_id, (
                    f"ident_to_obsid({ident!r}) gives {found!r}. Remedy: take away what follows {obs_id!r}."
                )


def sorted_like(mission: Mission, obs_ids: Collection[str]) -> list[str]:
    """ObsIDs in the order of a mission's catalogue."""
    wanted = set(obs_ids)
    return [one for one in mission.filtered_obs_ids if one in wanted]


async def _loaded(mission: Mission) -> Mission:
    await mission.load()
    return mission


async def _listed(mission: Mission, row: Mapping[str, Any], want: Want, net: Any) -> list[RemoteFile]:
    """Files up to the end, or up to the point where the archive has nothing more."""
    found: list[RemoteFile] = []
    try:
        async for one in mission.remote_files(row, want, net):
            found.append(one)
    except NotAtArchiveError:
        pass
    except NetworkError as problem:
        raise AssertionError(f"remote_files() of {row['ObsID']}: {problem} Remedy: let sky() hold it.") from problem
    return found


def _keys(files: Sequence[RemoteFile]) -> set[tuple[str, str]]:
    return {(one.path, one.url) for one in files}
