"""From claims to a spec that passes the checks, of whichever kind the request is."""

from ppoc.draft.kinds import KINDS
from ppoc.draft.spec.drafts import Draft, NothingToDraftError
from ppoc.draft.text.claims import Reading


def compose(reading: Reading, name: str | None = None) -> Draft:
    """The spec of a reading.

    Raises:
        NothingToDraftError: no field is claimed.
    """
    if not reading.claims:
        raise NothingToDraftError([n for n in reading.notes if n.words])
    return KINDS[reading.kind].compose(reading, name)
