"""Parameters that the runs of a folder have learnt, to be compared with those of another."""

from pathlib import Path
from typing import Any

from ppoc.runtime.records import checkpoint as checkpoints


def learnt(folder: Path) -> dict[str, Any]:
    """All that runs have learnt: the bytes of their checkpoints, and their metrics but rates."""
    found = {}
    for run in sorted(path for path in folder.iterdir() if path.is_dir()):
        rows = [row.rpartition(",")[0] for row in (run / "metrics.csv").read_text().splitlines()]
        newest = checkpoints.load_newest(run / "checkpoints")
        assert newest is not None
        tensors = (newest.path / "tensors.safetensors").read_bytes()
        found[run.name] = (newest.path.name, tensors, rows, (run / "evaluations.jsonl").read_text())
    return found
