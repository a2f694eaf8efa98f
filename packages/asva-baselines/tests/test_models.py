"""What `asva models` tells of the systems here."""

import json

import pytest

from asva_pipelines import METHODS
from asva_weights.remote import size_text

OURS = {name: method for name, method in METHODS.items() if method.pipeline.startswith("asva_baselines.")}


@pytest.mark.parametrize("name", OURS)
def test_files_place_size_and_licence_are_told(asva, name):
    assert OURS[name].models
    listed = {one["name"]: one for one in json.loads(asva("models", "list", "--json").out)["models"]}
    for model in OURS[name].models:
        assert listed[model.name]["gigabytes"] > 0.1
        ran = asva("models", "info", model.name)
        assert ran.code == 0, ran.err
        for file in model.files:
            assert f"{file.repo}: {file.path}, {size_text(file.gigabytes)}, licence {file.licence}" in ran.out
