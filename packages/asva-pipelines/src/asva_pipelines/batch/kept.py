"""Models that stay loaded from one video to the next."""

from __future__ import annotations

from typing import Any


class Kept:
    """Loads each model once, in place of `load_pipeline`; the last video's go when another's are loaded."""

    def __init__(self) -> None:
        self._models: dict[Any, Any] = {}
        self._used: set[Any] = set()

    def begin(self) -> None:
        """Another video."""
        self._used.clear()

    def __call__(self, model: Any, **more: Any) -> Any:
        """The pipeline that :func:`asva_pipelines.load_pipeline` gives, or gave before."""
        from asva_pipelines.loading.load import load_pipeline

        key = (str(model), *sorted(more.items()))
        self._used.add(key)
        if key not in self._models:
            self._let_go()
            self._models[key] = load_pipeline(model, **more)
        return self._models[key]

    def clear(self) -> None:
        """Let all go."""
        self._used.clear()
        self._let_go()

    def _let_go(self) -> None:
        from asva_pipelines.loading.memory import release_memory

        self._models = {key: model for key, model in self._models.items() if key in self._used}
        release_memory()
