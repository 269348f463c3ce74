"""Metrics of a run, as `metrics.csv` and as TensorBoard events."""

import csv
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FLUSH_SECONDS = 5


class MetricsWriter:
    """Writes one row per iteration to `folder/metrics.csv` and `folder/tensorboard/`.

    Without the package tensorboard, which an ejected module may lack, only the former. The first
    row fixes the columns: `step`, then the metrics in the order given.
    """

    def __init__(self, folder: Path, resume_step: int | None = None) -> None:
        """Open the files of a new run, or those of one that goes on from step `resume_step`.

        Going on drops what a crash may have left: rows of steps that will be taken again, and a
        last line that was cut short.

        Raises:
            FileExistsError: the run is new and the folder has metrics already.
        """
        path = folder / "metrics.csv"
        self._columns: list[str] | None = None
        if resume_step is not None and path.exists():
            self._columns = _drop_after(path, resume_step)
        mode = "x" if resume_step is None else "a"
        self._file = path.open(mode, newline="", encoding="utf-8")
        self._events = _open_events(folder / "tensorboard", resume_step)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append a row; a metric missing from `values` leaves its field empty.

        Raises:
            ValueError: a metric has no column, because the first row did not have it.
        """
        if self._columns is None:
            self._columns = ["step", *values]
            self._append(self._columns)
        unknown = [name for name in values if name not in self._columns]
        if unknown:
            raise ValueError(f"metrics.csv has no column for {', '.join(unknown)}")
        row = [repr(float(values[name])) if name in values else "" for name in self._columns[1:]]
        self._append([str(step), *row])
        if self._events is not None:
            self._write_event(step, values)

    def _append(self, fields: Sequence[str]) -> None:
        csv.writer(self._file, lineterminator="\n").writerow(fields)
        self._file.flush()

    def _write_event(self, step: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        summary = Summary(value=scalars)
        self._events.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def sync(self) -> None:
        """Wait until the rows so far are on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.close()
        if self._events is not None:
            self._events.close()


def _open_events(folder: Path, resume_step: int | None) -> Any:
    """A writer of TensorBoard's events; None where it is not installed."""
    # Not torch's SummaryWriter, which takes seconds to import where TensorFlow is installed.
    try:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        return None
    events = EventFileWriter(str(folder), flush_secs=FLUSH_SECONDS)
    if resume_step is not None:
        # TensorBoard then hides the events of the steps that will be taken again.
        start = SessionLog(status=SessionLog.START)
        events.add_event(Event(step=resume_step + 1, session_log=start))
    return events


def _drop_after(path: Path, step: int) -> list[str] | None:
    """Rewrite a metrics file without rows beyond `step`; its columns, or None if it has none."""
    whole, newline, _ = path.read_text(encoding="utf-8").rpartition("\n")
    rows = list(csv.reader((whole + newline).splitlines()))
    kept = rows[:1] + [row for row in rows[1:] if int(row[0]) <= step]
    temporary = path.with_suffix(".csv.part")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(kept)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return kept[0] if kept else None
