"""Settings out of YAML: names, overrides, and one clear line for what is wrong."""

from typing import Annotated

import pytest
from pydantic import Field

from asva_data.settings import SettingsReader, plain_values, strict


class Wrong(ValueError):
    """The error of a package."""


@strict
class Loop:
    """How long."""

    steps: Annotated[int, Field(ge=1)] = 10
    rates: tuple[float, ...] = ()


@strict
class Plan:
    """A loop with a name."""

    name: str
    loop: Loop = Loop()


@pytest.fixture
def reader(tmp_path):
    (tmp_path / "small.yaml").write_text("name: small\nloop: {steps: 3, rates: [0.5]}\n", encoding="utf-8")
    return SettingsReader(Plan, tmp_path, word="plan", error=Wrong)


def test_by_name_by_path_and_with_overrides(reader, tmp_path):
    assert reader.names() == ["small"]
    assert (
        reader.load("small")
        == reader.load(tmp_path / "small.yaml")
        == Plan(name="small", loop=Loop(steps=3, rates=(0.5,)))
    )
    assert reader.load("small", {"loop.steps": 7, "name": "other"}) == Plan(
        name="other", loop=Loop(steps=7, rates=(0.5,))
    )
    assert reader.parse(plain_values(reader.load("small"))) == reader.load("small")


def test_what_extends_others_says_what_differs(reader, tmp_path):
    below = tmp_path / "below"
    below.mkdir()
    (below / "first.yaml").write_text("extends: small\nloop: {steps: 5}\n", encoding="utf-8")
    (below / "second.yaml").write_text("extends: first.yaml\nname: second\n", encoding="utf-8")
    wanted = Plan(name="other", loop=Loop(steps=5, rates=(0.5,)))
    assert reader.load(below / "second.yaml", {"name": "other"}) == wanted
    (below / "round.yaml").write_text("extends: round.yaml\n", encoding="utf-8")
    with pytest.raises(Wrong, match=r"`extends` must lead to .*, got .*round.yaml"):
        reader.load(below / "round.yaml")
    (below / "lost.yaml").write_text("extends: nowhere\n", encoding="utf-8")
    with pytest.raises(Wrong, match="`plan` must be a YAML file or one of small, got nowhere"):
        reader.load(below / "lost.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nloop: {stepz: 1}", r"`loop.stepz` in .*file.yaml: Unexpected"),
        ("name: a\nloop: {steps: 0}", r"`loop.steps` in .*: Input should be greater"),
        ("name: a\nloop: {rates: [1, much]}", r"`loop.rates.1` in "),
        ("loop: {}", "`name` in "),
        ("[]", "`plan` in "),
        ("name: [", "`plan` must be valid YAML"),
        ("name: &a x\nloop: *a", "aliases"),
        ("name: " + "[" * 60 + "]" * 60, "nested more than 50 deep"),
    ],
)
def test_what_is_wrong_is_one_line(reader, tmp_path, text, message):
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Wrong, match=message) as error:
        reader.load(path)
    assert "\n" not in str(error.value)


def test_missing_files_and_overrides_of_nothing(reader):
    with pytest.raises(Wrong, match="`plan` must be a YAML file or one of small, got large"):
        reader.load("large")
    with pytest.raises(Wrong, match=r"`name\.x` must name a field of the plan"):
        reader.load("small", {"name.x": 1})
