"""What memory this machine has for a model: free RAM, and the free memory of every GPU."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_V1 = _CGROUP / "memory"
_PATIENCE_S = 5.0
UNKNOWN = 1 << 62
"""Stands for an amount of memory that the system does not tell, or does not limit."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU and its memory in bytes."""

    name: str
    free: int
    total: int
    shared: bool = False
    """Whether its memory is the system's own."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Memory that a model may take, in bytes."""

    ram: int
    """What programs can still have without driving others out."""
    ram_total: int
    """All that could be had at most, with swap, within the limits set for this process."""
    gpus: tuple[Gpu, ...] = ()
    """The GPUs that llama.cpp computes on; an integrated one only where there is no other."""

    @property
    def cards(self) -> tuple[Gpu, ...]:
        """The GPUs that have memory of their own."""
        return tuple(gpu for gpu in self.gpus if not gpu.shared)


def this_machine() -> Machine:
    """Ask the system and llama.cpp, which is imported for it, what memory is free now."""
    from airochat.backends.llama import devices

    free, total = ram()
    found = [Gpu(*one) for one in devices.memory()]
    own = tuple(gpu for gpu in found if not gpu.shared)
    return Machine(free or UNKNOWN, total or UNKNOWN, own or tuple(found))


def ram() -> tuple[int, int]:
    """Return the bytes of RAM that are free, and of all memory with swap; zeros where the system does not tell."""
    if sys.platform == "win32":
        return _windows()
    if sys.platform == "darwin":
        return _macos()
    return _linux()


def unused_cards() -> list[str]:
    """Return the names of NVIDIA cards that the system's own tool knows, whatever llama.cpp can use."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    return [
        line.strip() for line in _output(tool, "--query-gpu=name", "--format=csv,noheader") if line.strip()
    ]


def _linux() -> tuple[int, int]:
    facts = {}
    with contextlib.suppress(OSError):
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            digits = value.split()
            facts[name] = int(digits[0]) * 1024 if digits and digits[0].isdigit() else 0
    free = facts.get("MemAvailable", facts.get("MemFree", 0))
    total = facts.get("MemTotal", 0) + facts.get("SwapTotal", 0)
    limit, used = _limit()
    return (min(free, max(0, limit - used)), min(total, limit)) if limit else (free, total)


def _limit() -> tuple[int, int]:
    """Return what the control group of this process may take, and takes now; zeros without a limit.

    Pages of files are not counted as taken, since they are given up when memory is asked for.
    """
    for limit, used, pages in (
        (_CGROUP / "memory.max", _CGROUP / "memory.current", _CGROUP / "memory.stat"),
        (_V1 / "memory.limit_in_bytes", _V1 / "memory.usage_in_bytes", _V1 / "memory.stat"),
    ):
        most = _number(limit)
        if 0 < most < 1 << 60:
            return most, max(0, _number(used) - _file_pages(pages))
    return 0, 0


def _file_pages(path: Path) -> int:
    with contextlib.suppress(OSError):
        facts = dict(
            line.split(" ", 1) for line in path.read_text(encoding="ascii").splitlines() if " " in line
        )
        return sum(int(facts.get(name, "0")) for name in ("inactive_file", "active_file"))
    return 0


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def _macos() -> tuple[int, int]:
    pages = {name: int(count) for line in _output("vm_stat") for name, count in _PAGES.findall(line)}
    names = ("Pages free", "Pages inactive", "Pages speculative", "Pages purgeable")
    # The swap file grows as needed, so that there is no total.
    return sum(pages.get(name, 0) for name in names) * mmap.PAGESIZE, 0


_PAGES = re.compile(r"^(Pages [\w ]+):\s+(\d+)")


class _Status(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = [
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("total_page", ctypes.c_ulonglong),
        ("free_page", ctypes.c_ulonglong),
        ("total_virtual", ctypes.c_ulonglong),
        ("free_virtual", ctypes.c_ulonglong),
        ("extended", ctypes.c_ulonglong),
    ]


def _windows() -> tuple[int, int]:
    status = _Status()
    status.length = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 (mypy knows it on Windows only)
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return 0, 0
    return status.free, status.total_page


def _output(*command: str) -> list[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
