"""A Ray cluster: reached by its address or started on this machine, and its nodes looked at."""

import contextlib
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.experiments import machine
from ppoc.experiments.engine import EngineError
from ppoc.experiments.remote import not_shared
from ppoc.formats.files import create_file
from ppoc.formats.text import printable

REACH_SECONDS, STILL_SECONDS = 10.0, 2.0
PROBE_SECONDS = 120.0  # for a node's first process to start
STORE_BYTES = 80 << 20  # the least that Ray takes: files go by the storage
CLIENT = "ray://"


class Need(NamedTuple):
    """Cores and GPUs of a run; a part of a GPU is shared."""

    cpus: int
    gpus: float

    def times(self, node: dict[str, Any]) -> int:
        """How many runs a node has room for, were it empty."""
        has = node["Resources"]
        room = has.get("CPU", 0) // self.cpus
        return int(min(room, has.get("GPU", 0) // self.gpus) if self.gpus else room)

    def __str__(self) -> str:
        cpus = f"{self.cpus} CPU{'s' * (self.cpus > 1)}"
        return cpus + (f" and {self.gpus:g} GPU{'s' * (self.gpus > 1)}" if self.gpus else "")


class Cluster(NamedTuple):
    """A cluster that this process is connected to.

    Attributes:
        place: what it is, in words.
        folder: for its files; None where others began it.
        head: address at which it answers as long as it is there; None where it is far.
    """

    place: str
    folder: str | None
    head: str | None = None

    def answers(self) -> bool:
        """Whether the cluster is still there."""
        try:
            if self.head is not None:
                _reach(self.head, STILL_SECONDS)
        except EngineError:
            return False
        return True


def require() -> None:
    """See that Ray is installed.

    Raises:
        EngineError: it is not.
    """
    if find_spec("ray") is None:
        raise EngineError("the engine ray needs Ray: pip install 'ppoc[ray]'")


def connect(address: str | None) -> Cluster:
    """Connect this process to a cluster; `disconnect` ends that.

    Args:
        address: of Ray; "auto": the one that `ray start` began here; "local": a new one, which
            ends with this process. None: as the variable RAY_ADDRESS says, or a new one.

    Raises:
        EngineError: there is none, or it cannot be used.
    """
    require()
    asked = address or os.environ.get("RAY_ADDRESS") or None
    own, folder = asked in (None, "local"), None
    _keep_to_itself(own)
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if own:
        options |= {"address": "local", "num_cpus": machine.cores(), "include_dashboard": False}
        # A folder of this user alone, near enough for the paths of sockets.
        folder = options["_temp_dir"] = tempfile.mkdtemp(prefix="ppoc-ray-", dir="/tmp")
        options |= {"object_store_memory": STORE_BYTES, "_node_ip_address": "127.0.0.1"}
    else:
        options["address"] = asked
        _reach(asked)
    try:
        # Ray has its processes import from the folder in which this one stands.
        with _silent(), contextlib.chdir(os.sep):
            ray.init(**options)
        # It would print errors of its own whatever `log_to_driver` says.
        vars(sys.modules["ray._private.worker"])["_worker_logs_enabled"] = False
    except Exception as error:  # Ray raises that too, where its processes are slow to start
        disconnect(Cluster("", folder))
        what = "no Ray cluster can be started here" if own else f"no Ray cluster at {asked}"
        raise EngineError(f"{what}: {first_line(error)}") from error
    return Cluster(
        "a Ray cluster on this machine" if own else f"the Ray cluster at {asked}", folder
    )


def disconnect(cluster: Cluster) -> None:
    """Leave a cluster, which ends this process's tasks; one that was started here ends as well."""
    import ray

    with _silent(), contextlib.suppress(Exception):  # it may be gone already
        ray.shutdown()
    if cluster.folder is not None:
        shutil.rmtree(cluster.folder, ignore_errors=True)


def first_line(error: BaseException) -> str:
    """An error of Ray, which may be pages long, in a line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return printable(lines[0], 300)


def _keep_to_itself(own: bool) -> None:
    """Have Ray report nothing, and a new cluster obey this user alone."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if own and "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _reach(address: str, seconds: float = REACH_SECONDS) -> None:
    """See that something answers at an address; Ray itself waits for minutes.

    Raises:
        EngineError: nothing does.
    """
    host, _, port = address.removeprefix(CLIENT).partition("/")[0].rpartition(":")
    if not port.isdecimal() or not host:
        return  # a word, or what Ray will object to
    try:
        socket.create_connection((host.strip("[]"), int(port)), seconds).close()
    except (OSError, OverflowError) as error:
        raise EngineError(
            f"no Ray cluster answers at {address}: {error}; `ray status` on its machines shows one"
        ) from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep what Ray writes to standard error, past Python, from the terminal."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def alive() -> list[dict[str, Any]]:
    """The nodes of the cluster, as Ray tells of them."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def check_nodes(folder: Path, need: Need) -> list[str]:
    """See that each node that may get a run has ppoc, and sees the experiment; notes to tell.

    Raises:
        EngineError: one does not, or none has room for a run.
        OSError: nothing can be written to the folder.
    """
    nodes = alive()
    fit = [node for node in nodes if need.times(node)]
    if not fit:
        sizes = ", ".join(sorted({_size(node) for node in nodes})) or "nothing"
        raise EngineError(
            f"no node of the Ray cluster has {need} for a run, which would wait for ever: "
            f"its nodes have {sizes} each; change engine.cpus or engine.gpus"
        )
    token = f".ray-{secrets.token_hex(8)}"
    file = create_file(folder / token)
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        found = _probe(fit, folder / token)
    finally:
        file.close()
        (folder / token).unlink(missing_ok=True)
    own = version("ppoc")
    for name, said in found:
        if said["ppoc"] != own:
            has = f"ppoc {said['ppoc']}" if said["ppoc"] else "no ppoc"
            raise EngineError(
                f"{name} has {has} for {said['python']}, and this is {own}: install it there"
            )
        if not said["sees"]:
            raise EngineError(not_shared(name, folder))
    unlocked = [name for name, said in found if not said["locked"]]
    return [
        f"{', '.join(unlocked)}: locks of the storage do not reach there, so nothing but Ray keeps "
        "two machines from making the same run"
    ] * bool(unlocked)


def _size(node: dict[str, Any]) -> str:
    has = node["Resources"]
    return str(Need(int(has.get("CPU", 0)), has.get("GPU", 0)))


def _probe(nodes: Sequence[dict[str, Any]], file: Path) -> list[tuple[str, dict[str, Any]]]:
    """The name of each node, and what a process there finds."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def look(path: str) -> dict[str, Any]:
        # This goes to the node as text, for there may be no ppoc.
        import fcntl
        import os
        import sys
        from importlib.metadata import PackageNotFoundError, version

        found: dict[str, Any] = {"python": sys.executable, "sees": False, "locked": True}
        try:
            found["ppoc"] = version("ppoc")
        except PackageNotFoundError:
            found["ppoc"] = None
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW)) as file:
                found["sees"] = True
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    found["locked"] = False
                except OSError:
                    pass
        except OSError:
            pass
        return found

    task = ray.remote(num_cpus=0, max_retries=0)(look)
    asked = {}
    for node in nodes:
        where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked[task.options(scheduling_strategy=where).remote(str(file))] = node
    ready, slow = ray.wait(list(asked), num_returns=len(asked), timeout=PROBE_SECONDS)
    if slow:
        raise EngineError(f"{name_of(asked[slow[0]])} of the Ray cluster does not answer")
    found = []
    for answer in ready:
        try:
            found.append((name_of(asked[answer]), ray.get(answer)))
        except ray.exceptions.RayError as error:
            why = printable(str(error).strip().splitlines()[-1], 300)
            raise EngineError(f"{name_of(asked[answer])} cannot make runs: {why}") from error
    return found


def name_of(node: dict[str, Any]) -> str:
    """A node as people know it."""
    return printable(node["NodeManagerHostname"] or node["NodeManagerAddress"], 100)
