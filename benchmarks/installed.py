"""Each package from wheels alone: installed into an empty environment, its README's Python run, size and import time.

Install the wheels first: `uv build --all-packages --wheel --out-dir dist`. Options after the name are requirements that
stand in the environment before, such as torch==2.9.1 diffusers==0.35.2, and must stand there after.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from results import table

ROOT = Path(__file__).parents[1]
SNIPPET = re.compile(r"^```python\n(.*?)^```", flags=re.M | re.S)
TIME = """
import json, sys, time
def seconds(module):
    began = time.process_time()
    home = __import__(module)
    for name in dir(home):  # a lazy package brings nothing before its names are asked for
        getattr(home, name)
    return time.process_time() - began
began = time.process_time()
import torch
beside = time.process_time() - began
print(json.dumps([beside, seconds(sys.argv[1])]))
"""


def main(before: list[str]) -> None:
    """A row for each package, as Markdown."""
    rows = [("package", "environment, GB", "all its names imported, beside `import torch`", "README's Python")]
    for folder in sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml")):
        with tempfile.TemporaryDirectory() as home:
            size, ratio, ran = measure(folder, Path(home), before)
        rows.append((folder.name, f"{size:.2f}", f"{ratio:.2f}", str(ran)))
        print(" | ".join(rows[-1]), flush=True)
    print(table("installed/beside" if before else "installed/packages", rows))


def measure(folder: Path, home: Path, before: list[str]) -> tuple[float, float, str]:
    """Gigabytes, CPU seconds of the import over those of torch's, and whether the README's Python ran."""
    name = "asva-kit" if folder.name == "asva" else folder.name
    run("uv", "venv", "--quiet", "--python", sys.executable, str(home / "venv"))
    python = str(home / "venv" / "bin" / "python")
    install = ["uv", "pip", "install", "--quiet", "--python", python]
    if before:
        run(*install, *before)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    extras = ",".join(sorted(set(re.findall(r"[Ww]ith the extra `(\w+)`", readme))))
    run(*install, "--find-links", str(ROOT / "dist"), f"{name}[{extras}]" if extras else name)
    held = dict(row.split("==") for row in run("uv", "pip", "freeze", "--quiet", "--python", python).split())
    for requirement in before:
        wanted, _, version = requirement.partition("==")
        if held[wanted] != version:
            raise SystemExit(f"{name} moved {wanted} from {version} to {held[wanted]}.")
    run(python, "-c", TIME, folder.name.replace("-", "_"), cwd=home)  # the second time bytecode is there
    beside, ours = json.loads(run(python, "-c", TIME, folder.name.replace("-", "_"), cwd=home))
    (home / "examples").symlink_to(ROOT / "examples")
    snippets = SNIPPET.findall(readme)
    (home / "readme.py").write_text("\n".join(snippets), encoding="utf-8")
    run(python, "readme.py", cwd=home)
    files = (path for path in (home / "venv").rglob("*") if path.is_file() and not path.is_symlink())
    return (
        sum(path.stat().st_size for path in files) / 1e9,
        ours / beside,
        f"{len(snippets)} run{extras and f' with [{extras}]'}",
    )


def run(*words: str, cwd: Path = ROOT) -> str:
    """What a command prints; its complaint ends the script."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"{' '.join(words[:4])}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return ran.stdout


if __name__ == "__main__":
    main(sys.argv[1:])
