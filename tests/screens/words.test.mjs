// Words, numbers, addresses, plan geometry and the order of alerts: the pure parts beside the reducer.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { format, magnification, parse } from "../../flowmon/feed/screens/js/address.js";
import { announcement, byUrgency, endsBelow, inTab, load, sentence, subjectName, zoneOf } from "../../flowmon/feed/screens/js/alarms.js";
import { CATALOGUES, formatter } from "../../flowmon/feed/screens/js/format.js";
import { densityStep, inside, labelBox, neighbour } from "../../flowmon/feed/screens/js/geometry.js";
import { actionOf } from "../../flowmon/feed/screens/js/keys.js";

const js = new URL("../../flowmon/feed/screens/js/", import.meta.url);
const source = readdirSync(js).filter((n) => n.endsWith(".js")).map((n) => readFileSync(new URL(n, js), "utf8")).join("\n");
const { en, fr } = CATALOGUES;
const params = (text) => [...new Set(JSON.stringify(text).match(/\{\w+\}/g) ?? [])].sort();

test("both catalogues have the same keys, with the same parameters", () => {
  assert.deepEqual(Object.keys(fr).sort(), Object.keys(en).sort());
  for (const key of Object.keys(en)) {
    assert.deepEqual(params(fr[key]), params(en[key]), key);
    assert.equal(typeof fr[key], typeof en[key], key);
  }
});

test("every key the code asks for exists, and every key that exists is asked for", () => {
  const asked = [...source.matchAll(/["`]([a-z_0-9]+(?:\.[a-zA-Z_0-9]+)+)["`]/g)].map((m) => m[1]);
  const prefixes = new Set([...source.matchAll(/`([a-z]+(?:\.[a-z]+)*\.)\$\{/g)].map((m) => m[1]));
  const roots = new Set(Object.keys(en).map((k) => k.split(".")[0]));
  for (const key of asked.filter((k) => roots.has(k.split(".")[0]) && k !== "flowmon.letters" && k !== "flowmon.reloaded")) assert.ok(key in en, `missing: ${key}`);
  for (const key of Object.keys(en)) {
    assert.ok(asked.includes(key) || [...prefixes].some((p) => key.startsWith(p)), `nobody uses ${key}`);
  }
});

test("French has its fine spaces", () => {
  const texts = Object.entries(fr).flatMap(([key, t]) => (typeof t === "string" ? [[key, t]] : Object.values(t).map((x) => [key, x])));
  for (const [key, text] of texts) assert.doesNotMatch(text, /[^\u202f][;?!%»]|[^\u202f\w}]:|\w: |«[^\u202f]/, key);
});

test("numbers, waits and times speak the reader's language", () => {
  const f = formatter("fr", "Europe/Paris");
  const e = formatter("en", "Europe/Paris");
  assert.equal(f.n(3412.4), "3\u202f412");
  assert.equal(e.n(3412.4), "3,412");
  assert.equal(f.clock(1777723400000), "14:03:20");
  assert.equal(f.n(-0.2), "0");
  assert.deepEqual([f.n(null), f.n(NaN), f.age(null), f.interval(null, 3)], ["—", "—", "—", "—"]);
  assert.equal(f.interval(-2, 4.4), "0–4");
  assert.deepEqual([0, 59_000, 61_000, 3_720_000, 200_000_000].map(e.age), ["0 s", "59 s", "1 min", "1 h 02", "2 days"]);
  assert.deepEqual([0, 1, 60, 61].map(e.waitMinutes), [0, 1, 1, 2]);
  assert.equal(f.t("zone.people", { n: 1 }), "1 personne");
  assert.equal(e.t("zone.people", { n: 0 }), "0 people");
  assert.equal(formatter("en", "Not/AZone").clock(0), "00:00:00");
});

const venue = {
  zones: { foyer: { name: "Foyer" }, hall: { name: "Hall" } }, queues: { hall: { name: "Tickets", zone: "hall" } },
  portals: { p: { between: ["outside", "foyer"] } }, counters: { c1: { portal: "p" } }, receivers: { r1: { zone: "hall" } }, rules: {},
};
const alert = (over) => ({ id: "x", state: "UNACK", pri: "high", rev: 1, raised: 0, at: 0, subject: "foyer", rule: "near", text: "zone_above", value: 97.4, limit: 96, unit: "people", ...over });

test("an alert under its limit says where it ends, unless it is unknown or the rule is not the file's", () => {
  const venue = { zones: { foyer: { capacity: 100 } }, rules: { near: { above: 0.8, clear: 0.7 } } };
  const near = { rule: "near", subject: "foyer", text: "zone_above", state: "UNACK", limit: 80 };
  assert.equal(endsBelow(near, venue, 75), 70);
  assert.equal(endsBelow(near, venue, 81), null);
  assert.equal(endsBelow(near, venue, null), null);
  assert.equal(endsBelow({ ...near, state: "RTNUN" }, venue, 75), null);
  assert.equal(endsBelow({ ...near, limit: 90 }, venue, 75), null);
  assert.equal(endsBelow({ ...near, rule: "other" }, venue, 75), null);
  const long = { rule: "near", subject: "tickets", text: "queue_above", state: "ACKED", limit: 0.8 };
  assert.equal(endsBelow(long, venue, 0.75), 0.7);
});

test("an alert's code becomes a sentence; an unknown code falls back to its rule and numbers", () => {
  const e = formatter("en");
  assert.equal(sentence(alert(), e), "97 people, limit 96");
  assert.equal(sentence(alert({ text: "queue_above", value: 37.2, limit: 20, unit: "minutes" }), e), "wait of 37 min, limit 20 min");
  assert.equal(sentence(alert({ text: "device_silent", value: 130, limit: 90, unit: "seconds" }), e), "device silent, last heard 2 min ago");
  assert.equal(sentence(alert({ text: "never_heard_of", value: 3.21, limit: 2, unit: "lux" }), e), "near: 3.2 lux, limit 2.0 lux");
  assert.equal(sentence(alert({ text: "", value: null, limit: null }), e), "near");
  assert.equal(subjectName(alert({ subject: "zone/foyer" }), venue, e), "Foyer");
  assert.equal(subjectName(alert({ subject: "hall", text: "queue_above" }), venue, e), "Tickets");
  assert.equal(subjectName(alert({ subject: "unknown-room" }), venue, e), "unknown-room");
  assert.deepEqual([zoneOf(alert({ subject: "c1", text: "device_silent" }), venue), zoneOf(alert({ subject: "r1" }), venue), zoneOf(alert({ subject: "museum", text: "venue_above" }), venue)], ["foyer", "hall", null]);
});

test("untaken first, then by severity, then the oldest", () => {
  const list = [alert({ id: "a", state: "ACKED", pri: "critical" }), alert({ id: "b", pri: "low" }), alert({ id: "c", pri: "critical", raised: 9 }), alert({ id: "d", pri: "critical", raised: 3 })];
  assert.deepEqual(list.sort(byUrgency).map((a) => a.id), ["d", "c", "b", "a"]);
  const state = { alerts: Object.fromEntries(list.map((a) => [a.id, a])), log: [alert({ id: "z" }), alert({ id: "y" })] };
  assert.deepEqual(inTab(state, "unacked").map((a) => a.id), ["d", "c", "b"]);
  assert.deepEqual(inTab(state, "history").map((a) => a.id), ["y", "z"]);
  assert.equal(load(state, 700_000), 0);
  assert.equal(load(state, 500_000), 6);
});

test("news is spoken once, grouped, and only when it matters", () => {
  const e = formatter("en");
  const state = { alerts: { a: alert({ id: "a", pri: "critical" }), b: alert({ id: "b", subject: "hall" }), c: alert({ id: "c", pri: "low" }) }, log: [] };
  const news = announcement(state, new Set(), venue, e);
  assert.equal(news.text, "2 new alerts, highest critical: Foyer");
  assert.equal(announcement(state, new Set(news.ids), venue, e), null);
});

test("an address reads back to itself, and nonsense to the default", () => {
  for (const url of ["/floor", "/floor?floor=upper&theme=light&lang=fr", "/queues?scale=2&kiosk=1", "/alerts?tab=history&freeze=1", "/floor?room=foyer&view=table&dist=5"]) {
    const [path, query = ""] = url.split("?");
    assert.equal(format(parse(path, query)), url);
  }
  const odd = parse("/", "?floor=<script>&theme=pink&lang=de&scale=1e9&dist=x&view=3d&tab=&kiosk=0");
  assert.deepEqual([odd.screen, odd.floor, odd.theme, odd.lang, odd.scale, odd.dist, odd.view, odd.tab, odd.kiosk], ["floor", null, null, null, 4, null, "plan", "unacked", false]);
  assert.equal(parse("/nowhere", "").screen, "missing");
  assert.equal(magnification({ scale: null, dist: 5 }).toFixed(2), "2.36");
  assert.equal(magnification({ scale: null, dist: null }), 1);
  assert.equal(magnification({ scale: null, dist: null, kiosk: true }, 1920).toFixed(2), "1.41");
  assert.equal(magnification({ scale: null, dist: null, kiosk: true }, 1280), 1);
  assert.equal(magnification({ scale: 1, dist: null, kiosk: true }, 1920), 1);
});

test("a label's box lies inside the room", () => {
  const ell = [[12, 18], [36, 18], [36, 32], [24, 32], [24, 24], [12, 24]];
  const triangle = [[0, 0], [10, 0], [0, 10]];
  for (const room of [ell, triangle, [...ell].reverse()]) {
    const b = labelBox(room);
    assert.ok(b.w > 0 && b.h > 0);
    for (const [x, y] of [[b.x, b.y], [b.x + b.w, b.y], [b.x, b.y + b.h], [b.x + b.w, b.y + b.h]]) {
      assert.ok(inside(room, x + (b.x + b.w / 2 - x) * 0.01, y + (b.y + b.h / 2 - y) * 0.01), JSON.stringify(b));
    }
  }
  assert.deepEqual(labelBox(ell), { x: 24, y: 18, w: 12, h: 14 });
  assert.deepEqual(labelBox([[0, 0], [1, 1]]), { x: 0, y: 0, w: 1, h: 1 }, "an outline nothing fits in");
});

test("arrows lead through doors first", () => {
  const at = (x, y) => ({ box: { x, y, w: 2, h: 2 } });
  const zones = { a: at(0, 0), b: at(4, 0), far: at(12, 1), below: at(0, 6) };
  assert.equal(neighbour(zones, [["a", "b"]], "a", "ArrowRight"), "b");
  assert.equal(neighbour(zones, [], "a", "ArrowDown"), "below");
  assert.equal(neighbour(zones, [], "a", "ArrowLeft"), null);
  assert.equal(neighbour(zones, [], "a", "x"), null);
});

test("density falls on a step of the ramp", () => {
  assert.deepEqual([0, 0.05, 0.19, 0.5, 9, null, NaN].map(densityStep), [0, 1, 2, 4, 4, null, null]);
});

test("letters act only when they are ours", () => {
  const free = { typing: false, letters: true };
  assert.equal(actionOf({ key: "a" }, free), "ack");
  assert.equal(actionOf({ key: "A" }, free), "ack");
  assert.equal(actionOf({ key: "a", ctrlKey: true }, free), null);
  assert.equal(actionOf({ key: "a" }, { typing: true, letters: true }), null);
  assert.equal(actionOf({ key: "a" }, { typing: false, letters: false }), null);
  assert.equal(actionOf({ key: "Enter" }, free), null);
});
