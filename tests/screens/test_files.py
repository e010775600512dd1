"""The screens as files: nothing from elsewhere, third-party copies unchanged, everything parses."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCREENS = Path(__file__).parents[2] / "flowmon" / "feed" / "screens"
VENDOR = SCREENS / "js" / "vendor"
OWN = [path for path in sorted(SCREENS.rglob("*")) if path.is_file() and VENDOR not in path.parents]


def test_vendored_files_are_the_listed_ones() -> None:
    manifest = json.loads((VENDOR / "vendor.json").read_text())
    found = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "vendor.json"
    }
    assert found == manifest["sha256"], "run `node deploy/vendor.mjs`; vendored files are never edited"


def test_every_vendored_package_brings_its_licence() -> None:
    manifest = json.loads((VENDOR / "vendor.json").read_text())
    folders = {name.split("/")[0] for name in manifest["sha256"]}
    assert len(folders) == len(manifest["packages"])
    for folder in folders:
        assert (VENDOR / folder / "LICENSE").read_text().strip()


@pytest.mark.parametrize("path", [p for p in OWN if p.suffix in {".js", ".css", ".html", ".webmanifest"}], ids=str)
def test_nothing_is_asked_of_another_host(path: Path) -> None:
    text = re.sub(r"http://www\.w3\.org/2000/svg", "", path.read_text())
    assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.[a-z]{2,}", text)


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (SCREENS / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", page)
    for path in (p for p in OWN if p.suffix == ".js"):
        assert not re.search(r"\sstyle=|\bunsafeHTML\b|\binnerHTML\b|\beval\(", path.read_text()), path.name


def test_every_module_is_asked_for_at_once() -> None:
    """Without the list in the page, a module is found only when the one that imports it has arrived."""
    listed = set(re.findall(r'modulepreload" href="/([^"]+)"', (SCREENS / "index.html").read_text()))
    modules = {path.relative_to(SCREENS).as_posix() for path in SCREENS.rglob("*.js")}
    assert listed == {path for path in modules if path != "js/main.js" and "/uplot/" not in path}


def test_first_load_fits_the_budget() -> None:
    """At most 120 kB gzipped of scripts and styles, without the typeface."""
    import gzip  # noqa: PLC0415 -- only here

    sent = [p for p in SCREENS.rglob("*") if p.suffix in {".js", ".css", ".html", ".svg"}]
    assert sum(len(gzip.compress(path.read_bytes())) for path in sent) <= 120_000


@pytest.mark.parametrize("path", [p for p in OWN if p.suffix == ".js"], ids=lambda p: p.name)
def test_modules_parse(path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: run `make test`, which installs it")
    assert subprocess.run([node, "--check", str(path)], capture_output=True, check=False).returncode == 0
