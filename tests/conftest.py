import pytest


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path, tmp_path_factory, monkeypatch):
    """Every test has its own output, cache and configuration, whatever the user's environment says."""
    import os

    for name in list(os.environ):
        if name.startswith("DAXA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DAXA_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("DAXA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DAXA_CONFIG", str(tmp_path / "config.toml"))
    # a directory that is there: astropy warns of one that is not
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("xdg")))
