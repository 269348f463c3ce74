"""Values of experiments: keys of other specs, and changes to these."""

from typing import Annotated, Any

from pydantic import StringConstraints

from ppoc.compiler.front.values import KEY

Key = Annotated[str, StringConstraints(pattern=KEY, max_length=200)]  # `optimizer.actor.lr`
Changes = dict[Key, Any]
