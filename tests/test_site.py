"""The site: it builds without a network, shows every public name, and asks nobody for anything."""

import ast
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("material", reason="mkdocs-material is not installed")
pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed")

ROOT = Path(__file__).parents[1]
STUBS = sorted(ROOT.glob("packages/*/src/*/**/__init__.pyi"))


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The folder of the built site; a warning of the build is an error, and no address can be reached."""
    folder = tmp_path_factory.mktemp("site")
    program = (
        "import socket, sys\n"
        "def refuse(*args, **options): raise OSError('a site is built without a network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from mkdocs.__main__ import cli\n"
        "sys.exit(cli())\n"
    )
    words = ["-c", program, "build", "--strict", "--quiet", "--config-file", "mkdocs.yml", "--site-dir", str(folder)]
    ran = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


class Page(HTMLParser):
    """What a page loads, and its anchors."""

    def __init__(self, path: Path):
        super().__init__()
        self.loads, self.anchors = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list) -> None:
        given = dict(attributes)
        self.anchors.add(given.get("id"))
        if "src" in given:
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(given.get("href", ""))


def public_names(stub: Path) -> set[str]:
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    return {name.asname or name.name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names}


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: ".".join(stub.relative_to(ROOT).parts[3:-1]))
def test_every_public_name_has_its_place(site, stub):
    folder, module = stub.relative_to(ROOT).parts[1], ".".join(stub.relative_to(ROOT).parts[3:-1])
    anchors = Page(site / "packages" / folder / "index.html").anchors
    missing = {name for name in public_names(stub) if f"{module}.{name}" not in anchors}
    assert not missing, f"The page of {folder} lacks {sorted(missing)} of {module}."


def test_nothing_is_loaded_from_elsewhere(site):
    for path in site.rglob("*.html"):
        away = [target for target in Page(path).loads if re.match(r"(https?:)?//", target)]
        assert not away, f"{path.relative_to(site)} loads {away}."
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", path.read_text(encoding="utf-8")), path.name


def test_the_site_can_be_searched(site):
    assert 'data-md-component="search"' in (site / "index.html").read_text(encoding="utf-8")
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert any("write_video" in entry["text"] for entry in index["docs"])


def test_videos_of_the_gallery_are_there(site):
    videos = [target for target in Page(site / "gallery" / "index.html").loads if target.endswith(".mp4")]
    assert len(videos) >= 6
    for target in videos:
        assert (site / "gallery" / target).resolve().is_file(), target


def test_no_page_names_the_machine_it_was_built_on(site):
    for path in site.rglob("*.html"):
        assert str(ROOT) not in path.read_text(encoding="utf-8"), path.relative_to(site)
