"""Values of experiments: keys of other specs, and changes to these."""

from typing import Annotated, Any

from pydantic import StringConstraints

# A key of a spec, with those of its sections before it: `optimizer.actor.lr`.
Key = Annotated[str, StringConstraints(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*){0,15}$", max_length=200)]
Changes = dict[Key, Any]
