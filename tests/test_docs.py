"""The documents hold together: every link leads somewhere, every named file exists."""

import json
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "packages/*/*.md", "benchmarks/*.md", "examples/*.md")
    for path in ROOT.glob(pattern)
)  # fmt: skip
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def anchors(path: Path) -> set[str]:
    """The names that a document's headings get on the usual hosts."""
    titles = re.findall(r"^#+ +(.+?) *$", path.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(path: Path) -> list[str]:
    """Link and picture targets outside code blocks."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))
    return targets + re.findall(r'<img[^>]+src="([^"]+)"', text)


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_links_lead_somewhere(path):
    for target in links(path):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (path.parent / name).resolve() if name else path
        assert goal.exists(), f"{path.relative_to(ROOT)} links to {target}, which is not there."
        if anchor and goal.suffix == ".md":
            assert anchor in anchors(goal), (
                f"{path.relative_to(ROOT)} links to {target}; {goal.name} has no such heading."
            )


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_named_files_exist(path):
    """A file named in backticks from the root, as `docs/numerics.md`, is there."""
    named = re.findall(
        r"`((?:docs|tests|packages|benchmarks|examples|\.ci)/[\w./-]+\.\w+)`", path.read_text(encoding="utf-8")
    )
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing, f"{path.relative_to(ROOT)} names {missing}."


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_documents_open_with_a_title(path):
    assert path.read_text(encoding="utf-8").startswith(("# ", "---")), (
        f"{path.relative_to(ROOT)} must open with a title."
    )


def test_tables_are_those_of_the_results(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from results import MARKS, PAGES, RESULTS, written

    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("*.json")}
    kept = {(file, name): one for file, tables in files.items() for name, one in tables.items()}
    marks = [(found[2], found[3]) for page in pages for found in MARKS.finditer(page)]
    assert list(map(written, pages)) == pages and sorted(marks) == sorted(kept)
    for path, page in zip(PAGES, pages, strict=True):
        if path.stem not in ("methods", "reliability"):  # which hold words, too, in tables
            pasted = len(re.findall(r"^\|[ -]*-+[ -]*\|", page, flags=re.M)) - len(MARKS.findall(page))
            assert not pasted, f"{path.name} has {pasted} tables that were pasted"
    for one in kept.values():
        assert one.keys() == {"command", "commit", "versions", "machine", "rows"} and one["commit"]


def test_the_page_of_each_score_is_what_reports_say():
    module = runpy.run_path(str(ROOT / "docs" / "score_pages.py"))
    assert module["page"]() == module["PAGE"].read_text(encoding="utf-8"), "run docs/score_pages.py"


def test_a_backbone_is_added_in_forty_lines():
    page = (ROOT / "docs/tasks/backbones.md").read_text(encoding="utf-8")
    [code] = [block for block in re.findall(r"```python\n(.*?)```", page, flags=re.S) if 'BACKBONES["' in block]
    assert "class Plain3DModel" in code and sum(bool(line.strip()) for line in code.splitlines()) <= 40
