"""The method `videocrafter`: four released models of words, one of which also looks at a picture."""

from asva_pipelines.loading.shared_files import TOKENIZER_FILES
from asva_pipelines.method import ONE_STAGE, PROMPTS, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

CHECKPOINT = "model.ckpt"
LICENCE = "Apache-2.0 with a clause: research, no commercial use (VideoCrafter); holds OpenCLIP weights (MIT)"


def _model(name: str, summary: str, repo: str, gigabytes: float) -> NamedModel:
    file = RemoteFile(repo=f"VideoCrafter/{repo}", path=CHECKPOINT, gigabytes=gigabytes, licence=LICENCE)
    return NamedModel(
        name=name,
        summary=summary,
        licence=LICENCE,
        files=(file, *TOKENIZER_FILES),
        converted=gigabytes,
        remark="Sizes are reckoned from numbers of parameters, and no released file was seen by us.",
    )


METHOD = Method(
    name="videocrafter",
    summary="words and, in one model, a picture; hears nothing, so the sound cannot change the video (VideoCrafter)",
    pipeline="asva_baselines.videocrafter.pipeline:VideoCrafterPipeline",
    stages=ONE_STAGE,
    options=options("--steps", "--text-guidance") | PROMPTS,
    model="videocrafter-i2v",
    models=(
        _model("videocrafter-i2v", "VideoCrafter1 from picture and words, 320x512", "Image2Video-512", 10.4),
        _model("videocrafter-t2v", "VideoCrafter1 from words alone, 320x512", "Text2Video-512", 6.3),
        _model("videocrafter-t2v-1024", "VideoCrafter1 from words alone, 576x1024", "Text2Video-1024", 6.3),
        _model("videocrafter2", "VideoCrafter2 from words alone, 320x512", "VideoCrafter2", 7.4),
    ),
    family="asva_baselines.videocrafter.released:VIDEOCRAFTER",
    credit=Credit(
        "VideoCrafter",
        LICENCE,
        (
            "VideoCrafter1: Open Diffusion Models for High-Quality Video Generation (arXiv 2310.19512)",
            "VideoCrafter2: Overcoming Data Limitations for High-Quality Video Diffusion Models (CVPR 2024)",
        ),
    ),
    licences={file.path: file.licence for file in TOKENIZER_FILES},
    needs_picture=False,
)
