"""The denoising loop of AVSyncD against the original code, with its four kinds of guidance (parity asva/pipeline_*)."""

import json
import os
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from asva_unet import AVSyncDPNDMScheduler, AVSyncDUNet, denoise
from asva_unet.avsyncd.stage import AVSyncDStage
from asva_unet.text_audio import TextAudioGuidance

FOLDER = Path(os.environ["ASVA_PARITY_DIR"]) / "asva"
FIXTURES = sorted(FOLDER.glob("pipeline_*.safetensors"))
TOLERANCE = 2e-3  # latents of the random network reach a deviation of 30

pytestmark = pytest.mark.skipif(not FIXTURES, reason=f"no parity fixtures pipeline_* under {FOLDER}")


def scales(variant):
    """Guidance of a variant's name: ``audio_cfg4``, ``dual_a4_t2.5``, ``text_only_t3``, ``nocfg``."""
    audio = re.search(r"(?:cfg|_a)([\d.]+)", variant)
    text = re.search(r"_t([\d.]+)", variant)
    return TextAudioGuidance(float(text[1]) if text else 1.0, float(audio[1]) if audio else 1.0)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_loop(path):
    tensors, facts = load_file(path), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    unet = AVSyncDUNet(**facts["unet_config"]).eval()
    prefix = "state/unet."
    unet.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    given = {name.removeprefix("in/"): value for name, value in tensors.items() if name.startswith("in/")}
    settings = {name: value for name, value in facts["scheduler"].items() if name != "_class"}
    variants = [name.removeprefix("out/latents_") for name in tensors if name.startswith("out/latents_")]
    assert len(variants) >= 4
    for variant in variants:
        network = AVSyncDStage(
            unet,
            given["image_latents"][:, None],
            {True: given["text"], False: given["null_text"]},
            {True: given["audio_tokens"], False: given["null_audio_tokens"]},
            given["audio_mask"][0],
        )
        frames = denoise(
            network,
            given["noise"].transpose(1, 2),
            AVSyncDPNDMScheduler(**settings),
            facts["num_inference_steps"],
            guidance=scales(variant),
            prediction_type="epsilon",
        )
        expected = tensors[f"out/latents_{variant}"].transpose(1, 2)
        assert torch.equal(network.first[:, 0], expected[:, 0])
        torch.testing.assert_close(frames, expected[:, 1:], rtol=0, atol=TOLERANCE)
