"""Samples of objects for tutorials."""

import numpy as np

from daxa_demo.samples import efeds_clusters, supernovae


def test_clusters_lie_in_the_field():
    table = efeds_clusters()
    assert list(table.columns) == ["ra", "dec"] and len(table) == 542
    assert table["ra"].between(125, 146).all() and table["dec"].between(-3, 7).all()


def test_supernovae_have_names_places_and_times():
    table = supernovae()
    assert list(table.columns) == ["name", "ra", "dec", "discovered"] and len(table) == 1000
    assert table["name"].is_unique and table["ra"].between(0, 360).all() and table["dec"].between(-90, 90).all()
    assert np.issubdtype(table["discovered"].dtype, np.datetime64) and not table.isna().any().any()
