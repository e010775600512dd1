// The socket: opens /feed, says hello, subscribes, resumes by epoch and sequence, gives credit, comes back after a loss.
//
// All it knows about the numbers is in the reducer's state, which it reads to resume. Time, sockets and chance are
// arguments, so that the tests drive it without a network or a wait.
import { CHANNELS } from "./reducer.js";

export const PROTOCOL = "flowmon.v1+json";
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 10_000;
const CREDIT_EVERY_MS = 250;
/** Closing codes after which trying again cannot help: bad request, not allowed, wrong protocol, client too old. */
const TERMINAL = new Set([4400, 4401, 4403, 4406, 4426]);
const MAX_HZ = 2;
const PAST = 200; // events of the audit log that a page which opens is told of

/** Full jitter: anywhere between zero and the ceiling, so that a room full of screens does not return at once. */
export const backoff = (attempt, random) => random() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempt);

export class Feed {
  /**
   * @param {object} o url; getState(), dispatch(action); WebSocket, now(), random(), setTimeout, clearTimeout, lang, version
   */
  constructor(o) {
    Object.assign(this, o);
    this.socket = null;
    this.attempt = 0;
    this.nextId = 1;
    this.subscribed = new Map(); // channel -> time of asking
    this.creditAt = 0;
    this.retry = null;
    this.watch = null;
    this.stopped = false;
  }

  open() {
    this.clearTimeout(this.retry);
    this.dispatch({ type: "opening", attempt: this.attempt });
    const socket = new this.WebSocket(this.url, PROTOCOL);
    this.socket = socket;
    this.lastFrame = this.now();
    socket.onopen = () => this.send({ t: "hello", v: 1, app: { name: "screens", ver: this.version }, lang: this.lang() });
    socket.onmessage = (e) => this.socket === socket && this.receive(e.data);
    socket.onclose = (e) => this.socket === socket && this.lost(e.code);
    this.guard();
  }

  /** No frame for 2.5 heartbeats: browsers do not notice a dead link, so we do. */
  guard() {
    this.clearTimeout(this.watch);
    const patience = 2.5 * this.getState().conn.hbMs;
    this.watch = this.setTimeout(() => {
      if (this.now() - this.lastFrame < patience) return this.guard();
      const dead = this.socket;
      this.lost(4000);
      dead?.close();
    }, patience);
  }

  receive(text) {
    let msg;
    try {
      msg = JSON.parse(text);
    } catch {
      return; // not ours to crash on; the sequence numbers will show what is missing
    }
    if (msg === null || typeof msg !== "object") return;
    this.lastFrame = this.now();
    this.dispatch({ type: "message", msg, rx: this.lastFrame });
    if (msg.t === "welcome") {
      this.attempt = 0;
      this.subscribed.clear();
      for (const ch of CHANNELS) this.subscribe(ch);
    } else if (msg.ch && this.getState().chans[msg.ch]?.gap && !this.subscribed.has(msg.ch)) {
      this.subscribe(msg.ch);
    }
    if (msg.t === "snap") this.subscribed.delete(msg.ch);
  }

  subscribe(ch) {
    const { epoch, seq, gap } = this.getState().chans[ch];
    this.subscribed.set(ch, this.now());
    const sub = { t: "sub", id: this.nextId++, ch, max_hz: MAX_HZ };
    if (epoch !== null && seq !== null && !gap) sub.since = { epoch, seq };
    else if (ch === "audit") sub.last = PAST;
    this.send(sub);
  }

  /** Credit for what has been painted; `seenMs` is how long the paint took from the frame's arrival. False: not yet. */
  credit(seenMs) {
    if (!this.ready() || this.now() - this.creditAt < CREDIT_EVERY_MS) return false;
    const seq = {};
    for (const [ch, c] of Object.entries(this.getState().chans)) if (c.synced) seq[ch] = c.seq;
    this.creditAt = this.now();
    this.send({ t: "ok", seq, seen_ms: Math.round(seenMs) });
    return true;
  }

  /** Send a command; false when there is nobody to send it to. `fields` holds do, alert, rev, note… */
  command(fields) {
    if (!this.ready() || this.getState().conn.phase !== "open") return false;
    const command = { ...fields, id: this.nextId++, idem: this.token() };
    this.dispatch({ type: "sent", command });
    this.send({ t: "cmd", ...command });
    return true;
  }

  lost(code) {
    this.socket = null;
    this.clearTimeout(this.watch);
    const terminal = TERMINAL.has(code);
    const wait = backoff(this.attempt, this.random);
    this.dispatch({ type: "closed", code, retryAt: terminal ? null : this.now() + wait });
    if (terminal || this.stopped) return;
    this.attempt += 1;
    this.retry = this.setTimeout(() => this.open(), wait);
  }

  /** The tab is looked at again, or the network is back: do not wait for the backoff. */
  wake() {
    if (this.socket === null && !TERMINAL.has(this.getState().conn.code)) {
      this.attempt = 0;
      this.open();
    } else if (this.socket && this.now() - this.lastFrame > 2.5 * this.getState().conn.hbMs) {
      const dead = this.socket;
      this.attempt = 0;
      this.lost(4000);
      dead.close();
    }
  }

  close() {
    this.stopped = true;
    this.clearTimeout(this.retry);
    this.clearTimeout(this.watch);
    this.socket?.close();
  }

  ready() {
    return this.socket !== null && this.socket.readyState === 1;
  }

  send(message) {
    if (this.ready()) this.socket.send(JSON.stringify(message));
  }

  /** Sixteen random hex digits (randomUUID is missing on plain http, where museums' networks live). */
  token() {
    return Array.from({ length: 16 }, () => Math.floor(this.random() * 16).toString(16)).join("");
  }
}
