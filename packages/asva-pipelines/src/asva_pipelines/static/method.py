"""The method `static`, which needs no weights."""

from asva_pipelines.method import Method, options

METHOD = Method(
    name="static",
    summary="the first frame, repeated",
    pipeline="asva_pipelines.static.pipeline:StaticPipeline",
    options=options("--fps"),
    needs_model=False,
)
