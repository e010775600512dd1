"""The Markdown report of `flowmon score simulated`."""

from typing import Any

from flowmon.scoring.report import figure, grid, percent

METHODS = ("model", "raw", "clipped", "beacons")


def markdown(data: dict[str, Any], judged: dict[str, dict[str, Any]]) -> str:
    """All scenarios, one after the other; says what was simulated and how."""
    first, last = data["seeds"]
    radio = "simulated receivers (full)" if data["radio"] == "full" else "the truth with delay and errors, no radio"
    physics = "mismatched (heavy-tailed stays, bursts, correlated misses)" if data["mismatched"] else "matched"
    made = (
        f"**Simulated data.** Layout {data['layout']} ({data['venue']}, {data['zones']} zones), seeds {first} to "
        f"{last}, {data['learning_days']} learning days and {data['days']} scored days each, {percent(data['miss'])} "
        f"of crossings missed on average, physics {physics}. Beacons placed by {radio}. "
        "engine core.\n"
    )
    parts = [
        "# Scored on simulated days\n",
        made,
        "Figures are medians over the seeds, the worst seed in brackets.\n",
    ]
    if len(judged) > 1:
        parts.append(_overview(judged))
    for name, found in judged.items():
        parts += [f"## {name}: {found['title']}\n", _rooms(found), *_more(found)]
    return "\n".join(parts)


def _overview(judged: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, found in judged.items():
        model = found["methods"]["model"]
        rows.append(
            [
                name,
                _both(model, "zone_wape", percent),
                _both(model, "zone_cov90", percent),
                _both(model, "raw_ratio", figure),
                _both(model, "venue_mae_pct_peak", percent),
                _both(model, "affected_wape", percent),
            ]
        )
    return grid(["scenario", "room WAPE", "in 90 % band", "MAE ÷ raw", "venue MAE ÷ peak", "faulty rooms WAPE"], rows)


def _rooms(found: dict[str, Any]) -> str:
    rows = []
    for method in METHODS:
        values = found["methods"].get(method)
        if values is None:
            continue
        rows.append(
            [
                method,
                _both(values, "zone_wape", percent),
                _both(values, "zone_mae", figure),
                figure(values.get("zone_bias")),
                percent(values["zone_cov90"]) if "zone_cov90" in values else "",
                figure(values["zone_width"], 1) if "zone_width" in values else "",
                _both(values, "last_hour_mae", figure),
                _both(values, "affected_wape", percent),
                _both(values, "venue_mae_pct_peak", percent),
                figure(values.get("capacity_wrong_min"), 1),
            ]
        )
    header = ["rooms", "WAPE", "MAE", "bias", "in 90 % band", "width", "last hour MAE", "faulty rooms WAPE",
              "venue MAE ÷ peak", "wrong min/day"]  # fmt: skip
    mean = f"On average {found['mean_people']:.1f} people a room.\n"
    return grid(header, rows) + "\n" + mean


def _more(found: dict[str, Any]) -> list[str]:
    methods = found["methods"]
    parts = []
    waits = [
        [
            method,
            _both(methods[method], "wait_mae_s", lambda value: figure(value, 1)),
            figure(methods[method].get("wait_bias_s"), 1),
            _both(methods[method], "wait_within_2min", percent),
            figure(methods[method].get("wait_n"), 0),
        ]
        for method in ("model", "les", "ql")
        if "wait_mae_s" in methods.get(method, {})
    ]
    if waits:
        model = methods["model"]
        parts.append(grid(["waits", "MAE s", "bias s", "within 2 min", "parties a seed"], waits))
        parts.append(
            f"Mean wait of who waited {figure(model.get('wait_mean_s'), 0)} s; a sign “at most X min” kept "
            f"{_both(model, 'sign_kept', percent)}, overstating {figure(model.get('sign_over_s'), 0)} s.\n"
        )
    if (accuracy := methods["model"].get("beacon_accuracy")) is not None:
        parts.append(
            f"Beacons in the right room {percent(accuracy)}, settled "
            f"{_both(methods['model'], 'beacon_settled_accuracy', percent)}; room changes told ÷ true "
            f"{figure(methods['model'].get('beacon_switch_ratio'))}, delay "
            f"{figure(methods['model'].get('beacon_switch_delay_s'), 1)} s.\n"
        )
    rows = [
        [row["measure"], row["baseline"], figure(row["ratio"], 3), f"{figure(row['lo'], 3)} … {figure(row['hi'], 3)}",
         "beats" if row["beats"] else "loses" if row["loses"] else "neither"]
        for row in found["comparisons"]
    ]  # fmt: skip
    parts.append(grid(["measure", "against", "MAE ÷", "95 % interval", "verdict"], rows))
    cost, alerts = found["cost"], ", ".join(f"{rule} {count}" for rule, count in found["alerts"].items()) or "none"
    parts.append(
        f"Alerts on scored days: {alerts}. Cost a day: simulator {cost['simulator_s_per_day']} s, core "
        f"{cost['core_s_per_day']} s ({cost['facts_per_s']:,} facts/s).\n"
    )
    return parts


def _both(values: dict[str, Any], key: str, text: Any) -> str:
    if values.get(key) is None:
        return "—"
    return f"{text(values[key])} ({text(values.get(f'{key}_worst'))})"
