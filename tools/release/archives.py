"""Wheel and source archive of a package: built, looked into, installed where nothing else is, and sent nowhere."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

from packaging.metadata import Metadata, parse_email
from packaging.requirements import Requirement

from .commands import uv
from .plan import Release, ReleaseError, project


def build(release: Release, out: Path) -> list[Path]:
    """Wheel and source archive of the package."""
    uv(release.root, "build", "--package", release.name, "--quiet", "--out-dir", str(out))
    stem = f"{release.name.replace('-', '_')}-{release.new}"
    return [next(out.glob(f"{stem}-*.whl")), out / f"{stem}.tar.gz"]


def check_archives(release: Release, archives: list[Path]) -> None:
    """Whether the metadata is right and what belongs inside is there.

    Raises:
        ReleaseError: If the version is another, something is missing, or something is there that should not be.
    """
    wheel, source = archives
    with zipfile.ZipFile(wheel) as file:
        inside = file.namelist()
        text = file.read(next(name for name in inside if name.endswith(".dist-info/METADATA")))
    raw, unknown = parse_email(text)
    metadata = Metadata.from_raw(raw, validate=True)
    if unknown or (metadata.name, metadata.version) != (release.name, release.new) or not metadata.description:
        raise ReleaseError(
            f"`{wheel.name}` must describe {release.name} {release.new}, got {metadata.name}, {unknown}."
        )
    with tarfile.open(source) as file:
        sources = file.getnames()
    for name, names in ((wheel.name, inside), (source.name, sources)):
        for wanted in ("py.typed", "LICENSE", "__init__.py"):
            if not any(Path(entry).name == wanted for entry in names):
                raise ReleaseError(f"`{name}` must hold {wanted}.")
        if any("__pycache__" in entry or "/tests/" in entry for entry in names):
            raise ReleaseError(f"`{name}` must hold neither tests nor caches.")


def try_wheel(release: Release, wheel: Path, siblings: list[Path]) -> None:
    """Install the wheel where nothing else is, and import every public name."""
    module = release.folder.name.replace("-", "_")
    with tempfile.TemporaryDirectory() as home:
        uv(release.root, "venv", "--quiet", home)
        python = Path(home, "Scripts/python.exe" if os.name == "nt" else "bin/python")
        pins = release.root / "requirements.lock"
        held = ["--constraints", str(pins)] if pins.is_file() else []
        uv(release.root, "pip", "install", "--quiet", "--python", str(python), *held, *map(str, (wheel, *siblings)))
        code = f"import {module} as m; [getattr(m, name) for name in getattr(m, '__all__', [])]; print(m.__file__)"
        subprocess.run([str(python), "-I", "-c", code], cwd=home, check=True, stdout=subprocess.DEVNULL)


def siblings_of(release: Release, out: Path) -> list[Path]:
    """Wheels of the packages here that it needs, for they may not be published yet."""
    here = {project(path.parent)["name"]: path.parent for path in release.root.glob("packages/*/pyproject.toml")}
    names = [release.name]
    for name in names:  # grows while it is walked
        wanted = (Requirement(entry).name for entry in project(here[name]).get("dependencies", []))
        names += [one for one in wanted if one in here and one not in names]
    for name in names[1:]:
        uv(release.root, "build", "--package", name, "--wheel", "--quiet", "--out-dir", str(out))
    return sorted(out.glob("*.whl"))


def publish_dry(release: Release, archives: list[Path]) -> None:
    """What the publication would send, sent nowhere."""
    options = ["--dry-run", "--trusted-publishing", "never", "--username", "nobody", "--password", "none"]
    uv(release.root, "publish", *options, *map(str, archives))
