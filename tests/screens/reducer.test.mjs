// The reducer against recorded messages: what the screens know after each.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { initial, isSimulated, reduce } from "../../flowmon/feed/screens/js/reducer.js";
import { feedClock, feedTrust, monitorGone, read, trust } from "../../flowmon/feed/screens/js/trust.js";

const recorded = JSON.parse(readFileSync(new URL("recorded.json", import.meta.url)));
const say = (state, msg, rx = 5000) => reduce(state, { type: "message", msg, rx });
const after = (n = recorded.length) => recorded.slice(0, n).reduce((s, { msg, rx }) => say(s, msg, rx), initial());
const freeze = (o) => { Object.values(o).forEach((v) => v && typeof v === "object" && freeze(v)); return Object.freeze(o); };

test("a recorded session ends in the state it tells of", () => {
  const s = after();
  assert.equal(s.zones.foyer.occ, 43);
  assert.equal(s.zones.foyer.cap, 120, "an absent field is unchanged");
  assert.equal(s.zones.shop.occ, null, "null is unknown, not zero");
  assert.equal(s.chans.zones.seq, 44);
  assert.equal(s.alerts["zone-near.foyer.1"].state, "UNACK");
  assert.equal(feedClock(s, 3500), 1777723402500);
  assert.equal(isSimulated(s, null), true);
  assert.deepEqual(s.conn.can, ["ack"]);
});

test("the state given is never changed", () => {
  let s = freeze(after(2));
  for (const { msg, rx } of recorded.slice(2)) s = freeze(say(s, msg, rx));
});

test("an unknown message or channel only proves that the feed lives", () => {
  const s = after();
  const next = say(s, { t: "delta", ch: "nowhere", from: 1, to: 2, z: { a: { b: 1 } } }, 9000);
  assert.equal(next.conn.lastRx, 9000);
  assert.deepEqual({ ...next, conn: null }, { ...s, conn: null });
});

test("a gap withdraws the channel's standing until a snapshot heals it", () => {
  const gapped = say(after(), { t: "delta", ch: "zones", from: 47, to: 48, z: { foyer: { occ: 99 } } });
  assert.equal(gapped.chans.zones.gap, true);
  assert.equal(gapped.zones.foyer.occ, 43, "what came after a gap is not believed");
  const ignored = say(gapped, { t: "delta", ch: "zones", from: 49, to: 50, z: { foyer: { occ: 99 } } });
  assert.equal(ignored.zones.foyer.occ, 43);
  const healed = say(ignored, { t: "snap", ch: "zones", epoch: "k7Qp", seq: 50, z: { foyer: { occ: 50 } } });
  assert.deepEqual([healed.chans.zones.gap, healed.zones.foyer.occ, healed.zones.shop], [false, 50, undefined]);
});

test("an overlap or a repeat is harmless", () => {
  const s = after();
  const repeat = say(s, { t: "delta", ch: "zones", from: 41, to: 44, z: { foyer: { occ: 1 } } });
  assert.equal(repeat.zones.foyer.occ, 43);
  const overlap = say(s, { t: "delta", ch: "zones", from: 43, to: 46, z: { foyer: { occ: 44 } } });
  assert.deepEqual([overlap.zones.foyer.occ, overlap.chans.zones.seq], [44, 46]);
});

test("a resume sends only what changed; null removes a key", () => {
  const lost = reduce(after(), { type: "closed", code: 1006, retryAt: 6000 });
  const s = say(lost, { t: "snap", ch: "zones", epoch: "k7Qp", seq: 60, partial: true, z: { foyer: { occ: 10 }, shop: null } });
  assert.deepEqual([s.zones.foyer.occ, s.zones.foyer.cap, "shop" in s.zones], [10, 120, false]);
});

test("a partial snapshot of another epoch is taken as whole, and its curves start anew", () => {
  const before = after();
  assert.equal(before.trends.zones.foyer.length, 1);
  const s = say(before, { t: "snap", ch: "zones", epoch: "other", seq: 3, partial: true, z: { foyer: { occ: 5, lo: 4, hi: 6, at: 1000 } } });
  assert.deepEqual(Object.keys(s.zones), ["foyer"]);
  assert.equal(s.zones.foyer.cap, undefined);
  assert.deepEqual(s.trends.zones.foyer, [[1000, 5, 4, 6]]);
});

test("curves are thinned and bounded", () => {
  let s = after();
  for (let i = 1; i <= 2000; i++) {
    s = say(s, { t: "delta", ch: "queues", from: 7 + i, to: 7 + i, z: { tickets: { p50: i, at: 1777723399000 + i * 5000 } } });
  }
  const points = s.trends.queues.tickets;
  assert.ok(points.length <= 182, String(points.length));
  assert.ok(points.every((p, i) => i === 0 || p[0] - points[i - 1][0] >= 10_000));
});

test("an alert's revisions only go forward, whatever the order", () => {
  const a = after().alerts["zone-near.foyer.1"];
  const acked = say(after(), { t: "ev", ch: "alerts", seq: 6, alert: { ...a, state: "ACKED", rev: 2, by: "desk" } });
  const again = say(acked, { t: "ev", ch: "alerts", seq: 5, alert: a });
  assert.deepEqual([again.alerts[a.id].state, again.chans.alerts.seq], ["ACKED", 6]);
});

test("an acknowledgement is shown by the core's word alone", () => {
  const s = after();
  const a = s.alerts["zone-near.foyer.1"];
  const sent = reduce(s, { type: "sent", command: { id: 9, idem: "x1", do: "ack", alert: a.id, rev: 1 } });
  const taken = say(sent, { t: "res", id: 9, ok: true, rev: 2 });
  assert.equal(taken.alerts[a.id].state, "UNACK");
  assert.ok(taken.pending.x1, "still waiting for the alert itself");
  const confirmed = say(taken, { t: "ev", ch: "alerts", seq: 6, alert: { ...a, state: "ACKED", rev: 2, by: "desk" } });
  assert.deepEqual([confirmed.alerts[a.id].state, confirmed.pending], ["ACKED", {}]);
});

test("a refusal is kept until something else is asked", () => {
  const sent = reduce(after(), { type: "sent", command: { id: 9, idem: "x1", do: "ack", alert: "zone-near.foyer.1", rev: 1 } });
  const no = say(sent, { t: "res", id: 9, ok: false, code: "stale_rev", reason: "look again", retry: false });
  assert.deepEqual([no.refused.code, no.refused.alert, no.pending], ["stale_rev", "zone-near.foyer.1", {}]);
  assert.equal(say(no, { t: "res", id: 12345, ok: false, code: "x" }).refused.code, "stale_rev", "an answer to nobody changes nothing");
});

test("a snapshot of alerts lists the open ones; the others are over", () => {
  const s = say(after(), { t: "snap", ch: "alerts", epoch: "k7Qp", seq: 9, z: {} });
  assert.deepEqual(s.alerts, {});
});

const fix = (seq, over) => ({ t: "ev", ch: "audit", seq, audit: { what: "correction", zone: "foyer", before: 1, after: 2, reason: "beacons", by: "filter", note: "", at: seq, ...over } });

test("corrections are kept by room, once each, and forgotten with their history", () => {
  let s = say(after(), fix(4, {}));
  s = say(s, fix(5, { zone: "hall" }));
  s = say(s, { t: "ev", ch: "audit", seq: 6, audit: { what: "rejected", source: "x", reason: "y" } });
  s = say(s, { t: "snap", ch: "audit", epoch: "k7Qp", seq: 6, z: {} });
  s = say(s, fix(5, { zone: "hall" }));
  assert.deepEqual(Object.entries(s.fixes).map(([zone, all]) => [zone, all.map((x) => x.at)]), [["foyer", [4]], ["hall", [5]]]);
  assert.deepEqual([s.chans.audit.seq, s.chans.audit.synced], [6, true]);
  for (let i = 7; i < 200; i++) s = say(s, fix(i, {}));
  assert.ok(s.fixes.foyer.length <= 30);
  const holes = say(s, { t: "snap", ch: "audit", epoch: "k7Qp", seq: 5000, gap: true, z: {} });
  assert.deepEqual(holes.fixes, {});
  const anew = say(s, { t: "welcome", epoch: "other", hb_ms: 2000, mode: "live" });
  assert.deepEqual([anew.fixes, anew.chans.audit.seq], [{}, null]);
  assert.equal(say(anew, fix(1, {})).fixes.foyer.length, 1);
});

test("the alert log is bounded", () => {
  let s = after();
  for (let i = 0; i < 1000; i++) {
    s = say(s, { t: "ev", ch: "alerts", seq: 10 + i, alert: { id: `a${i}`, rev: 1, state: "NORM", pri: "low", raised: i, at: i } });
  }
  assert.ok(s.log.length <= 200);
  assert.ok(Object.keys(s.alerts).length <= 201, String(Object.keys(s.alerts).length));
  assert.ok(s.alerts["zone-near.foyer.1"], "an open alert is never dropped");
});

test("numbers are live, then greyed, then withdrawn", () => {
  const s = after();
  const at = 3100; // the last frame
  assert.deepEqual([feedTrust(s, at + 4900), feedTrust(s, at + 5100), feedTrust(s, at + 10_100)], ["live", "late", "gone"]);
  const shown = (now) => { const r = read(s, "zones", s.zones.foyer, now); return [r.shown, r.quality]; };
  assert.deepEqual(shown(3000), [true, "good"]);
  assert.deepEqual(shown(3000 + 6000), [true, "stale"]);
  assert.deepEqual(shown(3000 + 10_001), [false, "gone"]);
  assert.deepEqual(read(s, "zones", undefined, 3000).quality, "none");
  assert.equal(trust(initial(), "zones", 0), "never");
});

test("frames of another channel do not prove a channel that is not resumed", () => {
  const lost = reduce(after(), { type: "closed", code: 1006, retryAt: 6000 });
  const back = say(lost, { t: "hb", at: 1777723420000, seq: {}, lag_ms: 0 }, 20_000);
  assert.equal(feedTrust(back, 20_000), "live");
  assert.equal(read(back, "zones", back.zones.foyer, 20_000).shown, false);
});

test("a living feed in front of a dead monitor is not believed", () => {
  const s = say(after(), { t: "hb", at: 1777723430000, seq: {}, lag_ms: 29_000 }, 30_000);
  assert.equal(monitorGone(s), true);
  assert.equal(read(s, "zones", s.zones.foyer, 30_000).shown, false);
});

test("a number its channel stopped repeating is out of date on its own", () => {
  const s = say(after(), { t: "hb", at: 1777723401000 + 31_000, seq: {}, lag_ms: 100 }, 34_000);
  assert.equal(read(s, "zones", s.zones.foyer, 34_000).quality, "stale");
});
