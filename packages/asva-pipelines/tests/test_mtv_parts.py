"""Parts of MTV models: what a folder lacks, or holds in its place."""

import json

import pytest

from asva_pipelines.mtv.parts import read_part
from asva_weights import ModelError


def test_parts_that_are_not_there(tmp_path):
    with pytest.raises(ModelError, match="`vae` must be in"):
        read_part("vae", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "Popen"}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"must be one of .*got Popen"):
        read_part("vae", tmp_path)
