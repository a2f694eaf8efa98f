"""The method `aadiff`: any Stable Diffusion 1.x folder makes its frames."""

from asva_pipelines.method import CURVE, ONE_STAGE, Credit, Method, options

METHOD = Method(
    name="aadiff",
    summary="Stable Diffusion, loud sound stresses words of the prompt; nothing was trained (AADiff)",
    pipeline="asva_baselines.aadiff.pipeline:AADiffPipeline",
    foreign=("StableDiffusionPipeline",),
    stages={"inversion": "inversion"} | ONE_STAGE,
    options=options("--steps", "--guidance", "--text-guidance", "--words", "--fps") | CURVE,
    credit=Credit(
        "Stable Diffusion",
        "CreativeML OpenRAIL-M",
        ("High-Resolution Image Synthesis with Latent Diffusion Models (CVPR 2022)",),
    ),
    needs_picture=False,
    needs_prompt=True,
)
