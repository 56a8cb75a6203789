"""What an import may cost, and what it refuses to stand beside."""

import subprocess
import sys
import zipfile

import pytest

HEAVY = {"astropy", "pandas", "aiohttp", "scipy", "numpy", "matplotlib", "regions", "tqdm"}


def modules_after(statement):
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import daxa",
        "import daxa.api",
        "import daxa.mission; dir(daxa.mission); list(daxa.mission.MISS_INDEX)",
        "from daxa.context import Context; Context().registry",
        "from click.testing import CliRunner; from daxa.cli import cli; CliRunner().invoke(cli, ['--help'])",
        "from daxa.mission import XMMPointed, Chandra, ROSATPointed, NuSTARPointed",
    ],
)
def test_nothing_heavy_is_imported(statement):
    assert not modules_after(statement) & HEAVY


def test_every_entry_module_is_light():
    from daxa.plugins import _entry_points

    for point, _dist in _entry_points():
        assert not modules_after(f"import {point.value.partition(':')[0]}") & HEAVY, point.value


def dummy_wheel(directory, version):
    """A wheel of a distribution called daxa, as PyPI's is; its package is left out, so that ours is the one imported."""
    info = f"daxa-{version}.dist-info"
    path = directory / f"daxa-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("daxa_dummy.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: daxa\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"daxa_dummy.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


@pytest.mark.parametrize(("version", "refused"), [("0.3.7", True), ("1.2.0", False)])
def test_pypis_daxa_beside_ours_is_refused_with_both_repairs(tmp_path, version, refused):
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, str(dummy_wheel(tmp_path, version))], check=True, capture_output=True)
    code = f"import sys; sys.path.append({str(site)!r})\nimport daxa"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode != 0) is refused
    if refused:
        assert "ConflictingInstallationError" in done.stderr and version in done.stderr
        assert "pip uninstall -y daxa`" in done.stderr and "pip uninstall -y daxa-core`" in done.stderr


def test_the_library_writes_nothing_at_import(tmp_path):
    code = "import daxa, daxa.api, daxa.mission; from daxa.context import current_context; current_context().registry"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env={"HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []
