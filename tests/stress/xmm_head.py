"""A head that reduces XMM-Newton observations: ``python -m tests.stress.xmm_head OUTPUT``. Run again, it goes on."""

import asyncio
import json
import sys

from tests.stress import marks


async def reduce() -> str:
    """Declare the archive, run the chain, and say how it went."""
    from daxa.archive import Archive
    from daxa.mission import XMMPointed

    mission = XMMPointed()
    await mission.load()
    await mission.filter_on_obs_ids(list(mission.all_obs_info["ObsID"]))
    archive = await Archive("stress", mission)
    try:
        return str(await archive.run("merge_subexposures", disable_progress=True, num_cores=4))
    finally:
        await archive.close()


def main() -> None:
    marks.install()
    from daxa.exceptions import DaxaError

    try:
        print(asyncio.run(reduce()))
    except DaxaError as problem:
        print(json.dumps({"type": type(problem).__name__, "message": str(problem)}), file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
