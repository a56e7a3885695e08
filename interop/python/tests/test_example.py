from pathlib import Path

import pytest

import example

PAGES = Path(__file__).parents[3] / "docs" / "spec"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_holds_the_worked_example_as_it_is_made(language: str) -> None:
    text = (PAGES / language / "specification.md").read_text(encoding="utf-8")
    assert f"```\n{example.example()}\n```\n" in text
