"""Whether the tests notice faults: one at a time is put into a copy, and what reaches it is tested.

    python benchmarks/mutation/run.py                       # the whole sample
    python benchmarks/mutation/run.py --again               # what survived, is new or has changed
    python benchmarks/mutation/run.py --only loss.jinja -v  # to look at a file

Faults are made by faults.py of the files in targets.yaml, which says what tests reach each,
quickest first; tests that compare texts are left out. A sample is drawn by a hash of each fault, so
that it stays the same where a file does. Writes benchmarks/results/mutation.md and mutation.json.
"""

import argparse
import hashlib
import importlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from faults import Fault, faults
from report import explanations, write_report
from ruamel.yaml import YAML

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "benchmarks" / "results"
VERDICTS = RESULTS / "mutation.json"
SEED = "1"
MOST_OF_A_FILE = 3
SECONDS = 120  # of a processor, for the tests of one fault: one that makes them hang is noticed too
# Faults that any run of the code shows are no measure of tests, and are left out.
TOO_EASY = ("SyntaxError", "NameError", "UnboundLocalError", "ImportError", "ModuleNotFoundError")
# Imported once, before the tests of each fault are run in a fork.
PRELOADED = (
    *("hypothesis", "jinja2", "pydantic", "pytest", "ruamel.yaml", "safetensors.torch"),
    *("gymnasium", "scipy.stats", "torch.func", "transformers", "stable_baselines3"),
)
QUICK = "not compiled or chunks"  # tests that compile take a minute, for one that they alone notice
OF_PPOC = ("ppoc.compiler.output.build", "ppoc.runtime.run.launch", "ppoc.runtime.run.trained")


class Sampled(NamedTuple):
    """A fault of a file, and the tests that reach it."""

    file: str
    fault: Fault
    tests: list[str]

    @property
    def template(self) -> bool:
        return self.file.endswith(".jinja")

    @property
    def key(self) -> str:
        return f"{self.file}: {self.fault.change}"


def main() -> None:
    """Draw the sample, run the tests of each fault, and record what was noticed.

    Tests that failed now are run once more without a fault, and must pass.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--again", action="store_true", help="keep the verdicts that hold")
    parser.add_argument("--only", metavar="TEXT", help="only files with this in their path")
    parser.add_argument("--most", type=int, default=MOST_OF_A_FILE, help="faults of a file")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what tests say")
    parser.add_argument("--copy", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.copy is None:
        with tempfile.TemporaryDirectory(prefix="ppoc-mutation-") as folder:
            python = make_copy(Path(folder))
            command = [str(python), __file__, *sys.argv[1:], "--copy", folder]
            sys.exit(subprocess.run(command, check=False).returncode)
    chosen = [x for x in sample(arguments.most) if (arguments.only or "") in x.file]
    known = read_verdicts() if arguments.again or arguments.only else {}
    verdicts, noticed = {}, set[str]()
    # Faults of Python are tried before ppoc is imported, those of templates after.
    for number, item in enumerate(sorted(chosen, key=lambda x: x.template), start=1):
        for name in (*PRELOADED, *(OF_PPOC if item.template else ())):
            importlib.import_module(name)
        digest = hashlib.sha256((ROOT / item.file).read_bytes()).hexdigest()[:16]
        verdict = known.get(item.key, {})
        told = verdict.get("outcome") != "survived" or item.key in explanations()
        if arguments.only or verdict.get("digest") != digest or not told:
            verdict = {"digest": digest, **try_fault(arguments.copy, item, arguments.verbose)}
            noticed |= {f"tests/{verdict['by']}"} if "::" in verdict["by"] else set()
        verdicts[item.key] = verdict
        print(
            f"{number}/{len(chosen)} {item.key}: {verdict['outcome']} {verdict['by']}", flush=True
        )
        write_verdicts(known | verdicts)
    status, said = run_tests(arguments.copy, sorted(noticed), 20 * SECONDS) if noticed else (0, "")
    if status != 0:
        raise SystemExit(f"tests fail without a fault too\n{said}")
    if not arguments.only:
        setup = f"Up to {arguments.most} of a file, drawn by a hash with seed {SEED}."
        write_verdicts(verdicts)
        write_report(RESULTS / "mutation.md", chosen, verdicts, setup)
    print(Counter(x["outcome"] for x in verdicts.values()))


def make_copy(folder: Path) -> Path:
    """Copy the tree, with an environment that imports ppoc from the copy; its interpreter."""
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    package = folder / "imported" / "ppoc"
    package.mkdir(parents=True)
    for init in folder.glob("*/py.typed"):
        (package / init.parent.name).symlink_to(init.parent)
    venv.create(folder / ".venv", symlinks=True)
    scheme = {"base": str(folder / ".venv"), "platbase": str(folder / ".venv")}
    places = [str(package.parent), *(x for x in sys.path if x.endswith("-packages"))]
    pth = Path(sysconfig.get_path("purelib", "venv", scheme)) / "copied.pth"
    pth.write_text("\n".join(places) + "\n", encoding="utf-8")
    return folder / ".venv" / "bin" / "python"


def sample(most: int) -> list[Sampled]:
    """Up to `most` faults of each file, fewer of short ones, of as many lines and operators."""
    targets = YAML(typ="safe").load((HERE / "targets.yaml").read_text(encoding="utf-8"))
    found = []
    for file, target in targets.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        template = file.endswith(".jinja")
        all_faults = faults(text, template=template, writes_source=target.get("source", False))
        ranked = sorted(all_faults, key=lambda x: _rank(file, x))
        count = min(most, max(1, round(len(ranked) ** 0.5 / 1.8)))
        chosen = _spread(ranked, min(count, len(ranked)))
        tests = [f"tests/{name}" for name in target["tests"]]
        found += [Sampled(file, x, tests) for x in sorted(chosen, key=lambda x: x.line)]
    return found


def _rank(file: str, fault: Fault) -> bytes:
    return hashlib.sha256("\0".join((SEED, file, fault.operator, fault.change)).encode()).digest()


def _spread(ranked: list[Fault], count: int) -> list[Fault]:
    """So many of some faults, the first of those that share least with what is chosen already."""
    chosen: list[Fault] = []
    for _ in range(count):
        seen = Counter(x.line for x in chosen) + Counter(x.operator for x in chosen)
        left = (x for x in ranked if x not in chosen)
        chosen.append(min(left, key=lambda x: seen[x.line] + seen[x.operator]))
    return chosen


def try_fault(copy: Path, item: Sampled, verbose: bool) -> dict[str, Any]:
    """The tests' verdict on a fault: killed and by which test, survived, or too easy."""
    path, text = copy / item.file, (ROOT / item.file).read_text(encoding="utf-8")
    times = path.stat()
    path.write_text(item.fault.put_into(text), encoding="utf-8")
    os.utime(path, (times.st_atime, times.st_mtime + 10))  # bytecode of before is not taken for it
    try:
        status, said = run_tests(copy, item.tests, SECONDS)
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, (times.st_atime, times.st_mtime))
    if verbose:
        print(said)
    if status is None:
        return {"outcome": "killed", "by": f"more than {SECONDS} s"}
    if status == 0:
        return {"outcome": "survived", "by": ""}
    found = re.search(r"^(?:FAILED|ERROR) (\S+)(?: - (\w+))?", said, re.MULTILINE)
    if found is None:
        raise SystemExit(f"{item.key}: no test was run\n{said}")
    outcome = "too easy" if found[2] in TOO_EASY else "killed"
    return {"outcome": outcome, "by": found[1].partition("[")[0].removeprefix("tests/")}


def run_tests(copy: Path, tests: list[str], seconds: int) -> tuple[int | None, str]:
    """Status and output of pytest in a fork; the status is None where it took too long."""
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            os.chdir(copy)
            os.environ |= {"COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"}
            sys.dont_write_bytecode = True
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
            status = importlib.import_module("pytest").main(
                ["-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-k", QUICK, *tests]
            )
            sys.stdout.flush()
            os._exit(int(status))
        end = time.monotonic() + 10 * seconds  # also where it only waits, and others are busy
        done = 0
        while not done and time.monotonic() < end:
            time.sleep(0.02)
            done, status = os.waitpid(child, os.WNOHANG)
        if not done:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
        output.seek(0)
        code = os.waitstatus_to_exitcode(status) if done else -signal.SIGKILL
        return None if code in (-signal.SIGKILL, -signal.SIGXCPU) else code, output.read()


def read_verdicts() -> dict[str, dict[str, Any]]:
    """The verdict on each fault that was tried."""
    found: dict[str, dict[str, Any]] = json.loads(VERDICTS.read_text(encoding="utf-8"))
    return found


def write_verdicts(verdicts: dict[str, dict[str, Any]]) -> None:
    """Keep what became of each fault: a run that is stopped is gone on with by --again."""
    text = json.dumps(verdicts, indent=1, ensure_ascii=False, sort_keys=True)
    VERDICTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
