"""The method `mmdiffusion`, and where its weights are: on drives, on no hub."""

from asva_pipelines.method import ONE_STAGE, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

SETS = ("Landscape", "AIST++")
LICENCE = "MIT (MM-Diffusion's code; nothing is said of the weights)"
_HOME = "link in the README of researchmm/MM-Diffusion"


def _model(name: str, files: str) -> NamedModel:
    base, large = f"{files}.pt", f"{files}_SR.pt"
    return NamedModel(
        name=name,
        summary=f"released MM-Diffusion weights of {files}, 256x256 (64x64 without `{large}`), 16 frames at 10 fps",
        licence=LICENCE,
        files=(
            RemoteFile(repo=_HOME, path=base, gigabytes=0.53, licence=LICENCE),
            RemoteFile(repo=_HOME, path=large, gigabytes=1.24, licence=LICENCE),
        ),
        by_hand=f"its weights are on Google Drive and Baidu ({_HOME}). Put `{base}` and, for large frames, `{large}` "
        "into one folder",
        remark="Sizes are reckoned from numbers of parameters. It was trained on mirrored frames, and on few scenes: "
        "users report that training clips come back.",
    )


METHOD = Method(
    name="mmdiffusion",
    summary="the video that goes with a sound, of the scenes of one data set; no picture, no prompt (MM-Diffusion)",
    pipeline="asva_baselines.mmdiffusion.pipeline:MMDiffusionPipeline",
    stages=ONE_STAGE,
    options=options("--steps", "--guidance"),
    model="mmdiffusion-landscape",
    models=(_model("mmdiffusion-landscape", SETS[0]), _model("mmdiffusion-aist", SETS[1])),
    family="asva_baselines.mmdiffusion.released:MMDIFFUSION",
    credit=Credit(
        "MM-Diffusion",
        LICENCE,
        ("MM-Diffusion: Learning Multi-Modal Diffusion Models for Joint Audio and Video Generation (CVPR 2023)",),
    ),
    needs_picture=False,
    without=("image", "image_model", "prompt"),
)
