"""The method `avsyncd`, and where its weights are: no hub holds them."""

from asva_pipelines.loading.shared_files import IMAGEBIND_FILE
from asva_pipelines.method import ONE_STAGE, STEPS, STRENGTH, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

STABLE_DIFFUSION = "stable-diffusion-v1-5"
STABLE_DIFFUSION_REPO = "stable-diffusion-v1-5/stable-diffusion-v1-5"
LICENCE = (
    "MIT (AVSyncD), on Stable Diffusion 1.5 (CreativeML OpenRAIL-M), "
    "with ImageBind weights (CC BY-NC-SA 4.0: no commercial use)"
)
_UNET = RemoteFile(
    repo="Google Drive, linked from the README of lzhangbj/ASVA",
    path="ckpts/checkpoint-37000/modules/unet (AVSync15; 24000 Landscapes, 16000 TheGreatestHits)",
    gigabytes=4.68,
    licence=LICENCE,
)
_BASE = RemoteFile(
    repo=STABLE_DIFFUSION_REPO,
    path=f"vae, text_encoder, tokenizer and scheduler, as {STABLE_DIFFUSION}/",
    gigabytes=0.83,
    licence="CreativeML OpenRAIL-M",
)

METHOD = Method(
    name="avsyncd",
    summary="frames beside a clean first one, each hearing its piece of the sound (AVSyncD)",
    pipeline="asva_pipelines.avsyncd.pipeline:AVSyncDPipeline",
    ear="audio_encoder",
    stages=ONE_STAGE,
    options=options(*STEPS, "--guidance", "--text-guidance") | STRENGTH,
    model="avsyncd",
    models=(
        NamedModel(
            name="avsyncd",
            summary="released AVSyncD weights, 256x256, 12 frames at 6 fps; on no hub, to be put into a folder by hand",
            licence=LICENCE,
            files=(_UNET, _BASE, IMAGEBIND_FILE),
            by_hand="its weights are on Google Drive and have no hub id. Put into one folder "
            f"`{_UNET.path}` ({_UNET.repo}), `{STABLE_DIFFUSION}/` with vae, text_encoder, tokenizer and "
            f"scheduler (hub id {STABLE_DIFFUSION_REPO}) and `{IMAGEBIND_FILE.path}` ({IMAGEBIND_FILE.repo})",
        ),
    ),
    family="asva_pipelines.avsyncd.released:AVSYNCD",
    credit=Credit(
        "AVSyncD",
        LICENCE,
        (
            "Audio-Synchronized Visual Animation (ECCV 2024)",
            "High-Resolution Image Synthesis with Latent Diffusion Models (CVPR 2022)",
            "ImageBind: One Embedding Space to Bind Them All (CVPR 2023)",
        ),
    ),
    licences={IMAGEBIND_FILE.path: IMAGEBIND_FILE.licence, f"{STABLE_DIFFUSION}/": _BASE.licence},
)
