// What the alerts say: in which order, in whose words, about which room. Pure.
import { isOpen, millis } from "./reducer.js";
import { feedClock, read } from "./trust.js";

export const PRIORITIES = ["critical", "high", "medium", "low"];
const rank = (pri) => { const i = PRIORITIES.indexOf(pri); return i < 0 ? PRIORITIES.length : i; };
const STATES = { UNACK: 0, RTNUN: 1, ACKED: 2, SHLVD: 3, NORM: 4 };

/** Untaken first, then by severity, then the oldest: whoever waits longest is on top. */
export const byUrgency = (a, b) =>
  (a.state === "UNACK" ? 0 : 1) - (b.state === "UNACK" ? 0 : 1) || rank(a.pri) - rank(b.pri)
  || STATES[a.state] - STATES[b.state] || millis(a.raised) - millis(b.raised) || (a.id < b.id ? -1 : 1);

const TAB = {
  unacked: (a) => a.state === "UNACK" || a.state === "RTNUN",
  active: (a) => a.state === "UNACK" || a.state === "ACKED",
  returned: (a) => a.state === "RTNUN",
  shelved: (a) => a.state === "SHLVD",
};

/** The alerts of an inbox tab, in order. History is what happened, the newest first. */
export function inTab(state, tab) {
  if (tab === "history") return [...state.log].reverse();
  return Object.values(state.alerts).filter(TAB[tab]).sort(byUrgency);
}

export const unacked = (state) => inTab(state, "unacked");
export const needsAttention = (state) => Object.values(state.alerts).filter((a) => isOpen(a) && a.state !== "SHLVD").sort(byUrgency);

/** The highest severity among alerts; "" for none. */
export const worst = (alerts) => PRIORITIES.find((pri) => alerts.some((a) => a.pri === pri)) ?? "";

/** The subject without its kind: `zone/foyer` and `foyer` are the same room. */
export const subjectId = (alert) => String(alert.subject ?? "").split("/").at(-1);

/** The worst alert that is still true at each subject: id -> alert. */
export function worstBySubject(state) {
  const found = {};
  for (const alert of needsAttention(state).filter((a) => a.state !== "RTNUN").reverse()) found[subjectId(alert)] = alert;
  return found;
}

export function subjectName(alert, venue, f) {
  const id = subjectId(alert);
  if (alert.text?.startsWith("venue")) return f.t("alert.whole");
  if (alert.text?.startsWith("device") && id === "all") return f.t("alert.devices_all");
  const known = alert.text?.startsWith("queue") ? venue?.queues?.[id] : venue?.zones?.[id];
  return known?.name || venue?.zones?.[id]?.name || id;
}

/** The room an alert is about: its own zone, its queue's, or the one behind a device's door. Null for none. */
export function zoneOf(alert, venue, sensors = {}) {
  const id = subjectId(alert);
  if (venue?.zones?.[id] && !alert.text?.startsWith("queue")) return id;
  const behind = venue?.queues?.[id]?.zone ?? venue?.receivers?.[id]?.zone;
  if (behind) return behind;
  const portal = venue?.portals?.[venue?.counters?.[id]?.portal];
  return portal?.between.find((z) => venue.zones[z]) ?? sensors[id]?.zones?.[0] ?? null;
}

/** The watched value as it is now, where a channel carries it; an episode itself only tells how it was raised. */
export function valueNow(alert, state, now) {
  const id = subjectId(alert);
  const kind = String(alert.text ?? "").split("_")[0];
  const clock = feedClock(state, now);
  const [ch, entry, pick] = {
    zone: ["zones", state.zones[id], (e) => e.occ],
    venue: ["kpi", state.kpi.venue, (e) => e.occ],
    queue: ["queues", state.queues[id], (e) => (e.p90 == null ? null : e.p90 / 60)],
    device: ["sensors", state.sensors[id], (e) => (e.last == null ? null : (clock - e.last) / 1000)],
  }[kind] ?? [];
  if (!ch || alert.state === "NORM" || alert.state === "RTNUN") return alert.value;
  const r = read(state, ch, entry, now);
  return r.shown ? pick(entry) : null;
}

/**
 * The number below which an alert that lasts although its value is under the limit will end (it must not flutter);
 * null when the value is over the limit, or when the rule is not the one in the venue's file.
 */
export function endsBelow(alert, venue, value) {
  const rule = venue?.rules?.[alert.rule];
  if (!rule || typeof value !== "number" || value > alert.limit || !["UNACK", "ACKED"].includes(alert.state)) return null;
  const [kind] = String(alert.text ?? "").split("_");
  const whole = { zone: venue.zones[subjectId(alert)]?.capacity, venue: venue.capacity, queue: 1 }[kind];
  return whole && Math.abs(rule.above * whole - alert.limit) < 0.5 ? rule.clear * whole : null;
}

/** The sentence of an alert, from its code and its numbers. An unknown code shows the rule's name and the numbers. */
export function sentence(alert, f, value = alert.value) {
  const code = String(alert.text ?? "");
  const params = {
    rule: alert.rule ?? code,
    value: f.quantity(value, alert.unit),
    limit: alert.unit === "people" ? f.n(alert.limit) : f.quantity(alert.limit, alert.unit),
  };
  if (code === "device_silent") return f.t(typeof value === "number" && value > 0 ? "alert.device_silent_for" : "alert.device_silent", params);
  const key = `alert.${code}`;
  const text = f.t(key, params);
  if (text !== key) return text;
  return typeof alert.limit === "number" ? f.t("alert.other", params) : f.t("alert.other_bare", params);
}

/** Alerts raised in the ten minutes before `clock` (ms, the feed's): the load of whoever reads them. */
export const load = (state, clock) =>
  new Set([...state.log, ...Object.values(state.alerts)].filter((a) => clock !== null && clock - millis(a.raised) < 600_000).map((a) => a.id)).size;

/**
 * What to say aloud: the critical and high alerts newly untaken since the ids in `said`, grouped, worst first.
 * Null when there is nothing to say.
 */
export function announcement(state, said, venue, f) {
  const fresh = inTab(state, "unacked").filter((a) => a.state === "UNACK" && rank(a.pri) <= 1 && !said.has(`${a.id}:${a.raised}`));
  if (fresh.length === 0) return null;
  const [first] = fresh;
  return {
    ids: fresh.map((a) => `${a.id}:${a.raised}`),
    text: f.t("alerts.announce", { n: fresh.length, pri: f.t(`pri.${first.pri}`), subject: subjectName(first, venue, f), text: sentence(first, f) }),
  };
}
