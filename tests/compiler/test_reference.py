"""docs/language.md is what the models say."""

from pathlib import Path

from ppoc.compiler.reference import markdown

DOCS = Path(__file__).parents[2] / "docs"


def test_the_language_reference_is_current():
    """`ppoc schema --markdown > docs/language.md` brings it up to date."""
    assert (DOCS / "language.md").read_text(encoding="utf-8") == markdown()


def test_the_reference_has_every_key_with_its_range_and_default():
    text = markdown()
    assert "| `lambda` | number, ≥ 0, ≤ 1 | `0.95` |" in text
    assert "| `id` | text | required |" in text
    assert "whole number" in next(line for line in text.splitlines() if "`rollout_steps`" in line)
