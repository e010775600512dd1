"""The screens' pure parts, tested where they run: in a JavaScript engine."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_in_node(file: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: run `make test`, which installs it")
    ran = subprocess.run(
        [node, "--test", "--test-reporter=spec", file],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
