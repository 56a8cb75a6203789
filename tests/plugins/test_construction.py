"""Every mission is made without network and without disk; what it needs it fetches when it is asked."""

import os
import socket
from pathlib import Path

import pytest

from daxa.context import Context
from daxa.mission import MISS_INDEX
from daxa_testing.sky import Sky

OWN = ("xmm_pointed", "chandra", "nustar_pointed", "rosat_pointed", "rosat_all_sky", "erosita_calpv",
       "erosita_all_sky_de_dr1")  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_making_a_mission_touches_neither_network_nor_disk(name, tmp_path, monkeypatch):
    with Sky().running_in_thread() as running:
        context = Context(**running.settings(), output=str(tmp_path / "output"), cache=str(tmp_path / "cache"))
        mission_class = MISS_INDEX[name]
        mission_class(context=context)  # whatever is imported has been, once
        touched = []

        def refuse(what):
            def refused(*arguments, **_options):
                touched.append((what, arguments[:2]))
                raise AssertionError(f"{what} {arguments}")

            return refused

        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "connect", refuse("connect"))
            patch.setattr(socket, "getaddrinfo", refuse("look up"))
            patch.setattr(Path, "open", refuse("open"))
            patch.setattr(os, "mkdir", refuse("make"))
            patch.setattr("builtins.open", refuse("open"))
            mission = mission_class(context=context)
        assert touched == [] and running.requests == [] and not mission.loaded
    assert list(tmp_path.iterdir()) == []
