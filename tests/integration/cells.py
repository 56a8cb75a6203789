"""A notebook's cells, one after the other in one namespace, with ``await`` at the top level."""

import ast
import inspect
from typing import Any


class Notebook:
    """What a notebook's kernel does with its cells.

    Parameters
    ----------
    **names
        What the namespace holds from the start.
    """

    def __init__(self, **names: Any) -> None:
        self.names = names

    async def cell(self, source: str) -> Any:
        """Run a cell; returns the value of its last line, if that is an expression."""
        tree = ast.parse(inspect.cleandoc(source))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        await self._run(tree, "exec")
        return None if last is None else await self._run(ast.Expression(last.value), "eval")

    async def _run(self, tree: ast.Module | ast.Expression, mode: str) -> Any:
        code = compile(tree, "<cell>", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        made = eval(code, self.names)
        return await made if code.co_flags & inspect.CO_COROUTINE else made
