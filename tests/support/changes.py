"""Changes that a finding proposes, held against a language."""

from pydantic import BaseModel

from ppoc.compiler.front.values import model_of
from ppoc.runtime.health.findings import Finding


def check_changes(language: type[BaseModel], name: str, finding: Finding) -> None:
    """Each change of a finding names a key of a language, and another value than there is now."""
    for path, old, new in finding.changes:
        model = language
        *sections, key = path.split(".")
        for section in sections:
            model = model_of(model.model_fields[section].annotation)
        assert key in model.model_fields, (name, path)
        assert old != new
