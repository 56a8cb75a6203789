import signal

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

# How long an example takes to make says how busy the machine is, and no test is about that.
settings.register_profile("not timed", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("not timed")


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True, scope="session")
def signals_as_usual():
    """What tests start finds signals as usual, also where the suite was begun by nohup, or in a shell's background."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


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


MAY_BLOCK = {
    # a first import, wherever it happens to be needed first
    "<frozen importlib._bootstrap>": {"_find_and_load"},
    # settings are looked up when an object is made: an environment variable, one stat, a small file when it changed
    "daxa/config.py": {"setting", "output", "cache", "service"},
    # plugins are found once in a context
    "daxa/plugins.py": {"discover"},
    "daxa/_installation.py": {"version"},
    "daxa/registry.py": {"mission_class", "processes"},
    # what is synchronous by contract and looks at one file or directory: states, paths, totals
    "daxa/mission/operations.py": {"read_state", "write_state"},
    "daxa/mission/products.py": {"_path"},
    "daxa/mission/downloading.py": {"top_level_path", "downloaded_files", "download_summary", "download_completed"},
    # it is there to wait
    "daxa/sync.py": {"_run_in_thread"},
    # a subscriber draws or writes a line
    "daxa/report/progress.py": {"_line"},
    "daxa/report/lines.py": {"__call__"},
    "daxa/context.py": {"subscriber"},
    # the reading half of an archive: one indexed query or one file each
    "daxa/archive/reading.py": {
        "_by_process", "_process_names", "read_log", "made_under_sky", "version", "_repr_html_",
        "final_process_success", "get_current_data_path", "tasks", "products", "history", "failures",
        "observation_summaries", "_to_process", "process_configurations",
    },
    "daxa/archive/logs.py": {"_known_process", "_texts", "get_failed_processes"},
    "daxa/archive/lookup.py": {"construct_failed_data_path", "check_dependence_success"},
    "daxa/archive/views.py": {"__getitem__"},
    "daxa/archive/sources.py": {"source_regions", "get_region_file_path"},
    "daxa/archive/archive.py": {"explain"},
    # a test that makes a cache old
    "core/mission/test_catalogues.py": {"make_old"},
}  # fmt: skip
"""Where the event loop may be held up for a moment, by function; anywhere else a blocking call fails the test."""


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop(request):
    if "core/store" in request.path.as_posix():  # there the record is used from tests directly, as no coroutine does
        yield
        return
    with blockbuster_ctx(scanned_modules=["daxa"]) as guard:
        for function in guard.functions.values():
            for file, names in MAY_BLOCK.items():
                function.can_block_in(file, names)
        yield
