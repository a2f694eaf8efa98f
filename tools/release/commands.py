"""The programs that a release runs in the workspace."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(root: Path, *arguments: str) -> str:
    """Run git in the workspace and return what it prints."""
    return subprocess.run(["git", *arguments], cwd=root, check=True, text=True, stdout=subprocess.PIPE).stdout


def uv(root: Path, *arguments: str) -> None:
    """Run uv in the workspace."""
    subprocess.run(["uv", *arguments], cwd=root, check=True)
