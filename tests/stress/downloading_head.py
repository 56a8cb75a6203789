"""Downloads everything of four missions at once: ``python -m tests.stress.downloading_head``.

The environment says which sky is seen and where files go; what became of it is printed as JSON.
"""

import asyncio
import json
import resource
from collections import Counter

CLASSES = ("XMMPointed", "Chandra", "NuSTARPointed", "ROSATPointed")


async def download_all() -> dict:
    """Download four missions side by side, and count what became of their files."""
    import daxa.mission
    from daxa.context import current_context
    from daxa.events import DownloadEnded, DownloadPlanned

    begun, ended, states, causes = Counter(), Counter(), Counter(), Counter()

    def see(event):
        if isinstance(event, DownloadPlanned):
            begun[event.mission] += 1
        elif isinstance(event, DownloadEnded):
            ended[event.mission] += 1

    current_context().events.subscribe(see)
    missions = [getattr(daxa.mission, name)() for name in CLASSES]

    async def one(mission):
        report = await mission.download(download_products=True, all_observations=True, on_error="collect")
        states.update(f"observations {one.state}" for one in report.observations)
        states.update(f"files {one.state}" for one in report.files)
        causes.update(f"{mission.name} {file.path}: {file.cause}" for file in report.failed)

    await asyncio.gather(*map(one, missions))
    return {
        "states": states,
        "causes": causes,
        "begun": begun,
        "ended": ended,
        "titles": [mission.pretty_name for mission in missions],
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(download_all())))
