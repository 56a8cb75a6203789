"""A head of the stress mission: ``python -m tests.stress.head OUTPUT [JSON]``. Declared again, its archive goes on.

The JSON holds parameters of the run, and ``cores``; ``hold``, whether to sit on the archive's lease for good; ``room``,
by how many bytes the record may grow; ``refuse``, arguments of :func:`tests.stress.refusing.refuse`.
"""

import asyncio
import json
import sys
from pathlib import Path

from tests.stress import marks
from tests.stress.refusing import limit_files, refuse


def context_of(output: Path):
    """A context that knows the stress mission only."""
    from daxa.context import Context
    from daxa.plugins import Plugins
    from tests.stress import plugin

    plugins = Plugins()
    plugins.register(plugin, "stress")
    return Context(plugins=plugins, output=str(output / "output"), cache=str(output / "cache"))


async def reduce(output: Path, options: dict) -> str:
    """Declare the archive, run everything, and say how it went."""
    from daxa.archive import Archive
    from daxa.context import use_context
    from tests.stress.mission import Stress

    cores = options.pop("cores", 4)
    hold = options.pop("hold", False)
    room, refused = options.pop("room", None), options.pop("refuse", None)
    with use_context(context_of(output)):
        mission = Stress()
        await mission.load()
        await mission.filter_on_obs_ids(list(mission.all_obs_info["ObsID"]))
        archive = await Archive("stress", mission)
        if room is not None:
            files = (output / "output/archives/stress/.save_info").glob("archive.sqlite*")
            limit_files(max(path.stat().st_size for path in files) + room)
        if refused is not None:
            refuse(**refused)
        if hold:
            async with archive._writing():
                print("holds", flush=True)
                await asyncio.sleep(3600)
        try:
            return str(await archive.run("gather", disable_progress=True, num_cores=cores, **options))
        finally:
            await archive.close()


def main() -> None:
    marks.install()
    from daxa.exceptions import DaxaError

    try:
        print(asyncio.run(reduce(Path(sys.argv[1]), json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})))
    except DaxaError as problem:
        print(
            json.dumps({"type": type(problem).__name__, "code": problem.code, "message": str(problem)}), file=sys.stderr
        )
        sys.exit(3)


if __name__ == "__main__":
    main()
