"""Runs the commands of the gallery's page and writes its videos, small ones four times as large, into docs/gallery.

Run ``uv run python docs/make_gallery.py``; the same commands give the same pixels on the same machine.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from asva_data import read_video, write_video

HOME = Path(__file__).parent
TIMES, SMALL = 4, 64


def main() -> None:
    """Run every block of the page in an empty folder, then enlarge the videos that the page links to."""
    page = (HOME / "gallery.md").read_text(encoding="utf-8")
    wanted = re.findall(r"\]\(gallery/([\w-]+\.mp4)\)", page)
    (HOME / "gallery").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "examples").symlink_to(HOME.parent / "examples")
        for language, block in re.findall(r"^```(\w+)\n(.*?)^```", page, flags=re.M | re.S):
            command = [sys.executable, "-c", block] if language == "python" else ["sh", "-euc", block]
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            subprocess.run(command, cwd=folder, check=True, env=os.environ | {"PATH": path})
        for name in wanted:
            enlarge(Path(folder) / name, HOME / "gallery" / name)


def enlarge(source: Path, target: Path) -> None:
    """Write a video, every pixel of a small one drawn four times as wide and high."""
    clip = read_video(source)
    times = TIMES if max(clip.frames.shape[1:3]) <= SMALL else 1
    frames = clip.frames.repeat(times, axis=1).repeat(times, axis=2)
    write_video(target, frames, fps=clip.fps, waveform=clip.waveform, sample_rate=clip.sample_rate, crf=30)
    print(f"{target.name}: {clip.frames.shape[0]} frames, {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
