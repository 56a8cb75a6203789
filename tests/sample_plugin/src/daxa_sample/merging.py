"""The function that the process ``merge`` calls, in a worker of its own."""


def merge(lists, out_path):
    """Write the events of several lists to one, in order of time."""
    import numpy as np
    from astropy.io import fits

    with fits.open(lists[0]) as first:
        rows = np.concatenate([fits.getdata(path, "EVENTS") for path in lists])
        first["EVENTS"].data = rows[np.argsort(rows["TIME"], kind="stable")]
        times = np.concatenate([fits.getdata(path, "GTI") for path in lists])
        first["GTI"].data = times[np.argsort(times["START"])]
        first.writeto(out_path)
