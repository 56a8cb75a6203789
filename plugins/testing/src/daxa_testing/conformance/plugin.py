"""What holds for a distribution that is a plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daxa.context import Context
from daxa.contract import Finding, Inspection
from daxa.contract.entry import MOST_SECONDS, USUAL_SECONDS
from daxa.contract.inspection import canonical, entry_modules
from daxa_testing.conformance.base import assert_sound, inspected, missing
from daxa_testing.conformance.watching import watched

HOOKS = (
    "daxa_register_missions",
    "daxa_register_processes",
    "daxa_register_services",
    "daxa_register_tools",
    "daxa_register_executors",
    "daxa_register_recipes",
    "daxa_subscribers",
)


class PluginConformance:
    """Checks of an installed distribution: its entry module, its hooks, and all that they name.

    Attributes
    ----------
    distribution : str
        Name of the distribution, e.g. ``"daxa-sample"``. It must be installed; ``pip install -e .`` does.
    """

    distribution: str = ""

    def _inspected(self) -> Inspection:
        if not self.distribution:
            raise missing(self, "which distribution it looks at", 'distribution = "daxa-sample"')
        return inspected(self.distribution)

    def _found(self, *checks: str) -> list[Finding]:
        return [one for one in self._inspected().findings if one.check in checks]

    def test_it_is_found_by_its_entry_point(self) -> None:
        """The distribution is installed, and has an entry point of the group daxa.plugins."""
        assert self._inspected().distribution

    def test_its_entry_module_can_be_imported(self) -> None:
        """In a process of its own, where nothing else has been imported."""
        assert_sound(self._found("entry-import"))

    def test_its_entry_module_imports_quickly(self, record_property: Callable[[str, object], None]) -> None:
        """Within a generous bound of processor time; the figure is recorded beside the one that is usual."""
        for module, seconds in self._inspected().seconds.items():
            record_property(f"import of {module}, ms", round(seconds * 1000, 2))
        record_property("usual at the most, ms", USUAL_SECONDS * 1000)
        record_property("allowed, ms", MOST_SECONDS * 1000)
        assert_sound(self._found("entry-time"))

    def test_nothing_heavy_is_imported(self) -> None:
        """Neither with the entry module, nor with the class of a mission, nor with declared processes."""
        assert_sound(self._found("light-import"))

    def test_its_hooks_are_known_and_synchronous(self) -> None:
        """Every function marked with hookimpl has the name and the arguments of a hook, and is no coroutine."""
        assert_sound(self._found("hooks"))

    def test_it_says_who_it_is(self) -> None:
        """The number of the contract it was written for, and where its users find help."""
        assert_sound(self._found("plugin-info"))

    def test_its_hooks_answer_alike_and_touch_nothing(self) -> None:
        """Called twice, a hook gives the same records; it writes, starts and asks nothing."""
        plugins = Context().plugins
        wanted = canonical(self.distribution)
        for hook in HOOKS:
            answers: list[list[Any]] = []
            for _ in range(2):
                with watched() as heard:
                    answers.append([one for owner, one in plugins.each(hook) if canonical(owner) == wanted])
                problem = f"{hook} {'; '.join(heard)}."
                assert not heard, f"{problem} Remedy: hooks return plain data; do this on first use."
            assert answers[0] == answers[1], f"{hook} gives something else every time. Remedy: return constants."

    def test_its_names_are_the_fields(self) -> None:
        """Lower-case words joined by underscores, that say what a thing is."""
        assert_sound(self._found("name"))

    def test_nothing_it_claims_is_taken(self) -> None:
        """Everything it registers is in force, beside the other plugins that are installed here."""
        assert_sound(self._found("load"))
        errors = [one.error for one in Context().plugins.records if one.distribution == self._inspected().distribution]
        assert not any(errors), f"`daxa plugins` reports: {'; '.join(filter(None, errors))}"

    def test_its_services_are_described(self) -> None:
        """Address, limits of politeness, title."""
        assert_sound(self._found("service"))

    def test_its_tools_executors_and_recipes_are_described(self) -> None:
        """How software is found and asked its version, and what to do when it is missing; whether chains exist."""
        assert_sound(self._found("tool", "executor", "recipe"))

    def test_its_commands_say_what_they_do(self) -> None:
        """Each has a help text, and a name that the program has not."""
        assert_sound(self._found("command"))

    def test_all_else_is_sound(self) -> None:
        """Whatever `daxa plugins check` finds: declarations of missions, and of processes."""
        assert_sound(self._inspected().findings)

    def test_its_entry_points_name_modules(self) -> None:
        """At least one, each of the distribution's own."""
        assert entry_modules(self._inspected().distribution)
