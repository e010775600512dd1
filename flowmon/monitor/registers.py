"""What a cumulative register gained between two readings: restarts, wraps, settings by hand, readings out of order.

Theory of operation, one direction of one line, `old` the last reading and `new` this one, `dt` seconds later:

    new >= old   the difference; but a leap no door can make is a register set by hand: a new baseline, nothing gained
    new < old    a wrap at 2^16 or 2^32 when the way over the top is a likely one for this door; else a restart from
                 zero with `new` counted since; else (more than a door can make) set by hand: a new baseline

    A door can make 100 people, and 5 a second at most; where its own traffic is known, thrice its busiest so far, and
    never less than one in five seconds. So a restart near the top is not taken for a wrap, nor a set value for people.

    A value that grew is news whatever its stamp. One that fell and is stamped before the last reading is already in it,
    and gains nothing; unless the last one came after a restart, when it may tell what was counted before the restart
    and after the reading before. Where stamps cannot be believed, one that fell no lower than the reading before the
    last was overtaken too.

Failure mode: what was counted between a reading and a restart that followed it was never told to anybody; a register
set by hand to a value that its door could have reached is counted.
"""

from msgspec import Struct

TOPS = (1 << 16, 1 << 32)
BURST = 100
PEOPLE_PER_S_MAX = 5.0
PEOPLE_PER_S_MIN = 0.2
TIMES_BUSIEST = 3.0
BUSIEST_LASTS_S = 86_400.0
WRAP_BURST = 60
WRAP_PER_S_MIN = 0.1
LATE_MAX_S = 7_200.0
GAP_MAX_S = 7 * 86_400.0


class Register(Struct):
    """The last reading of one direction; prior: the value before it, -1 for none.

    past_*: the reading before the last restart, -1 for none, for as long as a reading of before may still come;
    began: the first reading after it.
    busiest: people a second, fading by the day. doubt: what made its next reading doubtful ("" nothing).
    """

    at: float
    value: int
    past_at: float = 0.0
    past_value: int = -1
    began: float = 0.0
    prior: int = -1
    busiest: float = -1.0
    doubt: str = ""


class Gain(Struct, frozen=True, gc=False):
    """People in a reading, the seconds in which they passed, and what there is to say of it ("" nothing)."""

    people: int
    period_s: float
    note: str = ""


NOTHING = Gain(0, 0.0)


def read(register: Register, at: float, new: int, *, ordered: bool = True) -> Gain:
    """The gain of a reading of `new` at `at`; the register remembers it. ordered: whether its stamp can be believed."""
    if register.past_value >= 0 and at - register.past_at > LATE_MAX_S:
        register.past_value = -1
    if register.at - at > LATE_MAX_S:
        return NOTHING
    if at < register.at and (ordered or not register.doubt):
        grew = register.value <= new <= register.value + _can(register, register.at - at)
        if not grew or register.past_value >= 0:
            return _late(register, at, new)
    if not ordered and 0 <= register.prior <= new < register.value and not register.doubt:
        return NOTHING
    at = max(at, register.at)
    old, dt, doubt = register.value, at - register.at, register.doubt
    before = register.at
    register.at, register.value, register.doubt, register.prior = at, new, "", old
    can = _can(register, dt)
    if doubt == "replaced" or dt > GAP_MAX_S:
        _began(register, before, old)
        why = "another device" if doubt else "silent for over a week"
        return Gain(0, 0.0, f"{why}: the register counts from {new} on")
    if old <= new <= old + can:
        _busy(register, new - old, dt)
        return Gain(new - old, dt)
    if new < old:
        for top in TOPS:
            if old < top and new + top - old <= _likely(register, dt):
                register.prior = 0
                return Gain(new + top - old, dt, f"the register wrapped at {top}: counted on")
        if new <= can and not doubt:
            _began(register, before, old)
            register.prior = 0
            return Gain(new, dt, f"the register restarted from {old} to {new}: the {new} are counted")
    _began(register, before, old)
    return Gain(0, 0.0, f"the register was set from {old} to {new}, which no door can make: nothing counted, goes on")


def _late(register: Register, at: float, new: int) -> Gain:
    """A reading that was overtaken: news only when it shows what was counted before a restart."""
    if register.past_at < at < register.began and 0 <= register.past_value <= new <= register.past_value + _can(
        register, at - register.past_at
    ):
        gained, period = new - register.past_value, at - register.past_at
        register.past_at, register.past_value = at, new
        return Gain(gained, period)
    return NOTHING


def _can(register: Register, dt: float) -> float:
    """The most people a door passes in `dt` seconds."""
    if register.busiest < 0:
        return BURST + PEOPLE_PER_S_MAX * dt
    busiest: float = register.busiest * 0.5 ** (dt / BUSIEST_LASTS_S)
    return BURST + dt * min(PEOPLE_PER_S_MAX, max(PEOPLE_PER_S_MIN, TIMES_BUSIEST * busiest))


def _likely(register: Register, dt: float) -> float:
    """The most people that are taken for a wrap: less than a door can make, as a restart near the top looks like it."""
    busiest: float = max(register.busiest, 0.0) * 0.5 ** (dt / BUSIEST_LASTS_S)
    return min(WRAP_BURST + dt * max(WRAP_PER_S_MIN, TIMES_BUSIEST * busiest), _can(register, dt))


def _began(register: Register, before: float, old: int) -> None:
    """A new count begins with the reading just remembered; `old` at `before` was the last of the one before."""
    register.past_at, register.past_value, register.began, register.prior = before, old, register.at, -1


def _busy(register: Register, people: int, dt: float) -> None:
    if dt >= 1.0:
        register.busiest = max(people / dt, register.busiest * 0.5 ** (dt / BUSIEST_LASTS_S))
