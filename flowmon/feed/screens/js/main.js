// The page: puts the socket, the reducer, the address and the screens together, and paints at most once a frame.
import { html, render } from "./vendor/lit-html/lit-html.js";
import { format, magnification, parse } from "./address.js";
import { announcement, inTab, unacked, zoneOf } from "./alarms.js";
import { ackable, mayAck } from "./alertcard.js";
import { alertsScreen } from "./alerts.js";
import { banners, helpDialog, mode, topBar } from "./chrome.js";
import { Feed } from "./feed.js";
import { floorScreen } from "./floor.js";
import { formatter } from "./format.js";
import { patterns } from "./icons.js";
import { actionOf } from "./keys.js";
import { blank } from "./parts.js";
import { queuesScreen } from "./queues.js";
import { initial, isSimulated, reduce } from "./reducer.js";
import { sensorsScreen } from "./sensors.js";
import "./trend.js";

const VERSION = "0.1.0";
const REPAINT_MS = 500; // ages and clocks move without any message
const SPEAK_EVERY_MS = 10_000;
const VENUE_RETRY_MS = 3_000;
const STACKED = 1072; // px at scale 1 below which the side column goes under the plan

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const page = document.getElementById("app");
const help = document.getElementById("help");
const speech = document.getElementById("speech");
const status = document.getElementById("feed-status");

let state = initial();
let venue = null;
let venueError = false;
let address = parse(location.pathname, location.search);
let frozen = null; // {state, now}: what the display stood still on
let dirty = false;
let heardAt = null; // when the first frame of this paint arrived
let owed = null; // the slowest paint that no credit has told of yet, ms
let spokenAt = -Infinity;
let said = null; // alerts already announced; null until the first list, which is old news
const ui = { held: null, hovered: false, chosen: null, noting: null };
const store = {
  get letters() { return localStorage.getItem("flowmon.letters") !== "off"; },
  set letters(on) { localStorage.setItem("flowmon.letters", on ? "on" : "off"); },
};

const language = () => address.lang ?? (navigator.language.toLowerCase().startsWith("fr") ? "fr" : "en");
const theme = () => address.theme ?? (dark.matches ? "dark" : "light");

function dispatch(action) {
  state = reduce(state, action);
  if (action.type === "message") {
    heardAt ??= action.rx;
    // A hidden tab paints nothing; it still takes its messages, and says so, or the feed would cut it off.
    if (document.hidden) queueMicrotask(() => feed.credit(0));
    if (action.msg.t === "welcome" && !venue) loadVenue();
  }
  if (action.type === "closed" && action.code === 4426 && !sessionStorage.getItem("flowmon.reloaded")) {
    sessionStorage.setItem("flowmon.reloaded", "1");
    location.reload();
  }
  repaint();
}

function repaint() {
  if (dirty) return;
  dirty = true;
  requestAnimationFrame(paint);
}

const feed = new Feed({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/feed`,
  getState: () => state, dispatch, WebSocket, now: Date.now, random: Math.random,
  setTimeout: setTimeout.bind(window), clearTimeout: clearTimeout.bind(window), lang: language, version: VERSION,
});

async function loadVenue() {
  try {
    const answer = await fetch("/api/venue", { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    venue = await answer.json();
    venueError = false;
  } catch {
    venueError = true;
    setTimeout(() => venue ?? loadVenue(), VENUE_RETRY_MS);
  }
  repaint();
}

// -- what people do

function navigate(change, { replace = false } = {}) {
  const before = address;
  address = { ...address, ...change };
  if (address.screen !== before.screen || address.tab !== before.tab) Object.assign(ui, { held: null, noting: null, chosen: null });
  history[replace ? "replaceState" : "pushState"](null, "", format(address));
  repaint();
  // Otherwise the reader would be left at the bottom of another screen.
  if (address.screen !== before.screen) scrollTo(0, 0);
}

function hold(on) {
  if (on && ui.held === null) ui.held = inTab(state, address.tab).map((a) => a.id);
  if (!on && !page.querySelector(".inbox:hover, .inbox:focus-within")) ui.held = null;
  repaint();
}

const act = {
  navigate,
  hold,
  release: () => { document.activeElement?.blur(); ui.held = inTab(state, address.tab).map((a) => a.id); repaint(); },
  select: (id) => { ui.chosen = id; repaint(); },
  note: (id) => {
    ui.noting = id;
    if (id) ui.chosen = id;
    repaint();
    requestAnimationFrame(() => requestAnimationFrame(() => (id ? page.querySelector(".note-form input") : card(ui.chosen))?.focus()));
  },
  ack: (alert, note = "") => {
    if (frozen || !ackable(alert) || !mayAck(state) || Object.values(state.pending).some((p) => p.alert === alert.id)) return;
    ui.noting = null;
    // The button goes, its card stays: focus would fall off the page, and the list would move.
    if (card(alert.id)?.contains(document.activeElement)) card(alert.id).focus();
    feed.command({ do: "ack", alert: alert.id, rev: alert.rev, ...(note ? { note } : {}) });
  },
  recount: (zone, people, form) => { if (!frozen && feed.command({ do: "recount", zone, people })) form.reset(); },
  go: (alert) => {
    const room = zoneOf(alert, venue, state.sensors);
    if (room) navigate({ screen: "floor", room, floor: venue.zones[room].floor, view: "plan" });
  },
  help: () => { render(helpDialog({ f: formatter(language()), act, theme: theme(), letters: store.letters }), help); help.showModal(); },
  closeHelp: () => help.close(),
  letters: (on) => { store.letters = on; repaint(); },
  freeze: () => {
    frozen = frozen ? null : { state, now: Date.now() };
    if (!frozen && address.freeze) navigate({ freeze: false }, { replace: true });
    repaint();
  },
  reload: () => location.reload(),
};

const card = (id) => page.querySelector(`[data-alert="${CSS.escape(id ?? "")}"]`);

function step(by) {
  const listed = [...page.querySelectorAll("[data-alert]")];
  if (!listed.length) return;
  const at = listed.findIndex((c) => c.dataset.alert === ui.chosen);
  const next = listed[at < 0 ? (by > 0 ? 0 : listed.length - 1) : Math.min(listed.length - 1, Math.max(0, at + by))];
  ui.chosen = next.dataset.alert;
  next.focus();
  if (document.activeElement !== next) next.querySelector("button")?.focus();
  repaint();
}

/** The alert that the keys act on: the chosen one, or the only sensible one, the most urgent that is listed. */
function target() {
  const visible = [...page.querySelectorAll("[data-alert]")].map((c) => state.alerts[c.dataset.alert]).filter(Boolean);
  return visible.find((a) => a.id === ui.chosen) ?? visible.find(ackable) ?? null;
}

const DO = {
  floor: () => navigate({ screen: "floor" }), queues: () => navigate({ screen: "queues" }), alerts: () => navigate({ screen: "alerts" }),
  sensors: () => navigate({ screen: "sensors" }),
  ack: () => { const alert = target(); if (alert) act.ack(alert); },
  note: () => { const alert = target(); if (alert && ackable(alert) && address.screen === "alerts") act.note(alert.id); },
  next: () => step(1), previous: () => step(-1),
  go: () => { const alert = target(); if (alert) act.go(alert); },
  table: () => navigate({ view: address.view === "table" ? "plan" : "table" }),
  freeze: act.freeze, help: act.help,
};

addEventListener("keydown", (event) => {
  if (help.open) return;
  const typing = event.target.matches?.("input, textarea, select");
  const name = actionOf(event, { typing, letters: store.letters });
  if (!name) return;
  event.preventDefault();
  DO[name]();
});
page.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-screen]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  navigate({ screen: link.dataset.screen });
});
addEventListener("popstate", () => { address = parse(location.pathname, location.search); repaint(); });
help.addEventListener("click", (event) => event.target === help && help.close());
dark.addEventListener("change", repaint);
for (const name of ["online", "focus", "pageshow"]) addEventListener(name, () => feed.wake());
document.addEventListener("visibilitychange", () => { if (!document.hidden) { feed.wake(); repaint(); keepAwake(); } });

// -- what people see

const size = { width: 0, height: 0 };
const observer = new ResizeObserver(measure);
function measure() {
  const box = page.querySelector("[data-measure]");
  if (!box) return;
  observer.observe(box);
  const style = getComputedStyle(box);
  const width = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  // The plan takes what the window leaves below it, and never less than a usable strip.
  const scale = magnification(address, innerWidth);
  const below = innerHeight - (box.getBoundingClientRect().top + scrollY) - (strip(scale) ? 56 : 64) * scale;
  const height = Math.max(below, strip(scale) ? 0 : Math.min(420 * scale, innerHeight * 0.5), 220);
  if (Math.abs(width - size.width) > 0.5 || Math.abs(height - size.height) > 1) {
    Object.assign(size, { width, height });
    repaint();
  }
}
addEventListener("resize", () => { repaint(); measure(); });

function screen(o) {
  if (address.screen === "missing") return html`<div class="panel">${blank(o.f.t("error.page"), "", html`<p><a href="/floor" data-screen="floor">${o.f.t("error.home")}</a></p>`)}</div>`;
  if (!venue) {
    return html`<div class="panel" role="status">${venueError
      ? blank(o.f.t("error.venue"), o.f.t("error.venue_help", { path: "/api/venue" }), html`<button type="button" class="secondary" @click=${loadVenue}>${o.f.t("error.again")}</button>`)
      : blank(o.f.t("load.venue"))}</div>`;
  }
  return { floor: floorScreen, queues: queuesScreen, alerts: alertsScreen, sensors: sensorsScreen }[address.screen](o);
}

/** Enlarged for a distance, a wall has no room for a side column, and nobody touches it: what needs attention becomes a strip. */
const strip = (scale) => address.kiosk && scale > 1 && innerWidth / scale <= STACKED && innerWidth > innerHeight;

function dress(f, scale) {
  root.lang = f.lang;
  root.dataset.theme = theme();
  root.dataset.screen = address.screen;
  root.toggleAttribute("data-kiosk", address.kiosk);
  root.toggleAttribute("data-frozen", frozen !== null);
  root.toggleAttribute("data-replay", state.conn.mode !== "live");
  root.style.setProperty("--scale", String(scale));
  // Enlarged for a distance, a wall holds as little as a phone: layouts go by the width that is left.
  const width = innerWidth / scale;
  root.toggleAttribute("data-stacked", width <= STACKED);
  root.toggleAttribute("data-strip", strip(scale));
  root.toggleAttribute("data-middle", width <= 960);
  root.toggleAttribute("data-narrow", width <= 752);
  const n = unacked(state).length;
  const marks = [isSimulated(state, venue) ? `[${f.t("mode.simulated")}] ` : "", n ? `(${n}) ` : ""].join("");
  document.title = `${marks}${address.screen === "missing" ? "" : `${f.t(`nav.${address.screen}`)} · `}${venue?.name ?? f.t("app.title")}`;
}

function speak(f, now) {
  const how = f.t(`mode.status.${mode(state, now, frozen !== null).replace("replay", "live")}`);
  if (status.textContent !== how) status.textContent = how;
  if (!venue || !state.chans.alerts.synced) return;
  said ??= new Set(Object.values(state.alerts).map((a) => `${a.id}:${a.raised}`));
  if (now - spokenAt < SPEAK_EVERY_MS) return;
  const news = announcement(state, said, venue, f);
  if (!news) return;
  news.ids.forEach((id) => said.add(id));
  spokenAt = now;
  speech.textContent = news.text;
}

function paint() {
  dirty = false;
  const liveNow = Date.now();
  const f = formatter(language(), venue?.timezone);
  const scale = magnification(address, innerWidth);
  if (address.freeze && !frozen && state.chans.zones.synced && state.chans.alerts.synced && venue) frozen = { state, now: liveNow };
  const shown = frozen ?? { state, now: liveNow };
  const since = frozen ? Object.values(state.alerts).filter((a) => a.state === "UNACK" && frozen.state.alerts[a.id]?.state !== "UNACK").length : 0;
  const o = { ...shown, venue, f, address, act, ui, size, scale, strip: strip(scale), theme: theme(), letters: store.letters, frozen: frozen !== null, liveState: state, liveNow, since };
  dress(f, scale);
  render(html`<a class="skip" href="#content">${f.t("nav.skip")}</a>${topBar(o)}
    <div class="banners">${banners(o)}</div><main id="content" tabindex="-1">${screen(o)}</main>`, page);
  if (help.open) render(helpDialog(o), help);
  measure();
  speak(f, liveNow);
  if (heardAt !== null) owed = Math.max(owed ?? 0, Date.now() - heardAt);
  heardAt = null;
  if (owed !== null && feed.credit(owed)) owed = null;
}

/** A wall screen must not go dark; where the browser cannot promise that, the wall's own settings must. */
async function keepAwake() {
  if (!address.kiosk || !("wakeLock" in navigator)) return;
  await navigator.wakeLock.request("screen").catch(() => null);
}

render(patterns, document.getElementById("patterns"));
setInterval(repaint, REPAINT_MS);
loadVenue();
feed.open();
repaint();
keepAwake();
