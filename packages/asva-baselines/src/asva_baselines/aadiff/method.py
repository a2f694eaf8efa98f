"""The method `aadiff`: any Stable Diffusion 1.x folder makes its frames."""

from asva_pipelines.avsyncd.method import STABLE_DIFFUSION_REPO
from asva_pipelines.method import CURVE, ONE_STAGE, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

LICENCE = "CreativeML OpenRAIL-M"

METHOD = Method(
    name="aadiff",
    summary="Stable Diffusion, loud sound stresses words of the prompt; nothing was trained (AADiff)",
    pipeline="asva_baselines.aadiff.pipeline:AADiffPipeline",
    foreign=("StableDiffusionPipeline",),
    stages={"inversion": "inversion"} | ONE_STAGE,
    options=options("--steps", "--guidance", "--text-guidance", "--words", "--fps") | CURVE,
    model="aadiff",
    models=(
        NamedModel(
            name="aadiff",
            summary="Stable Diffusion 1.5 as it is, 512x512",
            licence=LICENCE,
            files=(
                RemoteFile(
                    repo=STABLE_DIFFUSION_REPO,
                    path="unet, vae, text_encoder, tokenizer and scheduler",
                    gigabytes=4.27,
                    licence=LICENCE,
                ),
            ),
            by_hand=f"it is a folder in the form of diffusers: fetch {STABLE_DIFFUSION_REPO}, or pass that id",
        ),
    ),
    credit=Credit(
        "Stable Diffusion",
        LICENCE,
        ("High-Resolution Image Synthesis with Latent Diffusion Models (CVPR 2022)",),
    ),
    needs_picture=False,
    needs_prompt=True,
)
