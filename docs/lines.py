"""The table of packages in docs/architecture.md: what each holds, whom it imports, how many lines it has.

python docs/lines.py
"""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
MARKS = re.compile(r"(<!-- lines -->\n).*?(<!-- end of lines -->)", flags=re.S)


def main() -> None:
    """Rewrite the table between its marks."""
    text = PAGE.read_text(encoding="utf-8")
    written, count = MARKS.subn(lambda match: f"{match[1]}{table()}{match[2]}", text)
    if count != 1:
        raise SystemExit(f"{PAGE} must hold the marks of the table once, got {count}.")
    PAGE.write_text(written, encoding="utf-8")


def table() -> str:
    """Markdown with a row for each package, those that import least first."""
    folders = [path.parent for path in ROOT.glob("packages/*/pyproject.toml")]
    names = {folder.name.replace("-", "_"): folder for folder in folders}
    siblings = {name: imported(folder) & names.keys() - {name} for name, folder in names.items()}
    order: list[str] = []
    while len(order) < len(names):
        ready = {name for name in names.keys() - set(order) if siblings[name] <= set(order)}
        order += sorted(ready, key=lambda name: (len(siblings[name]), name))
    rows, total = [], 0
    for name in order:
        declared = tomllib.loads((names[name] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        count = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in sources(names[name]))
        total += count
        imports = ", ".join(one.removeprefix("asva_") for one in order if one in siblings[name]) or "-"
        link = f"[{declared['name']}](../packages/{names[name].name})"
        rows.append(f"| {link} | {declared['description'].rstrip('.')} | {imports} | {count:,} |\n")
    head = "| package | holds | imports | lines |\n|---|---|---|---|\n"
    return f"{head}{''.join(rows)}| all | | | {total:,} |\n"


def imported(folder: Path) -> set[str]:
    """First names of every import, also of those inside functions and for types alone."""
    nodes = [node for path in sources(folder) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in found}


def sources(folder: Path) -> list[Path]:
    """Modules of a package; stubs only name again what stands in them."""
    return sorted(folder.glob("src/**/*.py"))


if __name__ == "__main__":
    main()
