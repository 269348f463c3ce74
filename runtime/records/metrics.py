"""Metrics of a run, as `metrics.csv` and as TensorBoard events."""

import csv
import io
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ppoc.formats.files import LineFile, read_lines, write_whole
from ppoc.formats.reading import FormatError, open_regular

FLUSH_SECONDS = 5.0
LARGEST_FILE = 256 * 2**20  # bytes of a metrics.csv that is read: some million iterations
LONGEST_LINE = 2**16
STEP = re.compile(r"[0-9]{1,15}", re.ASCII)


class MetricsWriter:
    """Writes one row per iteration to `folder/metrics.csv` and `folder/tensorboard/`.

    Without the package tensorboard, which an ejected module may lack, only the former. The first
    row fixes the columns: `step`, then the metrics in the order given.
    """

    def __init__(
        self,
        folder: Path,
        resume_step: int | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Open the files of a new run, or those of one that goes on from step `resume_step`.

        Going on drops what a crash may have left: rows of steps that will be taken again, and a
        last line that was cut short.

        Args:
            say: is told, once, that TensorBoard's events cannot be written; the rows still are.

        Raises:
            FileExistsError: the run is new and the folder has metrics already.
            OSError: the folder cannot be written.
            FormatError: the metrics to go on with are none.
        """
        path = folder / "metrics.csv"
        self._columns: list[str] | None = None
        self._left_out: set[str] | None = None  # metrics of which the rows before know nothing
        if resume_step is not None and path.exists():
            self._columns = _drop_after(path, resume_step)
        self._file = LineFile(path, "x" if resume_step is None else "a")
        self._say = say
        self._events: _Events | None = None
        try:
            self._events = _Events(folder / "tensorboard", resume_step)
        except ImportError:
            pass
        except OSError as error:
            self._give_up_events(error)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append a row; a metric missing from `values` leaves its field empty.

        A run that an earlier version began goes on with the columns it has.

        Raises:
            ValueError: a metric has no column, because the first row here did not have it.
        """
        if self._columns is None:
            self._columns = ["step", *values]
            self._append(self._columns)
        unknown = [name for name in values if name not in self._columns]
        if self._left_out is None:
            self._left_out = set(unknown)
            if unknown and self._say is not None:
                self._say(
                    f"metrics.csv goes on without {', '.join(unknown)}: it has no such column"
                )
        if unknown := [name for name in unknown if name not in self._left_out]:
            raise ValueError(f"metrics.csv has no column for {', '.join(unknown)}")
        row = [repr(float(values[name])) if name in values else "" for name in self._columns[1:]]
        self._append([str(step), *row])
        if self._events is not None:
            try:
                self._events.write(step, values)
            except OSError as error:
                self._give_up_events(error)

    def _append(self, fields: Sequence[str]) -> None:
        self._file.append(_line(fields))

    def sync(self) -> None:
        """Wait until the rows so far are on the disk.

        Raises:
            OSError: they are not, or the file was removed.
        """
        self._file.sync()

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.close()
        if self._events is not None:
            try:
                self._events.close()
            except OSError as error:
                self._give_up_events(error)

    def _give_up_events(self, error: OSError) -> None:
        self._events = None
        if self._say is not None:
            cause = error.strerror or str(error)
            self._say(f"TensorBoard's events are not written any more ({cause}); metrics.csv is")


class _Events:
    """TensorBoard's events of one process, written in this thread.

    Neither torch's SummaryWriter, which takes seconds to import where TensorFlow is installed, nor
    TensorBoard's own, whose thread ends with a traceback on a full disk.

    Raises:
        ImportError: TensorBoard is not installed.
        OSError: the folder cannot be written; so do the methods.
    """

    def __init__(self, folder: Path, resume_step: int | None) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        host, pid, now = socket.gethostname(), os.getpid(), time.time()
        name = f"events.out.tfevents.{int(now):010d}.{host}.{pid}.{time.monotonic_ns()}"
        self._file = (folder / name).open("xb")
        self._records = RecordWriter(self._file)
        self._flushed = -FLUSH_SECONDS
        self._add(Event(wall_time=now, file_version="brain.Event:2"))
        if resume_step is not None:
            # TensorBoard then hides the events of the steps that will be taken again.
            start = SessionLog(status=SessionLog.START)
            self._add(Event(wall_time=now, step=resume_step + 1, session_log=start))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add an event with a scalar for each metric."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(Event(wall_time=time.time(), step=step, summary=Summary(value=scalars)))

    def _add(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
        now = time.monotonic()  # the clock on the wall may be set back
        if now - self._flushed >= FLUSH_SECONDS:
            self._flushed = now
            self._file.flush()

    def close(self) -> None:
        self._file.close()


def _line(fields: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(fields)
    return buffer.getvalue()


def read_rows(path: Path) -> Iterator[list[str]]:
    """The columns of a metrics file, and its rows, each with a step first.

    Raises:
        FormatError: a line is neither.
    """
    lines = read_lines(path)
    try:
        for number, row in enumerate(csv.reader(lines), 1):
            if number == 1:
                columns = row
                if row[:1] != ["step"] or len(set(row)) < len(row):
                    raise FormatError(f"{path}: line 1 does not name columns, `step` first")
            elif len(row) != len(columns) or not re.fullmatch(STEP, row[0]):
                message = f"line {number} is no row of {len(columns)} fields with a step first"
                raise FormatError(f"{path}: {message}; remove it, or the file")
            yield row
    except csv.Error as error:
        raise FormatError(f"{path} is no table: {error}") from error


def _drop_after(path: Path, step: int) -> list[str] | None:
    """Rewrite a metrics file without rows beyond `step`; its columns, or None if it has none."""
    rows = list(read_rows(path))
    kept = rows[:1] + [row for row in rows[1:] if int(row[0]) <= step]
    write_whole(path, "".join(f"{_line(row)}\n" for row in kept))
    return kept[0] if kept else None


def read_metrics(path: Path, notes: list[str]) -> Iterator[tuple[int, dict[str, float]]]:
    """Steps and metrics of a metrics.csv; rows that are torn or no numbers are left out."""
    skipped = 0
    try:
        with io.TextIOWrapper(
            open_regular(path, LARGEST_FILE), encoding="utf-8", errors="replace", newline=""
        ) as file:
            lines = (line for line in file if len(line) < LONGEST_LINE and "\0" not in line)
            reader = csv.reader(lines)
            columns = next(reader, [])
            for fields in reader:
                try:
                    if len(fields) != len(columns):
                        raise ValueError
                    values = zip(columns[1:], fields[1:], strict=True)
                    row = {name: float(value) for name, value in values if value}
                    if not re.fullmatch(STEP, fields[0]):
                        raise ValueError
                    yield int(fields[0]), row
                except (ValueError, OverflowError):
                    skipped += 1
    except FileNotFoundError:
        notes.append(f"there is no {path.name}: no iteration was finished")
    except (OSError, FormatError, csv.Error) as error:
        notes.append(f"{path.name} cannot be read: {error}")
    if skipped:
        notes.append(f"{path.name} has {skipped} lines that are torn or no numbers")
