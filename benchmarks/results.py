"""Tables of figures as files: `python benchmarks/results.py` writes those that a page of the documents names into it.

A script hands each of its tables to :func:`table`. With `ASVA_RECORD=1` it is kept in `benchmarks/results/`, with the
command, the commit, the versions and the machine that made it; a test holds the page to what is kept.
"""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES, RESULTS = (
    [
        ROOT / "docs" / f"{name}.md"
        for name in ("benchmarks", "costs", "methods", "reliability", "score-figures", "tasks/diffusers")
    ],
    ROOT / "benchmarks" / "results",
)
MARKS = re.compile(r"(<!-- table ([\w-]+)/([\w-]+) -->\n).*?(<!-- end of table -->)", flags=re.S)
LIBRARIES = ("torch", "diffusers", "transformers", "numpy", "av")


def table(place: str, rows: Sequence[Sequence[str]]) -> str:
    """Markdown of rows, the head first; `place` is `file/table`, where it is kept if that is asked for."""
    if os.environ.get("ASVA_RECORD"):
        file, _, name = place.partition("/")
        path = RESULTS / f"{file}.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        kept[name] = made_by() | {"rows": [list(row) for row in rows]}
        path.write_text(json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table, the head first."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])


def made_by() -> dict:
    """What made a figure: command, commit, versions, machine."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "commit": commit,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def written(page: str) -> str:
    """A page with every table that it names as the results hold it."""

    def fill(match: re.Match) -> str:
        kept = json.loads((RESULTS / f"{match[2]}.json").read_text(encoding="utf-8"))
        return f"{match[1]}{markdown(kept[match[3]]['rows'])}\n{match[4]}"

    return MARKS.sub(fill, page)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
