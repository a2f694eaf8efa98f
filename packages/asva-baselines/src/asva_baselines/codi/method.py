"""The method `codi`, and where its weights are."""

from asva_pipelines.loading.shared_files import TOKENIZER_FILES
from asva_pipelines.method import ONE_STAGE, PROMPTS, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

ENCODERS, DIFFUSER = "CoDi_encoders.pth", "CoDi_video_diffuser_8frames.pth"
LICENCE = (
    "MIT (CoDi), on Stable Diffusion 1.x (CreativeML OpenRAIL-M), CLIP and CLAP, each under its own; the file of "
    "encoders also holds AudioLDM's (unclear: treat as no commercial use), which are not taken"
)
_FILES = tuple(
    RemoteFile(repo="ZinengTang/CoDi", path=path, gigabytes=gigabytes, licence=LICENCE)
    for path, gigabytes in ((ENCODERS, 5.8), (DIFFUSER, 7.1))
)

METHOD = Method(
    name="codi",
    summary="sound, picture, video and words, each taken as a whole and mixed to one vector (CoDi)",
    pipeline="asva_baselines.codi.pipeline:CoDiPipeline",
    stages=ONE_STAGE,
    options=options("--steps", "--guidance") | PROMPTS,
    model="codi",
    models=(
        NamedModel(
            name="codi",
            summary="released CoDi weights, 256x256, 8 frames at 4 fps",
            licence=LICENCE,
            files=(*_FILES, *TOKENIZER_FILES),
            converted=10.1,
            remark="Sizes are reckoned from numbers of parameters, and no released file was seen by us: names of "
            "weights are those of the code.",
        ),
    ),
    family="asva_baselines.codi.released:CODI",
    credit=Credit("CoDi", LICENCE, ("Any-to-Any Generation via Composable Diffusion (NeurIPS 2023)",)),
    licences={file.path: file.licence for file in TOKENIZER_FILES},
    needs_picture=False,
)
