// The one reducer of the screens: feed messages in, a new state out. Pure: it is told the time (`rx`, the browser's
// clock in ms) and never touches the network, the page or a random number, so recorded messages replay exactly.
//
// What the feed sends is flowmon.v1: snapshots and keyed merge deltas per channel, lossless `ev` for alerts,
// heartbeats as proof of life. A gap or a new epoch marks the channel `gap`; the socket then subscribes again.

export const CHANNELS = ["zones", "kpi", "queues", "sensors", "alerts", "why", "forecast", "audit"];
const LOG_KEEP = 200;
const FIXES_KEEP = 30; // corrections of a room
const TRENDS = {
  zones: { every: 20_000, keep: 7_200_000, pick: (z) => [z.occ, z.lo, z.hi] },
  queues: { every: 10_000, keep: 1_800_000, pick: (q) => [q.p50, q.p90, q.len] },
};

const channel = () => ({ epoch: null, seq: null, synced: false, gap: false, proved: null });

export function initial() {
  return {
    conn: {
      phase: "connecting", attempt: 0, code: null, lastRx: null, epoch: null, hbMs: 2000, mode: "live",
      simulated: false, rate: 1, can: null, clockAt: null, clockRx: null, lagMs: null, retryAt: null,
    },
    chans: Object.fromEntries(CHANNELS.map((c) => [c, channel()])),
    zones: {}, kpi: {}, queues: {}, sensors: {}, alerts: {}, why: {}, forecast: {}, fixes: {},
    log: [], pending: {}, refused: null,
    trends: { zones: {}, queues: {} },
  };
}

/** Milliseconds since the epoch, from what the wire carries: ms, or ISO 8601. Null when it is neither. */
export function millis(value) {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  const parsed = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(parsed) ? null : parsed;
}

/** RFC 7396 on plain objects, one level deep for entries: absent = unchanged, null = deleted. */
function merge(before, patch) {
  const after = { ...before };
  for (const [key, value] of Object.entries(patch ?? {})) {
    if (value === null) delete after[key];
    else after[key] = { ...after[key], ...value };
  }
  return after;
}

function grow(trends, name, entries, changed) {
  const rule = TRENDS[name];
  if (!rule) return trends;
  const series = { ...trends[name] };
  for (const key of changed) {
    const entry = entries[key];
    const at = millis(entry?.at);
    if (at === null) continue;
    const points = series[key] ?? [];
    const last = points.at(-1);
    if (last && at - last[0] < rule.every) continue;
    series[key] = [...points.filter((p) => p[0] > at - rule.keep), [at, ...rule.pick(entry).map((v) => v ?? null)]];
  }
  return { ...trends, [name]: series };
}

const withChannel = (state, ch, change) => ({ ...state, chans: { ...state.chans, [ch]: { ...state.chans[ch], ...change } } });

function welcome(state, m, rx) {
  const conn = {
    ...state.conn, phase: "open", attempt: 0, code: null, epoch: m.epoch ?? null, hbMs: m.hb_ms ?? 2000, mode: m.mode ?? "live",
    simulated: Boolean(m.simulated) || state.conn.simulated, rate: m.rate ?? 1, can: m.can ?? null,
    clockAt: millis(m.now) ?? state.conn.clockAt, clockRx: rx, lagMs: null,
  };
  // Another epoch counts its events from one again.
  if (state.chans.audit.epoch === conn.epoch) return { ...state, conn };
  return { ...state, conn, fixes: {}, chans: { ...state.chans, audit: channel() } };
}

/** One line of the audit log: corrections are kept by room, the rest is for those who mend devices. */
function audit(state, m, rx) {
  const chan = state.chans.audit;
  if (chan.seq !== null && m.seq <= chan.seq) return state; // a resume repeats what we have seen
  const next = withChannel(state, "audit", { seq: m.seq, proved: rx });
  const fix = m.audit;
  if (fix?.what !== "correction" || typeof fix.zone !== "string") return next;
  return { ...next, fixes: { ...state.fixes, [fix.zone]: [...(state.fixes[fix.zone] ?? []), fix].slice(-FIXES_KEEP) } };
}

/** The end of what was told of the past. Lost events are lost: what is known of corrections would have holes. */
function auditSnapshot(state, m, rx) {
  const { epoch } = state.chans.audit;
  const fixes = m.gap || (epoch !== null && epoch !== (m.epoch ?? epoch)) ? {} : state.fixes;
  return { ...withChannel(state, "audit", { epoch: m.epoch ?? state.conn.epoch, seq: m.seq ?? 0, synced: true, gap: false, proved: rx }), fixes };
}

function snapshot(state, m, rx) {
  const z = m.z ?? {};
  const known = state.chans[m.ch];
  // A resume answers with the keys changed since our cursor, and says so; anything else replaces what we had.
  const partial = Boolean(m.partial ?? m.resumed) && known.epoch === (m.epoch ?? known.epoch);
  const entries = partial ? merge(state[m.ch], z) : merge({}, z);
  const epoch = m.epoch ?? state.conn.epoch;
  const next = withChannel(state, m.ch, { epoch, seq: m.seq, synced: true, gap: false, proved: rx });
  // Another epoch is another history: a trend drawn across both would join unrelated numbers.
  const trends = known.epoch !== null && known.epoch !== epoch && state.trends[m.ch] ? { ...state.trends, [m.ch]: {} } : state.trends;
  return { ...next, [m.ch]: entries, trends: grow(trends, m.ch, entries, Object.keys(z)) };
}

function delta(state, m, rx) {
  const chan = state.chans[m.ch];
  if (!chan.synced || chan.gap) return state;
  if (m.to <= chan.seq) return withChannel(state, m.ch, { proved: rx });
  if (m.from > chan.seq + 1) return withChannel(state, m.ch, { gap: true, synced: false });
  const entries = merge(state[m.ch], m.z);
  const next = withChannel(state, m.ch, { seq: m.to, proved: rx });
  return { ...next, [m.ch]: entries, trends: grow(state.trends, m.ch, entries, Object.keys(m.z ?? {})) };
}

const CLOSED = new Set(["NORM"]);
export const isOpen = (alert) => !CLOSED.has(alert.state);

function event(state, m, rx) {
  const chan = state.chans[m.ch];
  if (m.gap) return withChannel(state, m.ch, { seq: m.seq ?? chan.seq, proved: rx, synced: true });
  const alert = m.alert;
  if (!alert?.id) return state;
  const before = state.alerts[alert.id];
  const next = withChannel(state, m.ch, { seq: Math.max(m.seq ?? 0, chan.seq ?? 0), proved: rx, synced: true });
  if (before && before.rev >= alert.rev) return next; // a resume repeats what we have seen
  const alerts = { ...state.alerts, [alert.id]: { ...alert, was: before?.state ?? null } };
  const log = [...state.log, alert].slice(-LOG_KEEP);
  return settle({ ...next, alerts: bounded(alerts), log }, alert);
}

/** Open alerts stay, of the closed ones the newest: a wall screen runs for weeks. */
function bounded(alerts) {
  const closed = Object.values(alerts).filter((a) => !isOpen(a));
  if (closed.length <= LOG_KEEP) return alerts;
  const drop = closed.sort((a, b) => millis(a.at) - millis(b.at)).slice(0, closed.length - LOG_KEEP);
  const kept = { ...alerts };
  for (const alert of drop) delete kept[alert.id];
  return kept;
}

/** Simulated once, simulated until the page is opened anew: a mark that comes and goes could be overlooked. */
export const isSimulated = (state, venue) =>
  Boolean(state.conn.simulated || venue?.simulated || [state.zones, state.kpi, state.queues, state.alerts].some((all) => Object.values(all).some((e) => e.sim)));

/** A command is over when the core has moved the alert on, not when the feed has taken the command. */
function settle(state, alert) {
  const pending = Object.fromEntries(Object.entries(state.pending).filter(([, p]) => p.alert !== alert.id || alert.rev <= p.rev));
  return { ...state, pending };
}

function result(state, m) {
  const found = Object.entries(state.pending).find(([, p]) => p.id === m.id);
  if (!found) return state;
  const [idem, command] = found;
  if (m.ok && command.alert) {
    const seen = state.alerts[command.alert];
    if (!seen || seen.rev <= command.rev) return { ...state, pending: { ...state.pending, [idem]: { ...command, taken: true } } };
  }
  const pending = { ...state.pending };
  delete pending[idem];
  const outcome = { alert: command.alert ?? null, zone: command.zone ?? null, do: command.do };
  return { ...state, pending, refused: m.ok ? { ...outcome, code: null } : { ...outcome, code: m.code ?? "refused", reason: m.reason ?? m.message ?? "" } };
}

function heartbeat(state, m, rx) {
  const chans = { ...state.chans };
  for (const ch of CHANNELS) if (chans[ch].synced) chans[ch] = { ...chans[ch], proved: rx };
  const conn = { ...state.conn, clockAt: millis(m.at) ?? state.conn.clockAt, clockRx: rx, lagMs: m.lag_ms ?? null, simulated: state.conn.simulated || Boolean(m.simulated) };
  return { ...state, chans, conn };
}

function message(state, m, rx) {
  const seen = { ...state, conn: { ...state.conn, lastRx: rx } };
  const known = !("ch" in m) || CHANNELS.includes(m.ch);
  if (!known) return seen;
  switch (m.t) {
    case "welcome": return welcome(seen, m, rx);
    case "snap": return (SNAPSHOTS[m.ch] ?? snapshot)(seen, m, rx);
    case "delta": return delta(seen, m, rx);
    case "ev": return m.ch === "audit" ? audit(seen, m, rx) : event(seen, m, rx);
    case "hb": return heartbeat(seen, m, rx);
    case "res": return result(seen, m);
    case "clock": return { ...seen, conn: { ...seen.conn, mode: m.mode ?? seen.conn.mode, rate: m.rate ?? seen.conn.rate } };
    default: return seen; // a newer feed may say more; what we do not know cannot hurt us
  }
}

/** Alerts that are open now. What we knew and the snapshot lacks has closed while we were away. */
function alertSnapshot(state, m, rx) {
  const listed = Array.isArray(m.alerts) ? m.alerts : Object.values(m.z ?? {});
  const next = withChannel(state, "alerts", { epoch: m.epoch ?? state.conn.epoch, seq: m.seq ?? 0, synced: true, gap: false, proved: rx });
  const closed = Object.fromEntries(Object.entries(state.alerts).filter(([, a]) => !isOpen(a)));
  const open = Object.fromEntries(listed.filter((a) => a?.id).map((a) => [a.id, { ...a, was: state.alerts[a.id]?.state ?? null }]));
  return listed.reduce((s, a) => settle(s, a), { ...next, alerts: { ...closed, ...open } });
}

const SNAPSHOTS = { alerts: alertSnapshot, audit: auditSnapshot };

/**
 * The next state. Actions:
 *   {type: "message", msg, rx}      a decoded feed message
 *   {type: "opening", attempt}      a socket is being opened
 *   {type: "closed", code, retryAt} the socket is gone; what it proved stays dated
 *   {type: "sent", command}         a command left: {id, idem, do, alert?, rev?, zone?}
 *   {type: "dismiss"}               the answer to a command has been read
 */
export function reduce(state, action) {
  switch (action.type) {
    case "message": return message(state, action.msg, action.rx);
    case "opening": return { ...state, conn: { ...state.conn, phase: "connecting", attempt: action.attempt, retryAt: null } };
    case "closed": {
      const chans = Object.fromEntries(Object.entries(state.chans).map(([ch, c]) => [ch, { ...c, synced: false, gap: false }]));
      // A command on a lost socket may or may not have arrived: the alert itself will tell.
      return { ...state, chans, pending: {}, conn: { ...state.conn, phase: "closed", code: action.code ?? null, retryAt: action.retryAt ?? null } };
    }
    case "sent": return { ...state, refused: null, pending: { ...state.pending, [action.command.idem]: action.command } };
    case "dismiss": return { ...state, refused: null };
    default: return state;
  }
}
