// The socket, driven by a fake one: no network, no waiting.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Feed, backoff } from "../../flowmon/feed/screens/js/feed.js";
import { CHANNELS, initial, reduce } from "../../flowmon/feed/screens/js/reducer.js";

class Socket {
  static all = [];
  constructor(url, protocol) { Object.assign(this, { url, protocol, readyState: 0, sent: [] }); Socket.all.push(this); }
  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.readyState = 3; this.onclose?.({ code: 1005 }); }
  accept() { this.readyState = 1; this.onopen(); }
  say(msg) { this.onmessage({ data: typeof msg === "string" ? msg : JSON.stringify(msg) }); }
  drop(code) { this.readyState = 3; this.onclose({ code }); }
}

function stage() {
  const world = { now: 0, timers: [], state: initial() };
  Socket.all = [];
  const feed = new Feed({
    url: "ws://museum/feed", WebSocket: Socket, random: () => 0.5, lang: () => "fr", version: "0.1.0",
    getState: () => world.state, dispatch: (a) => { world.state = reduce(world.state, a); }, now: () => world.now,
    setTimeout: (run, ms) => { const t = { run, at: world.now + ms }; world.timers.push(t); return t; },
    clearTimeout: (t) => { world.timers = world.timers.filter((x) => x !== t); },
  });
  const pass = (ms) => {
    const end = world.now + ms;
    for (;;) {
      const next = world.timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      world.timers = world.timers.filter((t) => t !== next);
      world.now = next.at;
      next.run();
    }
    world.now = end;
  };
  return { world, feed, pass, last: () => Socket.all.at(-1) };
}

const welcome = { t: "welcome", epoch: "e1", now: 0, hb_ms: 2000, mode: "live" };

test("hello, then every channel", () => {
  const { feed, last } = stage();
  feed.open();
  assert.equal(last().protocol, "flowmon.v1+json");
  last().accept();
  assert.deepEqual(last().sent[0], { t: "hello", v: 1, app: { name: "screens", ver: "0.1.0" }, lang: "fr" });
  last().say(welcome);
  assert.deepEqual(last().sent.slice(1).map((m) => m.ch), CHANNELS);
  assert.ok(last().sent.slice(1).every((m) => m.t === "sub" && m.since === undefined));
});

test("after a loss it resumes where it stood", () => {
  const { feed, pass, last } = stage();
  feed.open();
  last().accept();
  last().say(welcome);
  last().say({ t: "snap", ch: "zones", epoch: "e1", seq: 18, z: {} });
  last().drop(1006);
  pass(250);
  assert.equal(Socket.all.length, 2);
  last().accept();
  last().say(welcome);
  assert.deepEqual(last().sent.find((m) => m.ch === "zones").since, { epoch: "e1", seq: 18 });
});

test("a gap is answered with a fresh subscription, once", () => {
  const { feed, last } = stage();
  feed.open();
  last().accept();
  last().say(welcome);
  last().say({ t: "snap", ch: "zones", epoch: "e1", seq: 18, z: {} });
  last().sent.length = 0;
  last().say({ t: "delta", ch: "zones", from: 25, to: 26, z: {} });
  last().say({ t: "delta", ch: "zones", from: 27, to: 28, z: {} });
  assert.deepEqual(last().sent.map((m) => [m.t, m.ch, m.since]), [["sub", "zones", undefined]]);
});

test("silence for 2.5 heartbeats is death, a frame is life", () => {
  const { feed, pass, last, world } = stage();
  feed.open();
  last().accept();
  last().say(welcome);
  pass(4000);
  last().say({ t: "hb", at: 4000, seq: {} });
  pass(4900);
  assert.equal(Socket.all.length, 1);
  pass(5200);
  assert.ok(Socket.all.length >= 2, "a new socket was tried");
  assert.equal(Socket.all[0].readyState, 3, "the dead one is closed");
  assert.equal(world.state.conn.phase, "connecting");
});

test("the wait doubles up to ten seconds and is jittered over its whole length", () => {
  assert.deepEqual([0, 1, 2, 5, 6, 50].map((n) => backoff(n, () => 1)), [250, 500, 1000, 8000, 10_000, 10_000]);
  assert.equal(backoff(3, () => 0), 0);
});

test("it does not knock again where it is not wanted", () => {
  for (const code of [4400, 4401, 4403, 4406, 4426]) {
    const { feed, pass, last, world } = stage();
    feed.open();
    last().accept();
    last().drop(code);
    pass(60_000);
    assert.equal(Socket.all.length, 1, String(code));
    feed.wake();
    assert.equal(Socket.all.length, 1);
    assert.equal(world.state.conn.code, code);
  }
});

test("looking at the page again retries at once", () => {
  const { feed, last } = stage();
  feed.open();
  last().accept();
  last().drop(1001);
  feed.wake();
  assert.equal(Socket.all.length, 2);
});

test("credit tells what was painted, at most four times a second", () => {
  const { feed, last, world } = stage();
  feed.open();
  last().accept();
  last().say(welcome);
  last().say({ t: "snap", ch: "zones", epoch: "e1", seq: 18, z: {} });
  last().sent.length = 0;
  world.now = 1000;
  feed.credit(12.4);
  world.now = 1100;
  feed.credit(3);
  assert.deepEqual(last().sent, [{ t: "ok", seq: { zones: 18 }, seen_ms: 12 }]);
});

test("a command carries its key and waits as pending; without a socket it is refused", () => {
  const { feed, last, world } = stage();
  assert.equal(feed.command({ do: "ack", alert: "a", rev: 1 }), false);
  feed.open();
  last().accept();
  last().say(welcome);
  assert.equal(feed.command({ do: "ack", alert: "a", rev: 1, note: "n" }), true);
  const cmd = last().sent.at(-1);
  assert.match(cmd.idem, /^[0-9a-f]{16}$/);
  assert.deepEqual({ ...cmd, idem: 0, id: 0 }, { t: "cmd", id: 0, do: "ack", alert: "a", rev: 1, note: "n", idem: 0 });
  assert.equal(Object.keys(world.state.pending)[0], cmd.idem);
});

test("rubbish on the line is survived", () => {
  const { feed, last, world } = stage();
  feed.open();
  last().accept();
  for (const text of ["", "null", "[]", "{", "42", '"x"', '{"t":"snap","ch":"zones"}', '{"t":"ev","ch":"alerts"}', '{"t":"hb","at":"never"}', '{"t":"delta","ch":"__proto__"}']) last().say(text);
  assert.equal(world.state.conn.phase, "connecting");
});
