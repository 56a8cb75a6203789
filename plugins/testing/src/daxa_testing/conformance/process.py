"""What holds for processes: declarations, bodies that touch nothing, products that do not collide."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from daxa.archive import layout
from daxa.archive.parameters import restored
from daxa.archive.plan import Parameters
from daxa.context import Context
from daxa.contract import Finding
from daxa.contract.documented import check_docstring
from daxa.contract.entry import check_light, import_cost
from daxa.contract.inspection import processes_in, surroundings
from daxa.contract.processes import Surroundings, check_graph, check_process
from daxa.environments import python_environment, task_environment
from daxa.exceptions import InvalidParameterError
from daxa.ids import LEVELS, DataId, check_component
from daxa.process import Call, Command, Job, Process
from daxa.schedule.fingerprint import plain
from daxa.specs import Child, load_target
from daxa_testing.conformance.base import assert_sound, missing
from daxa_testing.conformance.jobs import Laid, exposure
from daxa_testing.conformance.watching import tree, watched

_WRONG: Mapping[type, Any] = {bool: "yes", int: "many", float: "much", str: 3.5}
_OWN = ("HOME", "TMPDIR", "PFILES")


class ProcessConformance:
    """Checks of the processes of a module, on data ids of a mission. No program is run.

    Attributes
    ----------
    mission : str
        Mission whose data the processes work on; for processes that serve any, one that is installed.
    module : str
        Module of the processes; by default that of the mission's own.
    """

    mission: str = ""
    module: str = ""

    # --- what an author says ----------------------------------------------------------------------------------------

    def data_ids(self) -> Sequence[DataId]:
        """Return the deepest data ids of an observation or two; several, so that products can be told apart."""
        raise missing(self, "on which data the processes work", 'def data_ids(self): return [DataId("m", "1", "WIDE")]')

    def info(self, data_id: DataId) -> Mapping[str, Any]:
        """Return what the summary says of a data id; nothing by default."""
        return {}

    def job(self, job: Job) -> Job:
        """Return the job a body is called with; by default as it is. Products of what is needed are stand-ins."""
        return job

    def summary(self, process: Process, data_id: DataId, tmp_path: Path) -> Mapping[str, Path]:
        """Return the products of a process that reveals data ids, by product key, for its reader to read."""
        raise missing(
            self,
            f"what summary {process.name} leaves",
            "def summary(self, process, data_id, tmp_path): write one, return {'key': its path}",
        )

    # --- what is looked at ------------------------------------------------------------------------------------------

    def _around(self) -> Surroundings:
        if not self.mission:
            raise missing(self, "whose data it works on", 'mission = "sample"')
        registry = Context().registry
        return surroundings(registry, registry.mission_class(self.mission), registry.processes(self.mission))

    def _module(self) -> str:
        found = self.module or Context().registry.mission_entry(self.mission).processes
        if not found:
            raise missing(self, "where the processes are", 'module = "daxa_sample.processes"')
        return found

    def processes(self) -> list[Process]:
        """Return the processes that are looked at: all of the module."""
        found, faults = processes_in(self._module())
        assert_sound(faults)
        return list(found.values())

    def _laid(self, tmp_path: Path) -> Laid:
        return Laid(tmp_path, self._around(), tuple(self.data_ids()))

    def _tasks(self, laid: Laid) -> Iterator[tuple[Process, DataId, str]]:
        for process in self.processes():
            for data_id in laid.at_level_of(process.name):
                for variant in process.variants_of(data_id, process.parameters):
                    yield process, data_id, variant

    def _jobs(self, laid: Laid, name: str = "one") -> list[tuple[Process, Job]]:
        return [
            (process, self.job(laid.job(process, data_id, variant, self.info(data_id), name)))
            for process, data_id, variant in self._tasks(laid)
        ]

    # --- declarations -----------------------------------------------------------------------------------------------

    def test_they_are_declared_as_they_should(self) -> None:
        """Names, levels, instruments, needs, parameters, products, tools."""
        around = self._around()
        found = [one for process in self.processes() for one in check_process(process, around)]
        assert_sound(one for one in found if one.check != "docstring")

    def test_they_say_what_they_do(self) -> None:
        """A docstring that names every parameter, in what numbers are measured, and the reference."""
        assert_sound(one for process in self.processes() for one in check_docstring(process, f"process {process.name}"))

    def test_there_is_an_order_in_which_all_can_run(self) -> None:
        """Needs are known and go in no circle; one process of a level reveals."""
        assert_sound(check_graph(self._around()))

    def test_declaring_them_imports_nothing_heavy(self) -> None:
        """What a body runs is named as text, and imported by whoever runs it."""
        module = self._module()
        assert_sound(check_light(f"module {module}", import_cost(module, attempts=1)))

    def test_their_parameters_pass_through_json_and_are_checked(self) -> None:
        """Defaults come back unchanged; an unknown name and a value of another type are refused."""
        faults = []
        for process in self.processes():
            subject = f"process {process.name}"
            bound = plain(process.bind(process.parameters))
            again = process.bind(restored(json.loads(json.dumps(bound))))
            if plain(again) != bound:
                faults.append(Finding("parameters", subject, "they change in JSON.", "use plain values as defaults"))
            hints = inspect.get_annotations(process.body, eval_str=True)
            wrong = {name: _WRONG[hints[name]] for name in bound if hints.get(name) in _WRONG}
            for name, value in {**wrong, "no_such_parameter": 1}.items():
                try:
                    process.bind({name: value})
                except InvalidParameterError:
                    continue
                faults.append(Finding("parameters", subject, f"it takes {name}={value!r}.", "annotate the parameter"))
        assert_sound(faults)

    # --- which tasks there are --------------------------------------------------------------------------------------

    def test_whether_they_apply_is_decided_by_the_data_id(self, tmp_path: Path) -> None:
        """True, False or a reason, the same whenever it is asked."""
        laid, faults = self._laid(tmp_path), []
        for process in self.processes():
            params = Parameters(process.parameters)
            for data_id in laid.at_level_of(process.name):
                subject = f"process {process.name}"
                with watched() as heard:
                    answers = [process.applies_to(exposure(data_id, self.info(data_id)), params) for _ in range(2)]
                if heard:
                    faults.append(Finding("applies", subject, f"asking it {heard[0]}.", "look at the exposure only"))
                if answers[0] != answers[1]:
                    faults.append(Finding("applies", subject, "it answers otherwise every time.", "use what is given"))
                if not isinstance(answers[0], bool) and not str(answers[0] or "").strip():
                    faults.append(
                        Finding(
                            "applies", subject, f"it answers {answers[0]!r} for {data_id}.",
                            "return True, or the reason why there is nothing to do, as a text",
                        )
                    )  # fmt: skip
        assert_sound(faults)

    def test_their_variants_are_names(self, tmp_path: Path) -> None:
        """Each once, in the same order every time, and each can stand in a path."""
        laid, faults = self._laid(tmp_path), []
        for process in self.processes():
            for data_id in laid.at_level_of(process.name):
                subject = f"process {process.name}"
                first, second = (process.variants_of(data_id, process.parameters) for _ in range(2))
                if first != second:
                    faults.append(Finding("variants", subject, "they differ every time.", "sort them"))
                if len(set(first)) < len(first) or not first:
                    faults.append(Finding("variants", subject, f"they are {first!r}.", "name at least one, each once"))
                for one in first:
                    try:
                        check_component(one, "a variant") if one else None
                    except ValueError as problem:
                        faults.append(Finding("variants", subject, str(problem), "use letters, digits, _ . + -"))
        assert_sound(faults)

    def test_no_two_tasks_leave_a_product_at_one_path(self, tmp_path: Path) -> None:
        """Every product lies in its observation's directory, and at a path of its own."""
        laid, faults = self._laid(tmp_path), []
        owners: dict[str, str] = {}
        for process, data_id, variant in self._tasks(laid):
            task = f"{process.name} of {data_id}{f' [{variant}]' if variant else ''}"
            words = laid.words(process, data_id, variant)
            for key, product in process.produces.items():
                if not product.is_made_of(data_id.inst):
                    continue
                path = layout.product(data_id, product.path, variant, words)
                if ".." in path.parts or not path.is_relative_to(layout.observation(data_id)):
                    faults.append(
                        Finding("products", task, f"{key} would lie at {path}.", "write a path below the observation")
                    )
                if str(path) in owners:
                    faults.append(
                        Finding(
                            "products", task, f"{key} and {owners[str(path)]} would lie at {path}.",
                            "write {name}, {variant} and a word for the product in the path",
                        )
                    )  # fmt: skip
                owners[str(path)] = f"{key} of {task}"
        assert owners or not any(process.produces for process in self.processes()), (
            "data_ids() has none of the processes' level and instruments. Remedy: return deeper ones."
        )
        assert_sound(faults)

    # --- bodies -----------------------------------------------------------------------------------------------------

    def test_their_bodies_are_pure(self, tmp_path: Path) -> None:
        """Called twice, a body says the same; it writes nothing, starts nothing, asks no network."""
        laid, faults = self._laid(tmp_path), []
        for process, job in self._jobs(laid):
            subject = f"process {process.name}"
            before = tree(tmp_path)
            with watched() as heard:
                first, second = (_said(process, job) for _ in range(2))
            if first != second:
                faults.append(
                    Finding("pure", subject, "its body says something else the second time.", "use the job alone")
                )
            for one in dict.fromkeys(heard):
                faults.append(Finding("pure", subject, f"its body {one}.", "return a Command or Call that does it"))
            if tree(tmp_path) != before and not heard:
                faults.append(Finding("pure", subject, "its body changes files.", "return a Command that does it"))
            if not isinstance(first, Command | Call):
                faults.append(Finding("pure", subject, f"its body returns {first!r}.", "return a Command or a Call"))
        assert_sound(faults)

    def test_what_they_run_makes_what_they_declare(self, tmp_path: Path) -> None:
        """Argument lists without a shell; every product is named to the program, or collected; calls can be made."""
        laid, faults = self._laid(tmp_path), []
        for process, job in self._jobs(laid):
            wanted = process.command(job, process.parameters)
            if isinstance(wanted, Command):
                faults += self._command_findings(process, job, wanted)
            elif isinstance(wanted, Call):
                faults += self._call_findings(process, job, wanted)
        assert_sound(faults)

    @staticmethod
    def _command_findings(process: Process, job: Job, wanted: Command) -> list[Finding]:
        subject, faults = f"process {process.name}", []
        for step in wanted.steps:
            if Path(step[0]).name in ("sh", "bash", "zsh", "csh", "tcsh") and "-c" in step:
                faults.append(Finding("command", subject, "it hands text to a shell.", "write separate arguments"))
        said = "\n".join([*(word for step in wanted.steps for word in step), *wanted.env.values()])
        for key in job.outputs:
            product = process.produces[key]
            named = job.outputs[key].name in said or key in wanted.collect
            if not named and not product.optional:
                faults.append(
                    Finding(
                        "command", subject, f"nothing tells the program where to leave {key}.",
                        f"pass job.output({key!r}), or collect={{{key!r}: 'pattern'}}, or declare it optional",
                    )
                )  # fmt: skip
        for key in wanted.collect:
            if key not in process.produces:
                faults.append(Finding("command", subject, f"it collects {key!r}.", "declare it in produces="))
        return faults

    @staticmethod
    def _call_findings(process: Process, job: Job, wanted: Call) -> list[Finding]:
        subject, faults = f"process {process.name}", []
        try:
            inspect.signature(load_target(wanted.target)).bind(**wanted.arguments)
        except Exception as problem:  # noqa: BLE001 - a plugin's fault is a finding
            faults.append(Finding("call", subject, f"{wanted.target} cannot be called: {problem}.", "correct the Call"))
        try:
            text = json.dumps(wanted.arguments, default=_path)
        except (TypeError, ValueError) as problem:
            return [
                *faults,
                Finding("call", subject, f"its arguments: {problem}.", "pass paths, numbers, texts, lists"),
            ]
        for key in job.outputs:
            product = process.produces[key]
            if job.outputs[key].name not in text and not product.optional:
                faults.append(
                    Finding("call", subject, f"nothing says where to leave {key}.", f"pass job.output({key!r})")
                )
        return faults

    def test_tasks_side_by_side_share_nothing(self, tmp_path: Path) -> None:
        """Scratch, HOME, TMPDIR and PFILES of a task are its own; no task names the scratch of another."""
        laid, faults = self._laid(tmp_path), []
        ones, others = self._jobs(laid, "one"), self._jobs(laid, "two")
        for (process, one), (_, other) in zip(ones, others, strict=True):
            subject = f"process {process.name}"
            wanted = process.command(one, process.parameters)
            text = str(wanted)
            if str(other.scratch) in text:
                faults.append(Finding("apart", subject, "it names another task's scratch.", "use the job's own paths"))
            if str(laid.raw) in "".join(str(path) for path in one.outputs.values()):
                faults.append(Finding("apart", subject, "it would write raw data.", "leave products in the scratch"))
            if not isinstance(wanted, Command):
                made = [python_environment(job.scratch) for job in (one, other)]
            else:
                made = [task_environment((), job.scratch, extra=wanted.env) for job in (one, other)]
                for name in sorted({"PATH", *_OWN} & set(wanted.env)):
                    faults.append(
                        Finding(
                            "apart", subject, f"it sets {name}, which is the task's own.",
                            "leave it out; scratch directories and search paths are made for each task",
                        )
                    )  # fmt: skip
            for name in _OWN:
                if name in made[0] and made[0][name] == made[1][name]:
                    faults.append(Finding("apart", subject, f"two tasks have one {name}.", f"do not set {name}"))
        assert_sound(faults)

    # --- what comes of them -----------------------------------------------------------------------------------------

    def test_what_they_reveal_is_within_levels(self, tmp_path: Path) -> None:
        """A summary gives the same children twice, each of the level below, with names that can stand in paths."""
        laid, faults = self._laid(tmp_path), []
        for process, job in self._jobs(laid):
            if not process.reveals:
                continue
            made = self.summary(process, job.data_id, tmp_path)
            read = Job(**{**_fields(job), "outputs": dict(made)})
            with watched() as heard:
                first, second = (process.children(read) for _ in range(2))
            subject = f"process {process.name}"
            if heard:
                faults.append(Finding("reveal", subject, f"its reader {heard[0]}.", "read the summary only"))
            if first != second:
                faults.append(Finding("reveal", subject, "it reveals others the second time.", "sort the children"))
            if not first:
                faults.append(Finding("reveal", subject, "it reveals nothing.", "let summary() hold an instrument"))
            faults += _child_findings(subject, first, job.data_id, laid.around)
        assert_sound(faults)

    def test_their_messages_can_be_read(self) -> None:
        """``assess`` takes a log that says nothing, and answers alike twice: errors as texts, warnings as mappings."""
        for process in self.processes():
            first, second = (process.messages("", "") for _ in range(2))
            problem = f"assess of {process.name} answers {first!r} to an empty log. Remedy: return (errors, warnings)."
            assert first == second and not first[0], problem
            errors, warnings = process.messages("no words of the tool's\n" * 3, "\x00 nor these\n")
            assert all(isinstance(one, str) for one in errors) and all(isinstance(one, dict) for one in warnings), (
                problem
            )


def _child_findings(subject: str, children: Sequence[Child], above: DataId, around: Surroundings) -> list[Finding]:
    faults = []
    level = LEVELS[above.depth + 1] if above.depth + 1 < len(LEVELS) else ""
    if children and level not in around.levels:
        faults.append(
            Finding("reveal", subject, f"{above} has no level below it.", f"levels are {', '.join(around.levels)}")
        )
        return faults
    names = [one.name for one in children]
    if len(set(names)) < len(names):
        faults.append(Finding("reveal", subject, f"children of {above} share a name: {names}.", "name each once"))
    for one in children:
        try:
            below = above.child(one.name)
        except ValueError as problem:
            faults.append(Finding("reveal", subject, str(problem), "use letters and digits"))
            continue
        if level == "inst" and around.instruments and one.name not in around.instruments:
            faults.append(
                Finding(
                    "reveal", subject, f"{one.name!r} is no instrument of {around.mission}.",
                    f"write some of {', '.join(around.instruments)}",
                )
            )  # fmt: skip
        if not one.usable and not one.reason:
            faults.append(Finding("reveal", subject, f"{below} is of no use, and nobody knows why.", "give a reason"))
        try:
            json.dumps(dict(one.info))
        except (TypeError, ValueError) as problem:
            faults.append(Finding("reveal", subject, f"info of {below}: {problem}.", "use plain data"))
        faults += _child_findings(subject, one.children, below, around)
    return faults


def _said(process: Process, job: Job) -> Any:
    """What a body answers: whatever its author made it return."""
    return process.command(job, process.parameters)


def _fields(job: Job) -> dict[str, Any]:
    import attrs

    return {one.name: getattr(job, one.name) for one in attrs.fields(Job)}


def _path(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} is not plain data")
