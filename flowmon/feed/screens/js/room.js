// One room in detail: the number, why it is what it is, how it got there, and the way to correct it.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { badgeIcon, icon } from "./icons.js";
import { refusal } from "./alertcard.js";
import { figure, gauge, provenance } from "./parts.js";
import { summary } from "./trend.js";
import { read } from "./trust.js";
import { expected, forecasts, why, word } from "./why.js";

function facts(zone, e, r, f) {
  const has = (v) => r.shown && typeof v === "number";
  const rows = [
    ["zone.density", has(e?.dens) ? f.t("zone.density_value", { n: f.n2(e.dens) }) : "—"],
    ["zone.inflow", has(e?.in) ? f.t("kpi.per_min", { n: f.n1(e.in) }) : "—"],
    ["zone.outflow", has(e?.out) ? f.t("kpi.per_min", { n: f.n1(e.out) }) : "—"],
    ["zone.raw", has(e?.raw) ? f.n(e.raw) : "—"],
    ["zone.beacons", has(e?.bcn) ? f.n(e.bcn) : "—"],
    ["zone.truth", !r.shown ? "—" : has(e?.age) ? f.t("zone.ago", { age: f.age(e.age * 1000) }) : f.t("zone.never")],
    ["zone.method", r.shown && e?.m ? word(`short.${e.m}`, f) : "—"],
    ["zone.updated", r.age === null ? "—" : f.t("zone.ago", { age: f.age(r.age) })],
  ];
  return html`<dl class="facts">${rows.map(([key, value]) => html`<div><dt>${f.t(key)}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** What is said of a device's clock when its own time is not taken; empty when it is. */
export const clockNote = (s, f) => (s.time && s.time !== "device" ? f.t(s.time === "shifted" ? "device.shifted" : "device.gateway", { age: f.age(Math.abs(s.skew ?? 0) * 1000) }) : "");

function chip(name, s, f) {
  const about = [s.health === "good" ? "" : s.reason, clockNote(s, f)].filter(Boolean);
  return html`<li><span class="unwell">${name} ${f.t(`health.${s.health}`)}</span>${s.health === "good" ? nothing : html` ${f.t("device.since", { time: f.time(s.since) })}`}
    ${about.map((text) => html`<span class="why-how">${text}</span>`)}</li>`;
}

/** Rooms that a device watches: what it blinds, or what the venue file says of it. */
export function roomsOf(name, s, venue) {
  if (s.zones?.length) return s.zones;
  const receiver = venue.receivers?.[name]?.zone;
  const between = venue.portals?.[venue.counters?.[name]?.portal]?.between ?? [];
  return receiver ? [receiver] : between.filter((id) => id !== "outside");
}

/** Sensors that watch this room, the unwell first; a healthy room lists none by name. */
function devices(id, o) {
  const { state, venue, f } = o;
  const sees = (name, s) => s.zones?.includes(id) || venue.receivers?.[name]?.zone === id || venue.portals?.[venue.counters?.[name]?.portal]?.between.includes(id);
  const mine = Object.entries(state.sensors).filter(([name, s]) => sees(name, s));
  if (!mine.length) return nothing;
  const unwell = mine.filter(([, s]) => s.health !== "good");
  const r = read(state, "sensors", mine[0][1], o.now);
  return html`<p class="devices"><span class="label">${f.t("zone.devices")}</span>
    ${r.shown ? html`${f.n(mine.length - unwell.length)}/${f.n(mine.length)} ${f.t("health.good")}` : "—"}</p>
    ${r.shown ? html`<ul class="unwell-list">${mine.filter(([, s]) => s.health !== "good" || clockNote(s, f)).map(([name, s]) => chip(name, s, f))}</ul>` : nothing}`;
}

function curve(id, zone, o) {
  const { state, f, venue } = o;
  const points = state.trends.zones[id] ?? [];
  const s = summary(points);
  if (!s) return html`<p class="hint">${f.t("zone.trend_soon")}</p>`;
  const said = f.t("zone.trend_summary", { start: f.time(s.start), end: f.time(s.end), first: f.n(s.first), last: f.n(s.last), max: f.n(s.max) });
  const ahead = forecasts(id, o).map((e) => [e.at + e.horizon * 1000, e.occ, e.lo, e.hi]);
  return html`<p class="hint">${f.t(ahead.length ? "zone.trend_ahead" : "zone.trend", { time: f.time(s.start) })}<span class="sr"> ${said}</span></p>
    <flow-trend class="trend" .data=${{ points, ahead, limit: zone.capacity, timeZone: venue.timezone, locale: f.locale, theme: o.theme }}></flow-trend>`;
}

/** Where a count would help most, told where one can be given. */
function countNext(id, o) {
  const { state, venue, f, act, now } = o;
  const best = state.kpi.venue?.next;
  if (!best || !venue.zones[best] || !read(state, "kpi", state.kpi.venue, now).shown) return nothing;
  if (best === id) return html`<p class="count-here"><strong>${f.t("next.here")}</strong> ${f.t("next.here_help")}</p>`;
  const name = venue.zones[best].name || best;
  return html`<p class="hint">${f.t("next.there")} <button type="button" class="link" @click=${() => act.navigate({ room: best, floor: venue.zones[best].floor })}>${name}</button></p>`;
}

function recount(id, o) {
  const { state, f, act } = o;
  if (!mayRecount(state)) return nothing;
  const pending = Object.values(state.pending).some((p) => p.zone === id);
  const refused = state.refused?.zone === id && state.refused.code ? state.refused : null;
  const send = (event) => {
    event.preventDefault();
    const people = Number(new FormData(event.target).get("people"));
    if (Number.isInteger(people) && people >= 0) act.recount(id, people, event.target);
  };
  return html`<form class="recount" id="recount" @submit=${send}>
    ${countNext(id, o)}
    <label>${f.t("zone.recount")} <input name="people" type="number" min="0" max="100000" step="1" inputmode="numeric" required></label>
    <button type="submit" class="secondary" ?disabled=${pending || o.frozen || state.conn.phase !== "open"}>${f.t("zone.recount_send")}</button>
    ${pending ? html`<p class="hint" role="status">${f.t("zone.recount_sent")}</p>` : nothing}
    ${refused ? html`<p class="refused" role="status"><strong>${f.t("refused.title")}</strong> ${refusal(refused, f)}</p>` : nothing}</form>`;
}

const mayRecount = (state) => state.conn.can === null || state.conn.can.includes("recount");

/** On a phone the form is screens below the number. */
function toRecount() {
  const input = document.querySelector("#recount input");
  input?.scrollIntoView({ block: "center" });
  input?.focus({ preventScroll: true });
}

export function roomDetail(o, id, alert) {
  const { state, venue, now, f, act } = o;
  const zone = venue.zones[id];
  const e = state.zones[id];
  const r = read(state, "zones", e, now);
  const shown = r.shown && typeof e.occ === "number";
  const free = zone.capacity - (e?.occ ?? 0);
  return html`<section class="panel room q-${r.quality}" aria-labelledby="room-title">
    <div class="room-head"><h2 id="room-title">${zone.name || id}</h2>${alert ? badgeIcon(alert.pri) : nothing}
      <button type="button" class="icon-button" aria-label=${f.t("zone.close")} @click=${() => act.navigate({ room: null })}>${icon("close")}</button></div>
    <p class="room-number">${figure(state, "zones", e, now, f, e?.occ)}<span class="of">/ ${f.n(zone.capacity)}</span>
      <span class="interval">${shown ? f.interval(e.lo, e.hi) : "—"}</span></p>
    ${gauge({ ...e, cap: zone.capacity }, shown)}
    <p class="kpi-note"><span>${shown ? f.t(free >= 0 ? "zone.free" : "zone.excess", { n: Math.abs(Math.round(free)) }) : "—"}</span>${provenance(r, f)}</p>
    ${curve(id, zone, o)}
    ${expected(id, o)}
    ${mayRecount(state) ? html`<button type="button" class="secondary to-recount" @click=${toRecount}>${f.t("next.count")}</button>` : nothing}
    ${why(id, o)}
    ${facts(zone, e, r, f)}
    ${devices(id, o)}
    ${recount(id, o)}
  </section>`;
}
