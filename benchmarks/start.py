"""CPU time of whole commands as ratios to `import torch`, in turns in one run; small inputs of our own.

Each command is a fresh process with one thread. The least of the rounds counts: other programs can only add.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from results import table

from asva_data import SyntheticWorld, write_video

FILES = "--image clip.png --audio clip.wav --output clip.mp4 --overwrite"
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PHOTOGRAPH = f"--image {EXAMPLES / 'cat.jpg'} --audio {EXAMPLES / 'drums.wav'} --output cat.mp4 --overwrite"
COMMANDS = {
    "`import torch`": [sys.executable, "-c", "import torch"],
    "`asva --help`": "--help",
    "`asva keyframes`, of a sound": "keyframes clip.wav",
    "`asva demix`": "demix clip.wav --output tracks --overwrite",
    "`asva data check`": "data check clips",
    "`asva sample` of the README: a photograph, 2 s": f"sample {PHOTOGRAPH}",
    "`asva sample`, the bundled model, 2 s": f"sample --model tiny {FILES}",
    "`asva sample --method warp`, 64x64, 2 s": f"sample --method warp {FILES}",
}


def cpu_seconds(words: list[str], folder: Path) -> float:
    """Of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_inputs(folder: Path) -> None:
    """A drawn clip as video, and its first frame and sound."""
    from PIL import Image

    from asva_audio import Audio, write_sound

    clip = SyntheticWorld(5)[0]
    video = folder / "clips" / "ball" / "clip.mp4"
    video.parent.mkdir(parents=True)
    write_video(video, clip.frames, fps=24, waveform=clip.waveform, sample_rate=clip.sample_rate)
    Image.fromarray(clip.frames[0]).save(folder / "clip.png")
    write_sound(folder / "clip.wav", Audio(torch.as_tensor(clip.waveform), clip.sample_rate))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    words = {name: line if isinstance(line, list) else ["asva", *line.split()] for name, line in COMMANDS.items()}
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder))
        seconds = [{name: cpu_seconds(command, Path(folder)) for name, command in words.items()} for _ in range(rounds)]
    least = {name: min(one[name] for one in seconds) for name in words}
    ratios = [(name, f"{least[name] / least['`import torch`']:.2f}") for name in words]
    print(table("start/commands", [("command", "CPU time, `import torch` being 1"), *ratios]))


if __name__ == "__main__":
    main()
