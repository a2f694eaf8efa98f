"""The method `warp`, which needs no weights."""

from asva_pipelines.method import CURVE, Method, options

SETTINGS = {"num_frames": 48, "fps": 24, "height": 256, "width": 256, "sample_rate": 16000}

METHOD = Method(
    name="warp",
    summary="the photograph itself, at its own size, regions of it moved by rule; nothing is generated",
    pipeline="asva_pipelines.warp.pipeline:WarpPipeline",
    options=options("--fps")
    | {name: () for name in ("--region", "--box", "--motion", "--part")}
    | {name: () for name in CURVE if name not in ("--prompt-at", "--guidance-at")},
    needs_model=False,
    without=("image_model",),
    defaults=SETTINGS,
    make="asva_pipelines.warp.frames_of_request",
)
