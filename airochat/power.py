"""Whether this machine runs on its battery."""

from __future__ import annotations

from pathlib import Path

_SUPPLIES = Path("/sys/class/power_supply")


def on_battery(supplies: Path = _SUPPLIES) -> bool:
    """Return whether a battery is being discharged and no mains supply is online; false where nobody tells.

    ``supplies`` is the folder in which Linux describes what feeds the machine.
    """
    discharging = online = False
    for supply in sorted(supplies.glob("*")):
        kind = _read(supply / "type")
        online |= kind in ("Mains", "USB") and _read(supply / "online") == "1"
        system = _read(supply / "scope") != "Device"
        discharging |= kind == "Battery" and system and _read(supply / "status") == "Discharging"
    return discharging and not online


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
