"""The method `tpos`, and where its weights are: the ears are on a drive, Stable Diffusion on a hub."""

from asva_pipelines.method import ONE_STAGE, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

EARS, MAPPER = "audio_encoder_23.pth", "map_model_23.pth"
STABLE_DIFFUSION = "stable-diffusion-v1-4"
STABLE_DIFFUSION_REPO = f"CompVis/{STABLE_DIFFUSION}"
LICENCE = "none named (TPoS' code and weights: all rights reserved), on Stable Diffusion 1.4 (CreativeML OpenRAIL-M)"
_DRIVE = "Google Drive folder 11kDpSAp6wKyDU13rVT66dB0H2vJwXk5D"
_FILES = (
    RemoteFile(repo=_DRIVE, path=f"pretrained_models/{EARS}", gigabytes=0.11, licence="none named"),
    RemoteFile(repo=_DRIVE, path=f"pretrained_models/{MAPPER}", gigabytes=1.82, licence="none named"),
    RemoteFile(
        repo=STABLE_DIFFUSION_REPO,
        path=f"unet, vae, text_encoder, tokenizer and scheduler, as {STABLE_DIFFUSION}/",
        gigabytes=4.27,
        licence="CreativeML OpenRAIL-M",
    ),
)

METHOD = Method(
    name="tpos",
    summary="five moments of a sound pull Stable Diffusion's pictures, each made by itself (TPoS)",
    pipeline="asva_baselines.tpos.pipeline:TPoSPipeline",
    stages=ONE_STAGE,
    options=options("--steps", "--guidance", "--text-guidance", "--fps") | {"--guidance-at": ()},
    model="tpos",
    models=(
        NamedModel(
            name="tpos",
            summary="released TPoS weights, 512x512, any number of frames; to be put into a folder by hand",
            licence=LICENCE,
            files=_FILES,
            by_hand=f"its weights are on Google Drive and have no hub id. Put into one folder `{EARS}` and `{MAPPER}` "
            f"({_DRIVE}) and `{STABLE_DIFFUSION}/` with unet, vae, text_encoder, tokenizer and scheduler (hub id "
            f"{STABLE_DIFFUSION_REPO})",
            remark="Sizes are reckoned from numbers of parameters; no released file of TPoS was seen by us, and its "
            "keys are those of the code. The original's safety checker and watermark are left out.",
        ),
    ),
    family="asva_baselines.tpos.released:TPOS",
    credit=Credit(
        "TPoS",
        LICENCE,
        (
            "The Power of Sound (TPoS): Audio Reactive Video Generation with Stable Diffusion (ICCV 2023)",
            "High-Resolution Image Synthesis with Latent Diffusion Models (CVPR 2022)",
        ),
    ),
    licences={EARS: "none named", MAPPER: "none named", f"{STABLE_DIFFUSION}/": "CreativeML OpenRAIL-M"},
    needs_picture=False,
)
