"""One step of the full-size keyframe generator (1.467 B parameters, random weights) in bfloat16 on the CPU.

Prints the parameters, seconds and peak memory. Needs about 8 GB; a minute or so on two cores at the true size.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch

from asva_unet import KeyVIDUNet


def random_network(dtype: torch.dtype) -> KeyVIDUNet:
    """The released generator's network with small random weights, made in ``dtype`` from the start."""
    with torch.device("meta"):
        model = KeyVIDUNet()
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    model = model.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_scale = "norm" in name and name.endswith("weight")
            parameter.normal_(1.0 if is_scale else 0.0, 0.02, generator=generator)
    return model


def peak_gigabytes() -> float:
    """Largest resident memory of this process so far, in 10^9 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


@torch.no_grad()
def main() -> None:
    """Build, run one step, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--size", type=int, nargs=2, default=(40, 64), help="height and width of the latents")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    dtype, t = torch.bfloat16, arguments.frames
    model = random_network(dtype)
    parameters, built = sum(p.numel() for p in model.parameters()), peak_gigabytes()
    generator = torch.Generator().manual_seed(1)
    shapes = (1, 77, 1024), (1, t, 16, 1024), (1, t, 12, 768), (1, t, 8, *arguments.size)
    text, image, audio, sample = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    start, processor = time.perf_counter(), time.process_time()
    conditions = model.encode_conditions(text, image, audio)
    encoded = time.perf_counter() - start
    output = model(sample, 999, fps=6, frame_indices=torch.arange(t)[None] * 4, conditions=conditions).sample
    seconds, processor = time.perf_counter() - start - encoded, time.process_time() - processor
    size = "x".join(map(str, arguments.size))
    print(f"{parameters / 1e6:.3f} M parameters in bfloat16; {t} frames of {size} latents")
    print(f"conditions once per clip: {encoded:.2f} s")
    print(f"one step: {seconds:.1f} s ({processor:.1f} s of processor time, {arguments.threads} thread(s))")
    print(f"peak memory: {peak_gigabytes():.2f} GB, of which {built:.2f} GB after building")
    print(f"output {tuple(output.shape)}, finite: {bool(output.isfinite().all())}")


if __name__ == "__main__":
    main()
