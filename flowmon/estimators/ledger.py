"""Why a number is what it is: what moved each place since something last knew how many were there.

    value = base + Σ_doors moved + Σ_kinds evidence        exactly, for each place, at any time

base: the value after the last truth of that place. moved: people through each door-direction, gains applied.
evidence: what beacons, an impossible number or a truth elsewhere made of it.
"""

from typing import Literal, get_args

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]
Evidence = Literal["beacons", "negative", "truth", "usual"]
KINDS: tuple[Evidence, ...] = get_args(Evidence)


class LedgerState(Struct):
    """base (R,), moved (R, D) as float64 bytes, evidence: kind -> (R,)."""

    base: list[float]
    moved: bytes
    evidence: dict[str, list[float]]


class Account(Struct, frozen=True):
    """One place: its value is the sum of all of these. moved: direction -> people, signed; zeros left out."""

    base: float
    moved: dict[int, float]
    evidence: dict[str, float]

    @property
    def value(self) -> float:
        """Base, crossings and evidence added up."""
        return self.base + sum(self.moved.values()) + sum(self.evidence.values())


class Ledger:
    """Books of R places with D door-directions.

    >>> ledger = Ledger(2, 4)
    >>> ledger.moved[0] += [3.0, -1.0, 0.0, 0.0]
    >>> ledger.evidence["beacons"] += [0.5, -0.5]
    >>> ledger.account(0).value
    2.5
    >>> ledger.begin(0, 2.0)
    >>> ledger.account(0)
    Account(base=2.0, moved={}, evidence={})
    """

    def __init__(self, places: int, doors: int) -> None:
        self.base = np.zeros(places)
        self.moved = np.zeros((places, doors))
        self.evidence: dict[Evidence, Array] = {kind: np.zeros(places) for kind in KINDS}

    def begin(self, place: int, base: float) -> None:
        """The books of a place begin anew with `base` people."""
        self.base[place] = base
        self.moved[place] = 0.0
        for moves in self.evidence.values():
            moves[place] = 0.0

    def account(self, place: int) -> Account:
        """Everything that makes the value of a place."""
        return Account(
            base=float(self.base[place]),
            moved={int(door): float(self.moved[place, door]) for door in np.flatnonzero(self.moved[place])},
            evidence={kind: float(moves[place]) for kind, moves in self.evidence.items() if moves[place]},
        )

    @property
    def state(self) -> LedgerState:
        """A plain copy."""
        return LedgerState(
            base=self.base.tolist(),
            moved=self.moved.tobytes(),
            evidence={kind: moves.tolist() for kind, moves in self.evidence.items()},
        )

    @state.setter
    def state(self, state: LedgerState) -> None:
        self.base = np.array(state.base)
        self.moved = np.frombuffer(state.moved).reshape(self.moved.shape).copy()
        self.evidence = {kind: np.array(state.evidence[kind]) for kind in KINDS}
