"""Small files, and contexts that see a sky."""

import gzip

from daxa.context import Context


def fits(size=2880):
    """The smallest FITS file: one header block."""
    cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
        "END",
    ]
    return "".join(card.ljust(80) for card in cards).ljust(size).encode()


def gz(content=None):
    return gzip.compress(fits() if content is None else content, mtime=0)


def lzw(content=None):
    import ncompress

    return ncompress.compress(fits() if content is None else content)


def context_of(running, path, **more):
    return Context(**running.settings(), output=str(path / "output"), cache=str(path / "cache"), **more)


async def listed(mission, obs_id, context, **want):
    """Remote files of an observation, and the error at the end if there is one."""
    from daxa.api import NetworkError, Want
    from daxa.net.client import open_net

    await mission.load()
    files, problem = [], None
    async with open_net(context) as net:
        wish = Want(instruments=tuple(mission.chosen_instruments), **want)
        try:
            async for one in mission.remote_files(mission.observation(obs_id), wish, net):
                files.append(one)
        except NetworkError as failure:
            problem = failure
    return files, problem


def paths(files):
    return [one.path for one in files]
