// How far a shown number may be believed. Pure: every function is told the browser's time in ms.
//
// live     proof of life within 2.5 heartbeats
// late     none since then: greyed, the chip says STALE
// gone     none for ten seconds: the number is withdrawn and "—" stands in its place
// never    nothing has arrived yet
export const GONE_MS = 10_000;
/** The monitor repeats every state within ten seconds of its clock; findings later than this are not coming. */
export const MONITOR_GONE_MS = 20_000;
/** A number that its channel has not repeated for this long, by the feed's clock, is out of date on its own. */
export const OLD_MS = 30_000;
const REPEATED = new Set(["zones", "kpi", "queues"]);

function grade(age, hbMs) {
  if (age === null) return "never";
  if (age > GONE_MS) return "gone";
  return age > Math.min(2.5 * hbMs, GONE_MS) ? "late" : "live";
}

/** Milliseconds since any frame came from the feed; null before the first. */
export const proofAge = (state, now) => (state.conn.lastRx === null ? null : Math.max(0, now - state.conn.lastRx));

/** Milliseconds since the channel's numbers were last known to be current; null before the first. */
export function channelAge(state, ch, now) {
  const proved = state.chans[ch].proved;
  return proved === null ? null : Math.max(0, now - proved);
}

/** A silent monitor behind a living feed is as dead as a silent feed: `lag_ms` says how late its findings are. */
export function monitorGone(state) {
  const { lagMs, rate } = state.conn;
  return lagMs !== null && lagMs > MONITOR_GONE_MS && lagMs / Math.max(1, rate) > GONE_MS;
}

export function feedTrust(state, now) {
  const trust = grade(proofAge(state, now), state.conn.hbMs);
  return trust === "live" && monitorGone(state) ? "late" : trust;
}

export function trust(state, ch, now) {
  if (monitorGone(state) && state.chans[ch].proved !== null) return "gone";
  return grade(channelAge(state, ch, now), state.conn.hbMs);
}

/** The feed's clock now, ms: the last one heard, carried on at the feed's rate. Null once it cannot be known. */
export function feedClock(state, now) {
  const { clockAt, clockRx, rate } = state.conn;
  if (clockAt === null) return null;
  return clockAt + Math.max(0, now - clockRx) * (rate > 0 ? rate : 1);
}

/**
 * What a tile shows of one entry: {shown, quality, age}. `shown` false means "—".
 * quality: good | estimated | stale | bad | gone | none; age in ms by the feed's clock.
 */
export function read(state, ch, entry, now) {
  const how = trust(state, ch, now);
  const clock = feedClock(state, now);
  const age = entry?.at != null && clock !== null ? Math.max(0, clock - entry.at) : null;
  if (!entry) return { shown: false, quality: "none", age: null, how };
  if (how === "gone" || how === "never") return { shown: false, quality: "gone", age, how };
  const old = REPEATED.has(ch) && age !== null && age > OLD_MS * Math.max(1, state.conn.rate);
  const quality = how === "late" || old ? "stale" : (entry.q ?? "good");
  return { shown: true, quality, age, how };
}
