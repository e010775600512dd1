// Every counter and receiver, and the gateway: can it be believed, since when, why not; and how much was refused.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { icon } from "./icons.js";
import { blank } from "./parts.js";
import { clockNote, roomsOf } from "./room.js";
import { feedClock, read, trust } from "./trust.js";

const TROUBLE = ["fault", "silent", "suspect", "late", "unknown", "good"];
/** A state is a shape as well as a word. */
const SIGNS = { fault: "close", silent: "mute", suspect: "warn", late: "warn", unknown: "help", good: "check" };
const COLUMNS = ["device", "state", "for", "reason", "heard", "rooms", "clock"];

/** [name, entry] of every device, trouble first. Pure. */
export const byTrouble = (sensors) => Object.entries(sensors)
  .sort(([a, s], [b, t]) => TROUBLE.indexOf(s.health) - TROUBLE.indexOf(t.health) || (a < b ? -1 : 1));

/** The line on top, from what the gateway says of itself: {text, none}. Pure. */
export function refusals(gateway, f) {
  if (gateway?.msgs == null) return { text: f.t("sensor.unheard"), none: true };
  if (gateway.health === "silent") return { text: f.t("sensor.gateway_silent"), none: false };
  const said = { rej: gateway.rej ?? 0, n: gateway.msgs };
  return said.rej ? { text: f.t("sensor.refused", { ...said, worst: gateway.worst || "—" }), none: false }
    : { text: f.t("sensor.refused_none", said), none: true };
}

function clockOf(s, f) {
  if (s.skew == null) return "—";
  return clockNote(s, f) || `${f.signed(s.skew)} s`;
}

function row(name, s, o, shown) {
  const { state, venue, now, f } = o;
  const clock = feedClock(state, now);
  const ago = (at) => (shown && at && clock !== null ? f.age(Math.max(0, clock - at)) : "—");
  const rooms = roomsOf(name, s, venue).map((id) => venue.zones[id]?.name ?? id);
  const cell = (column, what, style = "") => html`<td class=${style} data-label=${f.t(`sensor.col.${column}`)}>${what}</td>`;
  return html`<tr data-device=${name} class=${shown && s.health !== "good" ? "trouble" : ""}>
    <th scope="row">${name} <span class="device-kind">${f.t(`sensor.kind.${s.kind}`)}</span></th>
    ${cell("state", shown ? html`<span class="device-state">${icon(SIGNS[s.health] ?? "help")}${f.t(`health.${s.health}`)}</span>` : "—")}
    ${cell("for", ago(s.since))}
    ${cell("reason", (shown && s.reason) || "—", "said")}
    ${cell("heard", ago(s.last))}
    ${cell("rooms", rooms.join(", ") || "—", "said")}
    ${cell("clock", shown ? clockOf(s, f) : "—", "said")}</tr>`;
}

export function sensorsScreen(o) {
  const { state, now, f } = o;
  const devices = byTrouble(state.sensors);
  const gateway = devices.find(([, s]) => s.kind === "gateway")?.[1];
  const proven = ["live", "late"].includes(trust(state, "sensors", now));
  const line = proven ? refusals(gateway, f) : { text: f.t("attention.unproven"), none: true };
  return html`<section class="panel sensors-screen"><h1 class="sr">${f.t("nav.sensors")}</h1>
    <p class="refusals ${line.none ? "none" : ""}">${line.none ? nothing : icon("warn")}<span>${line.text}</span></p>
    ${devices.length ? html`<div class="table-scroll" tabindex="0" role="region" aria-label=${f.t("sensor.caption")}><table>
      <caption class="sr">${f.t("sensor.caption")}</caption>
      <thead><tr>${COLUMNS.map((c) => html`<th scope="col">${f.t(`sensor.col.${c}`)}</th>`)}</tr></thead>
      <tbody>${devices.map(([name, s]) => row(name, s, o, read(state, "sensors", s, now).shown))}</tbody></table></div>`
      : blank(f.t("sensor.none"), f.t("sensor.none_help"))}</section>`;
}
