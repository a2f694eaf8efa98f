"""The licence of every pinned dependency: free ones by family, and each other one by name with its reason."""

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FREE = re.compile(
    r"MIT|BSD|Apache|ISC|MPL|Mozilla|PSF|Python Software Foundation|HPND|Zlib|0BSD|CC0|BSL-1\.0|CNRI|LLVM", re.I
)
JOINTS = re.compile(r"\s+(?:AND|OR|WITH)\s+|;\s*")
OTHERS = {
    r"nvidia-.*|cuda-toolkit": "NVIDIA's own, which torch brings on Linux; nothing of ours is built with them",
    "lameenc": "LGPL-3.0, which demucs brings (extra `demucs`); loaded, not changed",
    "sphn": "Apache-2.0 by the text in its wheel, whose metadata say nothing",
}


def licences() -> dict[str, str]:
    """By name of every pinned distribution that is installed here."""
    found = {}
    for name in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.M):
        try:
            about = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        marks = [one.split(" :: ")[-1] for one in about.get_all("Classifier", []) if one.startswith("License ::")]
        stated = (about.get("License") or "").strip().splitlines()
        found[name] = about.get("License-Expression") or "; ".join(marks) or "".join(stated[:1])
    return found


def test_every_dependency_is_free_or_named():
    known = licences()
    assert len(known) > 60
    strange = {
        name: text
        for name, text in known.items()
        if not all(FREE.search(part) for part in JOINTS.split(text))
        and not any(re.fullmatch(other, name) for other in OTHERS)
        and not (FREE.search(text) and "OSI Approved" in text)
    }
    assert not strange


def test_no_licence_reaches_into_what_links_to_it():
    strong = {name: text for name, text in licences().items() if re.search(r"\bA?GPL", text) and name not in OTHERS}
    assert not strong
