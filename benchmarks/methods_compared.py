"""Size and operations of each method's network at its full size, on the meta device: nothing is loaded or computed.

    python benchmarks/methods_compared.py

A multiplication with its addition counts as two operations. Counted are the calls of the network that denoises;
encoders and autoencoders, and the gradients of `mmdiffusion` and `seeing-hearing`, come on top.
"""

from collections.abc import Callable
from typing import Any

import results
import torch
from diffusers import LTX2VideoTransformer3DModel, UNet2DConditionModel, UNet3DConditionModel, UNetMotionModel
from torch.utils.flop_counter import FlopCounterMode

from asva_baselines.codi.unet import CoDiUNet
from asva_baselines.ltx2.network import predict_clean
from asva_baselines.ltx2.tokens import VideoTokens
from asva_baselines.ltx2.words import Words
from asva_baselines.mmdiffusion.unet import MultimodalUNet
from asva_baselines.tempotokens.network import predict_noise
from asva_unet import AVSyncDUNet, KeyVIDUNet

TIME = torch.ones(1, device="meta")


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def of_keyvid(unet: Any, *, frames: int, size: tuple[int, int], **more: Any) -> Any:
    """One call of a network of the KeyVID family."""
    indices = torch.zeros(1, frames, dtype=torch.long, device="meta")
    sample = empty(1, frames, unet.config.in_channels, *size)
    return unet(sample, TIME, empty(1, 77, 1024), fps=8, frame_indices=indices, **more)


def of_ltx2(network: Any, *, size: tuple[int, int]) -> Any:
    """One call of LTX-2's network for 121 frames."""
    video = VideoTokens.of(network.rope, (1, 128, 16, *size), 24, {}, 1.0, "meta")
    words = Words(empty(1, 1024, 3840), empty(1, 1024, 3840))
    return predict_clean(network, empty(*video.clean.shape), TIME[0], video, empty(1, 126, 128), words)


# What it makes, network, one call of it, calls of one clip with the released settings, frames of the clip.
METHODS: dict[str, tuple[str, Callable[[], Any], Callable[[Any], Any], int, int]] = {
    "avsyncd": (
        "12 frames, 256x256, 6 fps",
        AVSyncDUNet,
        lambda unet: unet(empty(1, 12, 4, 32, 32), TIME, empty(1, 77, 768), empty(1, 229, 768)),
        2 * 50,
        12,
    ),
    "dynamicrafter": (
        "16 frames, 320x512, 24 fps",
        lambda: KeyVIDUNet(audio_cross_attention=False, frame_index_embedding=False),
        lambda unet: of_keyvid(unet, frames=16, size=(40, 64), image_embeds=empty(1, 16, 16, 1024)),
        2 * 50,
        16,
    ),
    "tempotokens": (
        "24 frames, 384x384, 12 fps",
        UNet3DConditionModel,
        lambda unet: predict_noise(unet, empty(1, 24, 4, 48, 48), TIME, empty(1, 24, 77, 1024)),
        2 * 25,
        24,
    ),
    # The sound is asked at the 40 steps below time step 800, and the first step looks ahead.
    "tpos": (
        "12 frames, 512x512, 6 fps",
        lambda: UNet2DConditionModel(cross_attention_dim=768),
        lambda unet: unet(empty(12, 4, 64, 64), TIME, empty(12, 77, 768)),
        2 * 50 + 40 + 2,
        12,
    ),
    "seeing-hearing": (
        "16 frames, 512x512, 8 fps",
        lambda: UNetMotionModel(cross_attention_dim=768),
        lambda unet: unet(empty(1, 4, 16, 64, 64), TIME, empty(16, 77, 768)),
        2 * 30,
        16,
    ),
    "videocrafter": (
        "16 frames, 320x512, 8 fps",
        lambda: KeyVIDUNet(in_channels=4, audio_cross_attention=False, frame_index_embedding=False),
        lambda unet: of_keyvid(unet, frames=16, size=(40, 64), image_embeds=empty(1, 1, 16, 1024)),
        2 * 50,
        16,
    ),
    "mmdiffusion": (
        "16 frames, 64x64, then 256x256, 10 fps",
        MultimodalUNet,
        lambda unet: unet(empty(1, 16, 3, 64, 64), empty(1, 1, 25600), TIME, shifts=[0] * 100),
        1000,
        16,
    ),
    "codi": (
        "8 frames, 256x256, 4 fps",
        CoDiUNet,
        lambda unet: unet.noise(empty(1, 8, 4, 32, 32), TIME, empty(1, 1, 768)),
        2 * 50,
        8,
    ),
    "ltx2, first stage": (
        "121 frames, 512x768, 24 fps",
        LTX2VideoTransformer3DModel,
        lambda network: of_ltx2(network, size=(16, 24)),
        8,
        121,
    ),
    "ltx2, second": (
        "121 frames, 1024x1536, 24 fps",
        LTX2VideoTransformer3DModel,
        lambda network: of_ltx2(network, size=(32, 48)),
        3,
        121,
    ),
}


def main() -> None:
    """Count and print."""
    head = (
        "method",
        "makes",
        "parameters of the network",
        "operations of one call",
        "calls of one clip",
        "of one frame",
    )
    rows = [head]
    for name, (makes, make, call, calls, frames) in METHODS.items():
        with torch.device("meta"):
            network = make().eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            call(network)
        method, *stage = name.partition(",")
        operations = counter.get_total_flops()
        size = sum(parameter.numel() for parameter in network.parameters())
        rows.append(
            (
                "".join((f"`{method}`", *stage)),
                makes,
                f"{size / 1e6:,.0f} M",
                f"{operations / 1e12:.2f} T",
                f"{calls:,}",
                f"{operations * calls / frames / 1e12:,.0f} T",
            )
        )
    print(results.table("methods_compared/operations", rows))


if __name__ == "__main__":
    main()
