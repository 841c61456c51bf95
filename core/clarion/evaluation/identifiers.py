"""Columns that say who, not what: addresses, ports and identifiers are never features."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clarion.errors import InvalidFrameError
from clarion.frames import Frame

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
IDENTIFYING = frozenset(
    {"addr", "address", "guid", "id", "identifier", "ip", "ipv", "mac", "port", "uid", "uuid"}
    | {"dport", "sport", "dstip", "srcip", "dstport", "srcport", "daddr", "saddr", "srcid", "dstid"}
)
"""Words that mark a column as an address, a port or an identifier."""
DERIVED = frozenset(
    {
        "bytes",
        "count",
        "diff",
        "distinct",
        "entropy",
        "flags",
        "len",
        "length",
        "max",
        "mean",
        "min",
    }
    | {"num", "number", "packets", "pkts", "rate", "ratio", "share", "size", "std", "sum", "ttl"}
)
"""Words that mark it as a measurement of such, like ``orig_ip_bytes`` or ``src_port_rate``: it stays."""


def without_identifiers(frame: Frame) -> tuple[Frame, tuple[str, ...]]:
    """Return ``frame`` without addresses, ports and identifiers, and the names of what was dropped.

    They tell who took part in an experiment, not what an attack looks like: with them a detector
    learns the laboratory (Arp et al. 2022, USENIX Security, pitfall P4). A name is split into words
    at punctuation, digits and capitals, and matched against `IDENTIFYING` and `DERIVED`.

    Raises
    ------
    InvalidFrameError
        Nothing is left.
    """
    dropped = tuple(name for name in frame.names if identifies(name))
    if not dropped:
        return frame, ()
    if len(dropped) == len(frame.names):
        raise InvalidFrameError(
            f"every signal is an address, a port or an identifier ({', '.join(dropped[:5])}); "
            "there is nothing to learn from",
            field="frame.signals",
        )
    kept = [signal for signal in frame.signals if signal.name not in set(dropped)]
    numeric = _columns([signal.name for signal in frame.of_kind(numeric=True)], dropped)
    coded = _columns([signal.name for signal in frame.of_kind(numeric=False)], dropped)
    smaller = replace(
        frame,
        signals=tuple(kept),
        values=np.ascontiguousarray(frame.values[:, numeric]),
        codes=np.ascontiguousarray(frame.codes[:, coded]),
    )
    return smaller, dropped


def identifies(name: str) -> bool:
    """Return whether a column of that name is an address, a port or an identifier."""
    words = {word.lower() for word in _WORDS.findall(name)}
    return bool(words & IDENTIFYING) and not words & DERIVED


def _columns(names: Sequence[str], dropped: Sequence[str]) -> list[int]:
    return [column for column, name in enumerate(names) if name not in set(dropped)]
