"""MTV's template: formatted, parsed, and refused where it does not parse."""

import pytest

from asva_dit import MTVPrompt

PROMPTS = [
    MTVPrompt("a kitchen at night."),
    MTVPrompt("a kitchen.", persons=("a man in red.",), speaking=1),
    MTVPrompt("a street,\nrain.", persons=("a woman: tall", "a man, 50."), speaking=2),
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_it_comes_back_as_it_was(prompt):
    assert MTVPrompt.parse(prompt.format()) == prompt
    assert MTVPrompt.parse(prompt.format()).format() == prompt.format()


def test_the_template_is_the_papers():
    assert PROMPTS[0].format() == "No conversation. Scene Description: a kitchen at night."
    assert PROMPTS[2].format() == (
        "Two person conversation. Persons: Person1: a woman: tall Person2: a man, 50. Person2 is speaking. "
        "Scene Description: a street,\nrain."
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a drum",
        "No conversation.",
        "One person conversation. Scene Description: x",
        "Three person conversation. Persons: Person1: a Person1 is speaking. Scene Description: x",
        "One person conversation. Persons: Person1: a Scene Description: x",
    ],
)
def test_what_does_not_parse_is_one_clear_error(text):
    with pytest.raises(ValueError, match="`prompt` must follow the template") as caught:
        MTVPrompt.parse(text)
    assert "MTVPrompt(...).format()" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "Two person conversation. Persons: Person1: a Person1 is speaking. Scene Description: x",
            "Person1 and Person2",
        ),
        ("One person conversation. Persons: Person2: a Person1 is speaking. Scene Description: x", "Person1 in order"),
        (
            "One person conversation. Persons: Person1: a Person2 is speaking. Scene Description: x",
            "`speaking` must be",
        ),
    ],
)
def test_persons_that_do_not_fit(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        MTVPrompt.parse(text)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"scene": " "}, "must hold words"),
        ({"scene": "x", "persons": ("a", "b", "c"), "speaking": 1}, "at most 2"),
        ({"scene": "x", "persons": ("a",)}, "`speaking` must be from 1 to 1"),
        ({"scene": "x", "speaking": 1}, "`speaking` must be from 0 to 0"),
        ({"scene": "Person1: x"}, "words of the template"),
    ],
)
def test_parts_that_do_not_fit(fields, complaint):
    with pytest.raises(ValueError, match=complaint):
        MTVPrompt(**fields)
