"""The ``process`` decorator: one declaration makes the step, its edges, its parameters and its products."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from attrs import Factory, define, evolve, field, frozen

from daxa.exceptions import InvalidParameterError, ParameterTypeError, PluginError
from daxa.ids import DataId, check_component
from daxa.sizes import size_in_bytes
from daxa.specs import Child, words

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from daxa.process.job import Call, Command, Job


class WrongTypeError(ParameterTypeError, InvalidParameterError):
    """A parameter of a process has a value of another type than declared."""


ProcessLevel = Literal["obs", "inst", "exp", "product"]


@frozen(kw_only=True)
class Product:
    """A file a process leaves in the archive.

    Parameters
    ----------
    path : str
        Template below the observation's directory. ``{name}`` is ``obsid<O>-inst<I>-subexp<SE>``, ``{variant}`` the
        variant, ``{obs_id}``, ``{inst}`` and ``{subexp}`` the parts of the data id; a process may name more, see
        :meth:`Process.naming`.
    kind : str
        What it is: ``events``, ``image``, ``lightcurve``, ``gti``, ``quicklook`` ...; by default its key.
    optional : bool
        Whether the task may succeed without it.
    instruments : tuple of str
        Of which instruments it is made; empty for all.
    """

    path: str
    kind: str = ""
    optional: bool = False
    instruments: tuple[str, ...] = field(default=(), converter=words)

    def is_made_of(self, inst: str | None) -> bool:
        """Whether a task of an instrument makes it."""
        return not self.instruments or inst in self.instruments


@frozen(kw_only=True)
class Need:
    """One edge of the graph, as declared.

    Parameters
    ----------
    process : str
        What is needed.
    instruments : tuple of str
        For which instruments; empty for all.
    mode : {"all", "any"}
        Whether every task that is needed must succeed, or one is enough.
    optional : bool
        Whether the work goes on without it.
    when : str
        Name of a parameter of the process that has the need: it is needed only where that is true. Empty for always.
    """

    process: str
    instruments: tuple[str, ...] = field(default=(), converter=words)
    mode: Literal["all", "any"] = "all"
    optional: bool = False
    when: str = ""


def _name_of(process: Any) -> str:
    return process.name if isinstance(process, Process) else str(process)


def _needs(declared: Any, *, optional: bool = False) -> tuple[Need, ...]:
    """Read ``[a, "b", Need(...)]`` or ``{"PN": a, "M1 M2": b}``."""
    if declared is None:
        return ()
    if isinstance(declared, str | Process | Need):
        declared = [declared]
    if isinstance(declared, Mapping):
        pairs: Iterable[tuple[tuple[str, ...], Any]] = ((tuple(insts.split()), one) for insts, one in declared.items())
    else:
        pairs = (((), one) for one in declared)
    return tuple(
        one if isinstance(one, Need) else Need(process=_name_of(one), instruments=insts, optional=optional)
        for insts, one in pairs
    )


class _Signature:
    """What a process is called with: an archive, its own parameters, and the options of every run."""

    def __get__(self, process: Process | None, owner: type) -> inspect.Signature:
        if process is None:  # the class itself has the usual one
            raise AttributeError("__signature__")
        own = list(inspect.signature(process.body).parameters.values())[1:]
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature(
            [
                inspect.Parameter("archive", inspect.Parameter.POSITIONAL_OR_KEYWORD),
                *(one.replace(kind=keyword) for one in own),
                inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD),
            ]
        )


@define(eq=False)
class Process:
    """A step of reduction. ``await step(archive, **parameters)`` runs it.

    Made by the :func:`process` decorator; not by hand.
    """

    name: str
    body: Callable[..., Command | Call]
    level: ProcessLevel
    instruments: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    tools: tuple[str, ...] = ()
    produces: Mapping[str, Product] = Factory(dict)
    missions: tuple[str, ...] = ()
    message: str = ""
    version: str = "1"
    cpu: int = 1
    memory: float = 0.0
    scratch: float = 0.0
    keep: Mapping[str, str] = Factory(dict)
    listed: bool = True
    own: tuple[str, ...] = ()
    final: bool = False
    _applies: Callable[..., bool | str] | None = field(default=None, alias="applies_with")
    _variants: Callable[..., Sequence[str]] | None = field(default=None, alias="variants_with")
    _assess: Callable[..., Any] | None = field(default=None, alias="assess_with")
    _reveal: Callable[..., Sequence[Child]] | None = field(default=None, alias="reveal_with")
    _check: Callable[..., Mapping[str, Any]] | None = field(default=None, alias="check_with")
    _naming: Callable[..., Mapping[str, str]] | None = field(default=None, alias="naming_with")

    __signature__ = _Signature()

    @property
    def module(self) -> str:
        """Module that declares the process."""
        return self.body.__module__

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.body.__doc__

    @property
    def reveals(self) -> bool:
        """Whether the process brings new data ids to light."""
        return self._reveal is not None

    @property
    def resources(self) -> dict[str, float]:
        """What a task holds while it runs: cores, and bytes of memory and of scratch space."""
        return {"cpu": float(self.cpu), "memory": self.memory, "scratch": self.scratch}

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters with their defaults."""
        signature = inspect.signature(self.body)
        return {
            name: parameter.default
            for name, parameter in list(signature.parameters.items())[1:]
            if parameter.default is not inspect.Parameter.empty
        }

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Complete and check parameters.

        Parameters
        ----------
        given : Mapping
            Values that differ from the defaults.

        Raises
        ------
        InvalidParameterError
            If the process has no such parameter, or the value's type is not that of the declaration.
        """
        known = self.parameters
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise InvalidParameterError(
                f"{self.name} has no parameter {', '.join(map(repr, unknown))}.",
                expected=f"parameters among {', '.join(known) or 'none'}",
                remedy="correct the call",
                value=unknown,
            )
        bound = {**known, **given}
        hints = typing.get_type_hints(self.body)
        for name, value in given.items():
            hint = hints.get(name)
            if hint in (bool, int, float, str) and not _fits(value, hint):
                raise WrongTypeError(
                    f"{self.name}: {name} is {value!r}.",
                    expected=f"a value of type {hint.__name__}",
                    remedy="correct the call",
                    value=value,
                )
        return bound if self._check is None else {**bound, **self._check(dict(bound))}

    def needs_with(self, params: Mapping[str, Any]) -> tuple[Need, ...]:
        """What is needed with some parameters, which may be incomplete."""
        known = {**self.parameters, **params}
        return tuple(need for need in self.needs if not need.when or known.get(need.when))

    # --- the parts a declaration may add ---------------------------------------------------------------------------

    def applies(self, function: Callable[..., bool | str]) -> Callable[..., bool | str]:
        """Decorate ``function(exposure, params)``: True if the data id gets a task, else the reason why not."""
        self._applies = function
        return function

    def variants(self, function: Callable[..., Sequence[str]]) -> Callable[..., Sequence[str]]:
        """Decorate ``function(data_id, params)``: names of the variants, such as energy bands."""
        self._variants = function
        return function

    def assess(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate ``function(stdout, stderr)``: the messages of the tool, as ``(errors, warnings)``."""
        self._assess = function
        return function

    def reveal(self, function: Callable[..., Sequence[Child]]) -> Callable[..., Sequence[Child]]:
        """Decorate ``function(job)``: the children found in the summary, as a sequence of Child."""
        self._reveal = function
        return function

    def check(self, function: Callable[..., Mapping[str, Any]]) -> Callable[..., Mapping[str, Any]]:
        """Decorate ``function(params)``: it raises for values that cannot be, and returns those to be used instead.

        It is asked before anything is run, with all parameters, and again with what it returned.
        """
        self._check = function
        return function

    def naming(self, function: Callable[..., Mapping[str, str]]) -> Callable[..., Mapping[str, str]]:
        """Decorate ``function(job, params)``: more words for the templates of products, by name."""
        self._naming = function
        return function

    def names_of(self, job: Job, params: Mapping[str, Any]) -> dict[str, str]:
        """Ask for the words of product templates beyond the usual ones."""
        return {} if self._naming is None else dict(self._naming(job, params))

    def applies_to(self, exposure: Any, params: Any) -> bool | str:
        """Ask whether a data id gets a task."""
        return True if self._applies is None else self._applies(exposure, params)

    def variants_of(self, data_id: DataId, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Ask for the variants; one without a name if the process has none."""
        return ("",) if self._variants is None else tuple(self._variants(data_id, params))

    def messages(self, stdout: str, stderr: str) -> tuple[list[str], list[dict[str, str]]]:
        """Read the tool's messages: errors, and warnings."""
        if self._assess is None:
            return [], []
        errors, warnings = self._assess(stdout, stderr)
        return list(errors), list(warnings)

    def children(self, job: Job) -> tuple[Child, ...]:
        """Read the children a summary reveals."""
        assert self._reveal is not None
        return tuple(self._reveal(job))

    def command(self, job: Job, params: Mapping[str, Any]) -> Command | Call:
        """Ask the body what to run."""
        return self.body(job, **params)

    def __call__(self, archive: Any, **params: Any) -> Awaitable[Any]:
        """Run the process, and what it needs, on an archive: ``archive.run(process, **params)``."""
        return archive.run(self, **params)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<process {self.name}>"


def _fits(value: Any, hint: type) -> bool:
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, int | float) if hint is float else isinstance(value, hint)


def process(
    *,
    level: ProcessLevel,
    instruments: Iterable[str] | str = (),
    needs: Any = (),
    optional: Any = (),
    tools: Iterable[str] = (),
    produces: Mapping[str, str | Product] | None = None,
    missions: Iterable[str] = (),
    name: str | None = None,
    message: str = "",
    version: str = "1",
    cpu: int = 1,
    memory: str | float = 0,
    scratch: str | float = 0,
    keep: Mapping[str, str] | None = None,
    listed: bool = True,
    own: Iterable[str] = (),
    final: bool = False,
) -> Callable[[Callable[..., Any]], Process]:
    """Declare a step of reduction.

    The decorated function is a pure function of its job: called twice it returns the same
    :class:`~daxa.process.job.Command` or :class:`~daxa.process.job.Call`, and touches nothing. Its keyword parameters
    are the parameters of the process; their defaults are recorded with every task.

    Parameters
    ----------
    level : {"obs", "inst", "exp", "product"}
        What one task works on; ``product`` is the level at which the mission's downloaded products are kept.
    instruments : iterable of str
        Instruments it is for; empty for all.
    needs : sequence or mapping
        Processes, their names, or :class:`Need` records; or a mapping of instruments (``"M1 M2"``) to one of them.
    optional : sequence or mapping
        Needs without which the work goes on.
    tools : iterable of str
        Names of the external software.
    produces : mapping
        Product key to path template, or to :class:`Product`.
    missions : iterable of str
        Missions it is for; empty for those of its module.
    name : str, optional
        By default the function's name.
    message : str
        What the progress line says.
    version : str
        Raised when the same inputs give other products.
    cpu : int
        Cores a task keeps busy.
    memory, scratch : str or float
        Memory, and space in its scratch directory, that a task needs, e.g. ``"2 GB"``; a bare number counts bytes. As
        many tasks run side by side as there is memory and disk space for.
    keep : mapping, optional
        Product key to how long an intermediate product is of use, e.g. ``"until:cleaned_rgs_event_lists"``. It is told
        and checked; nothing is removed yet.
    listed : bool
        Whether it stands in ``process_success`` and its like; :meth:`Archive.tasks` tells of all processes.
    own : iterable of str
        Parameters that are this process's alone: what it needs may have some of the same name and another meaning.
    final : bool
        Whether it is the last that is needed of an observation: one for which it succeeds nowhere has failed.
    """

    def declare(body: Callable[..., Any]) -> Process:
        if inspect.iscoroutinefunction(body):
            raise PluginError(
                f"{body.__qualname__} is a coroutine function.",
                expected="a plain function that returns what to run",
                remedy="correct the plugin",
            )
        products = {
            key: value
            if isinstance(value, Product) and value.kind
            else evolve(value, kind=key)
            if isinstance(value, Product)
            else Product(path=value, kind=key)
            for key, value in (produces or {}).items()
        }
        return Process(
            name=check_component(name or body.__name__, "a process's name"),
            body=body,
            level=level,
            instruments=tuple(instruments.split()) if isinstance(instruments, str) else tuple(instruments),
            needs=_needs(needs) + _needs(optional, optional=True),
            tools=tuple(tools),
            produces=products,
            missions=tuple(missions),
            message=message or (name or body.__name__).replace("_", " ").capitalize(),
            version=version,
            cpu=cpu,
            memory=size_in_bytes(memory, f"The memory of {body.__qualname__}"),
            scratch=size_in_bytes(scratch, f"The scratch space of {body.__qualname__}"),
            keep=dict(keep or {}),
            listed=listed,
            own=tuple(own),
            final=final,
        )

    return declare
