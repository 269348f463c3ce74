"""From claims to a spec that passes the checks, of whichever kind the request is."""

from ppoc.draft.claims import Reading
from ppoc.draft.drafts import Draft, NothingToDraftError
from ppoc.draft.kinds import KINDS


def compose(reading: Reading, name: str | None = None) -> Draft:
    """The spec of a reading.

    Raises:
        NothingToDraftError: no field is claimed.
    """
    if not reading.claims:
        raise NothingToDraftError([n for n in reading.notes if n.words])
    return KINDS[reading.kind].compose(reading, name)
