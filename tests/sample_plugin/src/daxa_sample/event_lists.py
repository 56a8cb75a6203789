"""What Sample's event lists look like, for the reduction in Python: 10 eV a channel, flag 0 for good events."""

from daxa_native import Convention, Energy, Grid, zero

SAMPLE = Convention(
    name="Sample",
    title="Sample",
    energies=(Energy(column="PI", step=0.01, low=0, high=1023),),
    cuts=lambda events: [zero("FLAG")],
    grid=Grid(bin=4, shape=(256, 256), origin="low", low=1, high=1024),
    frame="ICRS",
)


def convention(telescope, instrument):
    return SAMPLE if telescope == "SAMPLE" else None
