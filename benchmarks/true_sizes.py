"""Released sizes without released weights: conversion, and one step of sampling, with the memory that they need.

    python benchmarks/true_sizes.py KEYS --folder runs/true-sizes        # 34 GB of disk, 20 GB of memory

KEYS holds full_keys_keyframe.json and full_keys_interp.json, names and shapes of KeyVID's two files. The first becomes
a checkpoint of 15.5 GB of random numbers, the second one of the same length that is a hole in the disk and reads as
zeros; asva converts them, whole and in half precision, and samples with one step of each stage. AVSyncD is a folder
of holes. Peaks of memory are the commands' own, those of a conversion without the pages of the files that it maps.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from memory import inputs
from results import table
from torch._subclasses.fake_tensor import FakeTensorMode

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fixtures.released import write_tokenizer

from asva_audio import ImageBindAudioEncoder
from asva_pipelines.avsyncd.pipeline import AVSyncDPipeline
from asva_pipelines.avsyncd.released import RELEASED_SETTINGS
from asva_pipelines.keyvid.method import INTERP_CKPT, KEYFRAME_CKPT
from asva_unet import AVSyncDPNDMScheduler, AVSyncDUNet, make_scheduler

SAMPLED = (("KeyVID", "64x64"), ("AVSyncD", "64x64"), ("AVSyncD", "256x256"))  # more of KeyVID takes hours on a core
Shapes = Mapping[str, list[int]]


def write_checkpoint(path: Path, shapes: Shapes, *, random: bool) -> None:
    """A checkpoint as a trainer writes it, of random numbers of the size of weights, or a hole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.serialization.skip_data():  # what is not touched takes no memory
        torch.save({"state_dict": {name: torch.empty(shape) for name, shape in shapes.items()}, "epoch": 859}, path)
    with FakeTensorMode():
        state = torch.load(path, weights_only=True)["state_dict"]
    numbers = (0.02 * np.random.default_rng(0).standard_normal(1 << 24)).astype(np.float32)
    with path.open("r+b") as file:
        for name, value in state.items():
            file.seek(value.untyped_storage()._checkpoint_offset)
            if name == "alphas_cumprod":
                file.write(make_scheduler("ddim").alphas_cumprod.numpy().tobytes())
            for first in range(0, value.numel() if random and name != "alphas_cumprod" else 0, len(numbers)):
                file.write(numbers[: min(len(numbers), value.numel() - first)].tobytes())


def write_hole(network: torch.nn.Module, folder: Path) -> None:
    """A network on the meta device as a folder: its config, and weights in bfloat16 that are a hole in the disk."""
    folder.mkdir(parents=True)
    network.config.save_pretrained(folder) if hasattr(network.config, "save_pretrained") else network.save_config(
        folder
    )
    head, end = {}, 0
    for name, value in network.state_dict().items():
        head[name] = {"dtype": "BF16", "shape": list(value.shape), "data_offsets": [end, end + 2 * value.numel()]}
        end += 2 * value.numel()
    told = json.dumps(head).encode()
    name = "model" if hasattr(network.config, "save_pretrained") else "diffusion_pytorch_model"
    with (folder / f"{name}.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(told)) + told)
        file.truncate(8 + len(told) + end)


def write_avsyncd(folder: Path) -> None:
    """A converted AVSyncD of the released size."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    blocks, widths = ("DownEncoderBlock2D",) * 4, (128, 256, 512, 512)
    with torch.device("meta"):
        text = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_hidden_layers=12)
        parts = {
            "unet": AVSyncDUNet(),
            "audio_encoder": ImageBindAudioEncoder(),
            "text_encoder": CLIPTextModel(text),
            "vae": AutoencoderKL(
                down_block_types=blocks,
                up_block_types=("UpDecoderBlock2D",) * 4,
                block_out_channels=widths,
                layers_per_block=2,
                latent_channels=4,
                sample_size=512,
            ),
        }
    for name, network in parts.items():
        write_hole(network, folder / name)
    write_tokenizer(folder / "words")
    tokenizer = CLIPTokenizer.from_pretrained(folder / "words")
    tokenizer.model_max_length = 77
    schedule = AVSyncDPNDMScheduler(skip_prk_steps=True)
    for name, part in {"tokenizer": tokenizer, "scheduler": schedule}.items():
        part.save_pretrained(folder / name)
    AVSyncDPipeline(**parts, tokenizer=tokenizer, scheduler=schedule, **RELEASED_SETTINGS).save_config(folder)


def run(*words: object) -> tuple[float, float]:
    """Bytes of the most memory of its own that a command took, and its minutes."""
    begun = time.monotonic()
    command = subprocess.Popen([sys.executable, "-m", "asva", *map(str, words)], stdout=subprocess.DEVNULL)
    most = 0
    while command.poll() is None:
        status = Path(f"/proc/{command.pid}/status").read_text(encoding="utf-8")
        own = [line.split() for line in status.splitlines() if line.startswith("RssAnon")]
        most = max(most, 1024 * int(own[0][1]) if own else 0)
        time.sleep(0.1)
    if command.returncode:
        raise SystemExit(f"{' '.join(map(str, words))} ended with {command.returncode}")
    return most, (time.monotonic() - begun) / 60


def converted(source: Path, folder: Path, dtype: str) -> tuple[str, ...]:
    """A row: what a conversion needs."""
    shutil.rmtree(folder, ignore_errors=True)
    most, minutes = run("models", "convert", source, folder, "--dtype", dtype)
    bytes_ = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    return (f"KeyVID, stored in {dtype}", "31.1 GB", f"{bytes_ / 1e9:.1f} GB", f"{most / 1e9:.2f} GB", f"{minutes:.0f}")


def sampled(home: Path, name: str, model: Path, size: str) -> tuple[str, ...]:
    """A row: memory of one step."""
    output = home / "out.mp4"
    words = ["--image", home / "picture.png", "--audio", home / "sound.wav", "--model", model, "--output", output]
    words += ["--size", size, "--dtype", "bfloat16", "--device", "cpu", "--offload", "none", "--steps", 1]
    words += ["--guidance", 1, "--text-guidance", 1, "--prompt", "a nail", "--overwrite"]
    words += ["--interp-steps", 1, "--uniform", "--image-guidance", 1] if name == "KeyVID" else []
    run("sample", *words)
    told = json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))["memory"]
    foreseen, seen = told["predicted_bytes"], told["measured_bytes"]
    return name, size, f"{foreseen / 1e9:.2f} GB", f"{seen / 1e9:.2f} GB", f"{foreseen / seen:.2f}"


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keys", type=Path, help="folder with full_keys_keyframe.json and full_keys_interp.json")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--converted", action="store_true", help="sample alone, from what was converted before")
    options = parser.parse_args()
    home, source = options.folder, options.folder / "KeyVID"
    home.mkdir(parents=True, exist_ok=True)
    inputs(home)
    write_tokenizer(source)
    for name, file, random in ((KEYFRAME_CKPT, "keyframe", True), (INTERP_CKPT, "interp", False)):
        if not (source / name).is_file():
            keys = json.loads((options.keys / f"full_keys_{file}.json").read_text(encoding="utf-8"))["keys"]
            write_checkpoint(source / name, keys, random=random)
    if not options.converted:
        rows = [("what", "files", "folder", "most memory of its own", "minutes, beside other work")]
        rows += [converted(source, home / "whole", "float32")]
        shutil.rmtree(home / "whole")
        rows += [converted(source, home / "half", "bfloat16")]
        print(table("true_sizes/conversion", rows))
    if not (home / "avsyncd").is_dir():
        write_avsyncd(home / "avsyncd")
    rows = [("model, bfloat16", "size", "predicted", "measured", "ratio")]
    for name, size in SAMPLED:
        rows += [sampled(home, name, home / {"KeyVID": "half", "AVSyncD": "avsyncd"}[name], size)]
        print(" | ".join(rows[-1]), flush=True)
    print(table("true_sizes/sampling", rows))


if __name__ == "__main__":
    main()
