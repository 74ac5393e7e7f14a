"""The package itself: its types, its style, and what is in the wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("check", [["mypy"], ["ruff", "check", "."], ["ruff", "format", "--check", "."]], ids=" ".join)
def test_check(check):
    done = subprocess.run([sys.executable, "-m", *check], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_users_write_is_typed(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from tallymark import Client, Project\n"
        "c = Client('http://h', 'k')\n"
        "reveal_type(c.capture('a', user_id='u'))\n"
        "reveal_type(c.send_batch([{'event': 'a'}]).accepted)\n"
        "reveal_type(Project('http://h', 'k').query(type='realtime').complete_through)\n"
        "c.capture('a', user_id=5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(program)],
        cwd=FOLDER / "src",
        capture_output=True,
        text=True,
        check=False,
    )
    for kind in ('"str"', '"int"', '"datetime | None"'):
        assert f"Revealed type is {kind}".replace("datetime", "datetime.datetime") in done.stdout.replace(
            "builtins.", ""
        ), done.stdout
    assert 'Argument "user_id" to "capture" of "Client" has incompatible type "int"' in done.stdout


def test_the_wheel(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(FOLDER)], check=True)
    (wheel,) = tmp_path.glob("tallymark-*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        (metadata,) = (file.read(name).decode() for name in names if name.endswith("METADATA"))
    modules = {f"tallymark/{path.name}" for path in (FOLDER / "src/tallymark").iterdir() if path.is_file()}
    assert modules <= names
    assert "tallymark/py.typed" in names
    assert not any(name.startswith("test") for name in names)
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra" not in line]
    assert required == ["Requires-Dist: httpx<1,>=0.27"]
