"""The method `tempotokens`, and where its weights are: the mappers are on a drive, what they stand on on a hub."""

from asva_pipelines.method import ONE_STAGE, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

MAPPER = "learned_embeds.pth"
EARS = "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt"
ZEROSCOPE = "zeroscope_v2_576w"
ZEROSCOPE_REPO = f"cerspense/{ZEROSCOPE}"
LICENCE = (
    "MIT (TempoTokens' code; its weights name no licence), on zeroscope (CC BY-NC 4.0: no commercial use), "
    "with BEATs (MIT)"
)
_FILES = (
    RemoteFile(
        repo="Google Drive folder 10pRWoq0m5torvMXILmIQd7j9fLPEeHtS",
        path=f"models/vggsound/{MAPPER} (or landscape, audioset_drum)",
        gigabytes=0.13,
        licence="none named",
    ),
    RemoteFile(repo="link in the README of microsoft/unilm, BEATs", path=EARS, gigabytes=0.36, licence="MIT"),
    RemoteFile(
        repo=ZEROSCOPE_REPO,
        path=f"unet, vae, text_encoder, tokenizer and scheduler, as {ZEROSCOPE}/",
        gigabytes=3.7,
        licence="CC BY-NC 4.0 (no commercial use)",
    ),
)

METHOD = Method(
    name="tempotokens",
    summary="what BEATs hears in place of words, six for each frame, on zeroscope; no picture, no prompt (TempoTokens)",
    pipeline="asva_baselines.tempotokens.pipeline:TempoTokensPipeline",
    stages=ONE_STAGE,
    options=options("--steps", "--guidance") | {"--guidance-at": ()},
    model="tempotokens",
    models=(
        NamedModel(
            name="tempotokens",
            summary="released TempoTokens weights, 384x384, 24 frames at 12 fps; to be put into a folder by hand",
            licence=LICENCE,
            files=_FILES,
            by_hand=f"its weights are on Google Drive and have no hub id. Put into one folder `{MAPPER}` of one of its "
            f"three models ({_FILES[0].repo}), `{EARS}` ({_FILES[1].repo}) and `{ZEROSCOPE}/` with unet, vae, "
            f"text_encoder, tokenizer and scheduler (hub id {ZEROSCOPE_REPO})",
            remark="Sizes are reckoned from numbers of parameters; no released mapper was seen by us, and its keys are "
            "those of the code.",
        ),
    ),
    family="asva_baselines.tempotokens.released:TEMPOTOKENS",
    credit=Credit(
        "TempoTokens",
        LICENCE,
        (
            "Diverse and Aligned Audio-to-Video Generation via Text-to-Video Model Adaptation (AAAI 2024)",
            "BEATs: Audio Pre-Training with Acoustic Tokenizers (ICML 2023)",
            "ModelScope Text-to-Video Technical Report",
        ),
    ),
    licences={MAPPER: _FILES[0].licence, EARS: _FILES[1].licence, f"{ZEROSCOPE}/": _FILES[2].licence},
    needs_picture=False,
    without=("image", "image_model", "prompt"),
)
