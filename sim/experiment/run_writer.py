"""Writing a run so that it survives: whatever ends the process, the same command goes on.

While a run is unfinished its folder has, besides what `results.py` describes,

    unfinished/000012-<digest>   the tables of replication 12, packed
    .lock                        locked by the process that writes
    .part                        a file being written

Every replication is kept as soon as it is there, in a file that is whole or absent. 50 of them
become parts of the tables; only then are they removed. All files are moved into place, so nothing
that is registered in the manifest can be half a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sim
from sim.experiment import results
from sim.experiment.packing import TABLE_NAMES, Packed, frame_of, unpack
from sim.experiment.replications import counted
from sim.experiment.results import (
    MANIFEST,
    Run,
    RunError,
    check_part,
    differences,
    identity,
    json_text,
    open_run,
    read_manifest,
    scenario_data,
)
from sim.experiment.settings import RunSettings
from sim.experiment.worker_start import interrupts_put_off
from sim.language import _, ngettext
from sim.scenario import Scenario

_UNFINISHED = "unfinished"
_LOCK = ".lock"
_PART = ".part"
_LIBRARIES = ("numpy", "numba", "simpy", "scipy", "pandas", "pyarrow")


@cache
def code_digest() -> str:
    """SHA-256 of the program's files that decide about results (all but how they are shown)."""
    package, found = Path(sim.__file__).parent, hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if not name.startswith(("presentation/", "cli/")) and name != "language.py":
            found.update(f"{name}\0{path.read_text(encoding='utf-8')}\0".encode())
    return found.hexdigest()


def now() -> str:
    """The time, as manifests tell it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> dict[str, Any]:
    """With what a run is made: the program's code, versions and platform."""
    return {
        "code": code_digest(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def finished_run(
    folder: Path, scenario: Scenario, settings: RunSettings, fresh: bool = False
) -> Run | None:
    """The run that `folder` already holds, if it is this very one; None if it can be made there.

    It can be made in a new or empty folder, or where it is unfinished. Raises RunError if the
    folder holds anything else. `fresh`: make the same run anew, or one that another version of
    vaxsim has made.
    """
    try:
        if not folder.exists() or (
            folder.is_dir() and not set(os.listdir(folder)) - {_LOCK, _PART}
        ):
            return None
        if not folder.is_dir():
            raise RunError(
                _("{folder} is a file: name a folder for the results with --out").format(
                    folder=folder
                )
            )
    except OSError as error:
        raise RunError(
            _("{folder} cannot be used: {reason}").format(folder=folder, reason=error.strerror)
        ) from None
    if not (folder / MANIFEST).is_file():
        raise RunError(
            _("{folder} holds other files: name a new folder for the results with --out").format(
                folder=folder
            )
        )
    found = read_manifest(folder)
    differing = _differences(found, identity(scenario, settings), fresh)
    if differing:
        hint = " " + _("(--fresh replaces it)") if set(differing) == {"vaxsim"} else ""
        raise RunError(
            _(
                "{folder} holds another run ({differences}): name another folder with --out{hint}"
            ).format(folder=folder, differences="; ".join(differing.values()), hint=hint)
        )
    if fresh or not found["complete"]:
        return None
    if not being_written(folder):  # left by a process that was killed when all was done
        with contextlib.suppress(OSError):
            (folder / _LOCK).unlink(missing_ok=True)
    return open_run(folder)


def _differences(
    found: Mapping[str, Any], wanted: Mapping[str, Any], fresh: bool
) -> dict[str, str]:
    """In words, what makes another run of it."""
    differing = differences(found, wanted, fresh)
    if wanted["precision"] and found.get("precision"):  # the number of replications is a result
        differing.pop("replications", None)
    return differing


class RunWriter:
    """Writes a run into a folder that `finished_run` has found free, or goes on with it.

    A context manager that holds the folder's lock. If the block fails, what is there is kept, and
    the exception gets a note that says so; where nothing is there, nothing is left. An exit without
    an entry does nothing.
    """

    def __init__(
        self,
        folder: Path,
        scenario: Scenario,
        settings: RunSettings,
        raw: Mapping[str, Any] | None = None,
        fresh: bool = False,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._fresh = fresh
        self._identity = identity(scenario, settings)
        self._manifest: dict[str, Any] = {
            **self._identity,
            "complete": False,
            "title": scenario.title,
            "created_at": now(),
            **environment(),
            "parts": {name: [] for name in TABLE_NAMES},
            "scenario": raw or scenario_data(scenario),
        }
        self._kept: dict[int, Path] = {}
        self._created: list[Path] = []
        self._lock: Any = None

    def __enter__(self) -> RunWriter:
        """Make the folder and its manifest, or take over what is there."""
        try:
            with interrupts_put_off():
                self._claim()
        except BaseException as error:
            self._release()
            if isinstance(error, OSError):
                wanted = _("{folder} cannot be written: {reason}. Name another folder with --out")
                raise RunError(wanted.format(folder=self._folder, reason=error.strerror)) from None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        """Give the folder free."""
        held = self._lock is not None
        if error is not None and held and self.there and not self._manifest["complete"]:
            error.add_note(unfinished_text(self._folder, self.there, self._settings))
        self._release()

    # What is there ------------------------------------------------------------------------------

    @property
    def there(self) -> int:
        """Number of replications that are there: 0, 1, ... without a gap."""
        return _registered(self._manifest) + len(self._kept)

    def measures(self) -> Iterator[dict[str, float]]:
        """The measures of the replications that are there."""
        for part in Run(self._folder, self._manifest).parts("replications"):
            for row in part.to_dict("records"):
                yield {str(name): float(value) for name, value in row.items()}
        for path in self._kept.values():
            yield measures_in(path.read_bytes())

    # Writing ------------------------------------------------------------------------------------

    def add(self, replication: int, packed: Packed) -> None:
        """Keep the tables of the next replication."""
        if replication != self.there:
            raise ValueError(f"replication {replication} after {self.there} others")
        self._write_parts_if_full()  # where a process has ended just before it did
        digest = hashlib.sha256(packed).hexdigest()
        file = f"{_UNFINISHED}/{replication:06d}-{digest[:16]}"
        self._replace(file, packed)
        self._kept[replication] = self._folder / file
        self._write_parts_if_full()

    def finish(self, **results: Any) -> Run:
        """Write what is left and declare the run complete with the replications that are there."""
        if self._kept:
            self._write_parts()
        with contextlib.suppress(OSError):
            (self._folder / _UNFINISHED).rmdir()
        self._manifest |= {"complete": True, "replications": self.there, **results}
        self._write_manifest()
        return Run(self._folder, self._manifest)

    def _write_parts_if_full(self) -> None:
        if len(self._kept) == results.REPLICATIONS_PER_PART:
            self._write_parts()

    def _write_parts(self) -> None:
        batch = [unpack(path.read_bytes()) for path in self._kept.values()]
        added = {}
        for name in TABLE_NAMES:
            file = f"tables/{name}/part-{len(self._manifest['parts'][name]):05d}.parquet"
            rows, content = part_of(batch, name)
            self._replace(file, content, durable=True)
            digest = hashlib.sha256(content).hexdigest()
            added[name] = {
                "file": file,
                "rows": rows,
                "bytes": len(content),
                "sha256": digest,
            }
        for name, part in added.items():
            self._manifest["parts"][name].append(part)
        self._write_manifest()
        for path in self._kept.values():
            path.unlink(missing_ok=True)
        self._kept.clear()

    def _write_manifest(self) -> None:
        content = (json_text(self._manifest, indent=1) + "\n").encode()
        self._replace(MANIFEST, content, durable=True)

    def _replace(self, file: str, content: bytes, durable: bool = False) -> None:
        """Put a whole file into place; `durable`: it survives the loss of power too."""
        path, temporary = self._folder / file, self._folder / _PART
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as part:
                part.write(content)
                if durable:
                    part.flush()
                    os.fsync(part.fileno())
            os.replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise RunError(
                _("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)
            ) from None

    # Beginning and end --------------------------------------------------------------------------

    def _claim(self) -> None:
        for folder in (*reversed(self._folder.parents), self._folder):
            if not folder.is_dir():
                folder.mkdir()
                self._created.append(folder)
        self._lock = locked(self._folder)
        if self._fresh or not (self._folder / MANIFEST).is_file():
            for name in ("tables", _UNFINISHED):
                shutil.rmtree(self._folder / name, ignore_errors=True)
            self._write_manifest()
        else:
            self._go_on()

    def _go_on(self) -> None:
        """Take over what is there; notice what is damaged."""
        found = read_manifest(self._folder)
        if _differences(found, self._identity, fresh=False):
            raise RunError(
                _("another process has just made another run in {folder}").format(
                    folder=self._folder
                )
            )
        self._manifest = found
        for parts in found["parts"].values():
            for part in parts:
                check_part(self._folder, part)
        here = environment()
        if here != {key: found.get(key) for key in here} and not found["complete"]:
            others = [each for each in found.get("continued_with", []) if each != here]
            self._manifest["continued_with"] = [*others, here]
            self._write_manifest()
        for path in sorted((self._folder / _UNFINISHED).glob("*")):
            number, _dash, digest = path.name.partition("-")
            content = path.read_bytes()
            next_one = number.isdecimal() and int(number) == self.there
            if next_one and hashlib.sha256(content).hexdigest()[:16] == digest:
                self._kept[self.there] = path
            else:  # in a part already, or torn when power was lost, or after such a one
                path.unlink()

    @interrupts_put_off()
    def _release(self) -> None:
        """Unlock; where nothing is there, leave nothing."""
        if self._lock is not None:
            if not self.there and not self._manifest["complete"]:
                for name in ("tables", _UNFINISHED):
                    shutil.rmtree(self._folder / name, ignore_errors=True)
                (self._folder / MANIFEST).unlink(missing_ok=True)
            (self._folder / _PART).unlink(missing_ok=True)
            (self._folder / _LOCK).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None
        for folder in reversed(self._created):
            with contextlib.suppress(OSError):  # it holds something: leave it
                folder.rmdir()


def part_of(batch: Sequence[Mapping[str, Any]], table: str) -> tuple[int, bytes]:
    """Rows and Parquet content of a part: that table of some replications, one after another."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    whole = pa.concat_tables([tables[table] for tables in batch])
    pq.write_table(whole, buffer, compression="zstd")
    return whole.num_rows, buffer.getvalue()


def measures_in(packed: Packed, names: Sequence[str] = TABLE_NAMES) -> dict[str, float]:
    """The measures of a replication, by name; `names` are those of the packed tables."""
    rows = frame_of(unpack(packed, names)["replications"]).to_dict("records")
    return {str(name): float(value) for name, value in rows[0].items()}


def unfinished_text(folder: Path, there: int, settings: RunSettings) -> str:
    """How far an unfinished run is, in words."""
    of = None if settings.precision else settings.replications
    return ngettext(
        "{replications} is kept in {folder}; the same command goes on from there",
        "{replications} are kept in {folder}; the same command goes on from there",
        there if of is None else of,
    ).format(replications=counted(there, of), folder=folder)


def kept_replications(folder: Path) -> int:
    """Replications of an unfinished run that are there, those not yet in parts included."""
    manifest = read_manifest(folder)
    numbers = {int(path.name.partition("-")[0]) for path in (folder / _UNFINISHED).glob("[0-9]*-*")}
    registered = _registered(manifest)
    return registered + sum(number >= registered for number in numbers)


def being_written(folder: Path) -> bool:
    """Whether a process is writing into the folder now (where the system has such locks)."""
    try:
        with (folder / _LOCK).open() as lock:
            return not _try_lock(lock)
    except OSError:
        return False


def _registered(manifest: Mapping[str, Any]) -> int:
    """Replications in parts: the table `replications` has one row for each."""
    return sum(part["rows"] for part in manifest["parts"]["replications"])


def locked(folder: Path) -> Any:
    """The folder's lock file, locked. The system unlocks it when the process ends, however."""
    path = folder / _LOCK
    lock = path.open("w")
    # The lock file of a process that has just ended may be locked here and removed there
    if _try_lock(lock) and path.exists() and os.path.samestat(os.fstat(lock.fileno()), path.stat()):
        return lock
    lock.close()
    raise RunError(_("another process is writing into {folder}").format(folder=folder))


def _try_lock(file: Any) -> bool:
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
