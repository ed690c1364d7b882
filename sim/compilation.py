"""Kernels: functions compiled by numba, and where their compiled code is kept.

Numba keeps compiled code in files beside the source, else in the user's cache folder. Four things
are added to that: where neither can be written, a temporary folder serves; a damaged file is
compiled anew instead of ending the program; so is code whose own file has not changed, but one
from which it has kernels or named numbers; and whoever wants to know is told that compilation
begins, because it takes long the first time.
"""

# mypy: disable-error-code="no-untyped-call"
# (Numba's caches have no types.)

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher


def kernel(function: Callable[..., Any]) -> Any:
    """The function compiled at its first call; it releases the interpreter's lock.

    It makes no arrays or strings (else numba says that "NRT" is required): so it need not count
    references to those it is given, which took a sixth of the time of a replication.
    """
    return _compiled(function)


def allocating_kernel(function: Callable[..., Any]) -> Any:
    """The same for a function that makes arrays or gives a string back."""
    return _compiled(function, counts_references=True)


def inlined_kernel(function: Callable[..., Any]) -> Any:
    """A kernel that is copied into those that call it: for small functions in hot loops."""
    return _compiled(function, inlined=True)


_kernels: list[Dispatcher] = []
"""All that are not inlined, in the modules imported so far."""


def load_compiled() -> None:
    """Load at once what has been compiled before of the kernels; compile nothing.

    Those that other kernels call come with these.
    """
    functions = [each.py_func for each in _kernels]
    called = [f.__globals__.get(name) for f in functions for name in f.__code__.co_names]
    for each in _kernels:
        if not any(each is other for other in called):
            each._cache.load_all(each)  # type: ignore[attr-defined]


_on_compiling: Callable[[], None] | None = None


def when_compiling(tell: Callable[[], None]) -> None:
    """Have `tell` called once, when this process has to compile a kernel."""
    global _on_compiling
    _on_compiling = tell


def _compiled(
    function: Callable[..., Any], counts_references: bool = False, inlined: bool = False
) -> Any:
    # (Numba's types and documents do not know the last one, which its sources and issues do.)
    options: Any = {"nogil": True, "forceinline": inlined, "_nrt": counts_references}
    compiled = numba.njit(**options)(function)
    if isinstance(compiled, Dispatcher):  # not with NUMBA_DISABLE_JIT=1
        compiled._cache = _cache_of(function)  # type: ignore[attr-defined]
        if not inlined:
            _kernels.append(compiled)
    return compiled


class _Cache(FunctionCache):
    """Numba's cache of a function, which survives damaged files and full disks."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        # Numba looks at the function's own file alone.
        self._cache_file._source_stamp = _stamps(function.__module__)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled code for a signature; None: there is none (numba compiles it then)."""
        global _on_compiling
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # whatever reading half a pickle raises
            self.flush()
            found = None
        if found is None and _on_compiling is not None:
            tell, _on_compiling = _on_compiling, None
            tell()
        return found

    def load_all(self, function: Dispatcher) -> None:
        """Load the compiled code for all signatures of which there is any."""
        target: Any = function.targetctx
        with contextlib.suppress(Exception):  # a damaged file: compiled anew when it is called
            for key in self._cache_file._load_index():
                if key == self._index_key(key[0], target.codegen()):  # made for this processor
                    function.compile(key[0])

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep compiled code if that can be done."""
        with contextlib.suppress(OSError):  # this process has its code; the next compiles again
            super().save_overload(sig, data)


@cache
def _stamps(module: str) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of the files of a module and of those of the package from which it has
    kernels or classes, and so on."""
    package = __name__.partition(".")[0] + "."
    found, names = set(), [module]
    while names:
        name = names.pop()
        if name not in found:
            found.add(name)
            values = vars(sys.modules[name]).values()
            kernels = [value.py_func for value in values if isinstance(value, Dispatcher)]
            classes = [value for value in values if isinstance(value, type)]
            modules = {str(part.__module__) for part in [*kernels, *classes]}
            names += [each for each in modules if each.startswith(package)]
    files = {name: os.stat(str(sys.modules[name].__file__)) for name in sorted(found)}
    return tuple((name, file.st_mtime_ns, file.st_size) for name, file in files.items())


def _cache_of(function: Callable[..., Any]) -> _Cache:
    try:
        return _Cache(function)
    except RuntimeError:  # no folder can be written
        numba.config.CACHE_DIR = str(_temporary_folder())  # type: ignore[attr-defined]
        return _Cache(function)


def _temporary_folder() -> Path:
    """A folder for compiled code that nobody else can write: loading such code is running it."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"vaxsim-compiled-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="vaxsim-compiled-"))
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022
    if private and found.st_uid == user:
        return folder
    return Path(tempfile.mkdtemp(prefix="vaxsim-compiled-"))
