"""A record of released weights on this machine: hashes, keys, one clip. `python tools/real.py METHOD FOLDER [OPTIONS]`.

For whoever has weights that we have not. The files are hashed, converted (every key and shape is checked) and asked
for one clip of the examples as `asva sample` makes it; options after the folder are given to it. What came out is
written to `real-METHOD.json` beside the clip, and may be sent in.
"""

import hashlib
import io
import json
import platform
import sys
import tempfile
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

from asva.cli import app
from asva_data import read_video

ROOT = Path(__file__).parents[1]
EXAMPLE = {"--image": ROOT / "examples" / "hammer.png", "--audio": ROOT / "examples" / "hammer.wav"}
LIBRARIES = ("asva-kit", "asva-pipelines", "torch", "diffusers", "transformers", "numpy", "av")


def main(method: str, folder: str, *options: str) -> None:
    """Write `real-METHOD.mp4` and `real-METHOD.json` into the current folder."""
    clip = Path(f"real-{method}.mp4")
    with tempfile.TemporaryDirectory(dir=".") as home:
        model = str(Path(home) / "model")
        converted = asva("models", "convert", folder, model)
        if converted["family"] != method:
            raise SystemExit(f"FOLDER must hold the files of {method}, got those of {converted['family']}.")
        given = [str(word) for pair in EXAMPLE.items() for word in pair]
        made = asva("sample", "--model", model, *given, "--output", str(clip), "--overwrite", *options)
        parts = asva("models", "info", model)["parts"]
    record = {
        "method": method,
        "files": {str(path.relative_to(folder)): described(path) for path in files(Path(folder))},
        "parts": parts,
        "clip": made | {"sha256": described(clip)["sha256"]} | levels(clip),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}",
    }
    clip.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"{clip} and {clip.with_suffix('.json')}: look at the one, send in the other.")


def asva(*words: str) -> dict[str, Any]:
    """The result of a command of the command line; its remarks and errors are seen as they come."""
    with redirect_stdout(io.StringIO()) as said:
        code = app([*words, "--json"], standalone_mode=False)
    if code:
        raise SystemExit(code)
    return json.loads(said.getvalue())


def files(folder: Path) -> list[Path]:
    """Every file but what downloads leave behind."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts)


def described(path: Path) -> dict[str, Any]:
    """Size and hash of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def levels(clip: Path) -> dict[str, Any]:
    """Mean of each frame, 0 to 255, and its mean change: enough to see black, frozen or broken video."""
    frames = read_video(clip).frames.astype("float32")
    change = abs(frames[1:] - frames[:-1]).mean(axis=(1, 2, 3))
    return {"levels": frames.mean(axis=(1, 2, 3)).round(2).tolist(), "changes": change.round(2).tolist()}


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
