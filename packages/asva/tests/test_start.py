"""What commands do not import, so that they start at once."""

import subprocess
import sys

import numpy as np
from PIL import Image

NETWORKS = {"diffusers", "transformers", "torch._dynamo", "accelerate", "matplotlib"}
# In this order in one process: what a command does without, those before it do without, too, but for torchvision.
WITHOUT = {
    "sample --help": {"torch", "numpy", "av", "scipy"} | NETWORKS,
    "demix {sound} --output tracks": {"torchvision", "torchaudio", "scipy"} | NETWORKS,
    "keyframes {video} --from motion": {"torchvision", "torchaudio"} | NETWORKS,
    "keyframes {sound} --output curve.csv": {"torchvision"} | NETWORKS,
    "data synth drawn --num 1": {"torchvision"} | NETWORKS,
    "sample --image {photograph} --audio {sound} --output photograph.mp4": NETWORKS,
    "sample --method warp --image {picture} --audio {sound} --output video.mp4": NETWORKS,
    "evaluate --generated clips --reference clips --protocol mine.yaml --output out": {"torchvision"}
    | NETWORKS - {"matplotlib"},
}
PROGRAM = """
import sys
from asva.cli import app

for words, without in {lines!r}:
    try:
        app(words, prog_name="asva")
    except SystemExit as end:
        assert not end.code, (words, end.code)
    assert not without & sys.modules.keys(), (words, without & sys.modules.keys())
"""


def test_nothing_heavy_is_imported_that_a_command_does_not_use(inputs, write_ball, tmp_path):
    (tmp_path / "clips").mkdir()
    video = tmp_path / "clips" / "ball.mp4"
    write_ball(video, 0.3, 0.6)
    (tmp_path / "mine.yaml").write_text("description: mine\nscores: [motion, event_f1]\n", encoding="utf-8")
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    given = {
        "photograph": tmp_path / "noise.png",
        "sound": inputs / "knocks.wav",
        "picture": inputs / "ball.png",
        "video": video,
    }
    lines = [(line.format(**given).split(), without) for line, without in WITHOUT.items()]
    program = PROGRAM.format(lines=lines)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
