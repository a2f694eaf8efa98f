"""The method `ltx2`: folders in the form of diffusers, which are loaded as they are."""

from asva_pipelines.method import ONE_STAGE, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

REPO = "Lightricks/LTX-2"
COMMUNITY, GEMMA = "LTX-2 Community License", "Gemma Terms of Use"
LICENCE = (
    f"{COMMUNITY} (free below 10 million USD of yearly revenue, with restrictions of use that are to be passed on), on "
    f"Gemma 3 ({GEMMA})"
)
# Gigabytes in bfloat16, reckoned from numbers of parameters.
_PARTS = {"transformer": 37.8, "connectors": 2.9, "vae": 2.4, "audio_vae": 0.1, "latent_upsampler": 1.0}

METHOD = Method(
    name="ltx2",
    summary="one network of video and sound holds the given sound and makes the video beside it (LTX-2)",
    pipeline="asva_baselines.ltx2.pipeline:LTX2AudioToVideoPipeline",
    foreign=("LTX2Pipeline", "LTX2ImageToVideoPipeline", "LTX2ConditionPipeline", "LTX2DFRPipeline"),
    stages=ONE_STAGE,
    options=options("--steps", "--guidance", "--text-guidance") | {"--frame": ()},
    model="ltx2",
    models=(
        NamedModel(
            name="ltx2",
            summary=f"released LTX-2 weights ({REPO}), 1024x1536, 121 frames at 24 fps",
            licence=LICENCE,
            files=(
                *(
                    RemoteFile(repo=REPO, path=f"{part}/", gigabytes=size, licence=COMMUNITY)
                    for part, size in _PARTS.items()
                ),
                RemoteFile(repo=REPO, path="text_encoder/", gigabytes=24.4, licence=GEMMA),
            ),
            by_hand=f"it is a folder in the form of diffusers: fetch {REPO}, or pass that id",
            remark="LTX-2.3 and 2.5 in that form work too. Weights that are not distilled want `--set route=guided`, "
            "and for its second stage the file `*distilled-lora*.safetensors` of their home beside `model_index.json`; "
            "with it the distilled route works for them as well. Sizes are reckoned from numbers of parameters, and no "
            "released file was seen by us.",
        ),
    ),
    credit=Credit("LTX-2", LICENCE, ("LTX-2: Efficient Joint Audio-Visual Foundation Model",)),
    beside={"latent_upsampler": ("diffusers.pipelines.ltx2.latent_upsampler", "LTX2LatentUpsamplerModel")},
    needs_picture=False,
    without=("stereo", "image_model"),
    make="asva_baselines.ltx2.frames_of_request",
)
