import pytest

from daxa.context import Context


@pytest.fixture
def offline(tmp_path):
    return Context(offline=True, output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))
