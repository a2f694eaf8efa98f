"""What commands do not import, so that they start at once."""

import subprocess
import sys

import pytest

NETWORKS = {"diffusers", "transformers", "torch._dynamo", "accelerate", "matplotlib"}
WITHOUT = {
    "sample --help": {"torch", "numpy", "av", "scipy"} | NETWORKS,
    "keyframes {sound} --output curve.csv": {"torchvision"} | NETWORKS,
    "keyframes {video} --from motion": {"torchvision", "torchaudio"} | NETWORKS,
    "demix {sound} --output tracks": {"torchvision", "torchaudio", "scipy"} | NETWORKS,
    "sample --method warp --image {picture} --audio {sound} --output video.mp4": NETWORKS,
    "data synth clips --num 1": {"torchvision"} | NETWORKS,
    "evaluate --generated clips --reference clips --protocol mine.yaml --output out": {"torchvision"}
    | NETWORKS - {"matplotlib"},
}


@pytest.mark.parametrize("line", WITHOUT)
def test_nothing_heavy_is_imported_that_a_command_does_not_use(line, inputs, write_ball, tmp_path):
    (tmp_path / "clips").mkdir()
    video = write_ball(tmp_path / "clips" / "ball.mp4", 0.3, 0.6) or tmp_path / "clips" / "ball.mp4"
    (tmp_path / "mine.yaml").write_text("description: mine\nscores: [motion, event_f1]\n", encoding="utf-8")
    words = line.format(sound=inputs / "knocks.wav", picture=inputs / "ball.png", video=video).split()
    program = (
        "import sys\nfrom asva.cli import app\n"
        f"try:\n    app({words!r}, prog_name='asva')\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"heavy = {WITHOUT[line]!r} & sys.modules.keys()\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
