// The floor screen: the whole building in one line, the plan (or its table), what needs attention, one room in detail.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { alertCard } from "./alertcard.js";
import { needsAttention, subjectId, worstBySubject, zoneOf } from "./alarms.js";
import { floorPlan } from "./floorplan.js";
import { DENSITY_STEPS } from "./geometry.js";
import { icon } from "./icons.js";
import { blank, figure, gauge, provenance, segmented } from "./parts.js";
import { roomDetail } from "./room.js";
import { feedTrust, read } from "./trust.js";
import { zoneTable } from "./zonetable.js";

const CARD_HEIGHT = 92; // px at scale 1

/** Floors from the ground up. */
export const floorsOf = (venue) => Object.entries(venue.floors).sort(([, a], [, b]) => (a.order ?? 0) - (b.order ?? 0)).map(([id, floor]) => ({ id, ...floor }));

function building(o) {
  const { state, now, f, venue } = o;
  const e = state.kpi.venue;
  const r = read(state, "kpi", e, now);
  const shown = r.shown && typeof e.occ === "number";
  const cap = e?.cap || venue.capacity;
  const value = (v) => (r.shown ? v : "—");
  return html`<section class="building q-${r.quality} ${shown ? e.lvl : ""}" aria-label=${f.t("kpi.label")}>
    <div class="kpi-main">
      <h2>${f.t("kpi.inside")}</h2>
      <p class="kpi-number">${figure(state, "kpi", e, now, f, e?.occ)}
        <span class="of">${f.t("kpi.of", { cap: f.n(cap) })}</span></p>
      ${gauge({ ...e, cap }, shown)}
      <p class="kpi-note"><span class="interval">${shown ? f.interval(e.lo, e.hi) : "—"}</span>
        <span>${shown && cap ? f.t("kpi.load", { pct: f.pct(e.occ / cap) }) : nothing}</span>${provenance(r, f)}</p>
    </div>
    <dl class="kpi-list">
      <div><dt>${f.t("kpi.free")}</dt><dd>${shown && cap ? f.n(Math.max(0, cap - (e.hi ?? e.occ))) : "—"}</dd></div>
      <div><dt>${f.t("kpi.in")}</dt><dd>${value(rate(e?.in, f))}</dd></div>
      <div><dt>${f.t("kpi.out")}</dt><dd>${value(rate(e?.out, f))}</dd></div>
      <div><dt>${f.t("kpi.entered")}</dt><dd>${value(f.n(e?.entered))}</dd></div>
    </dl></section>`;
}

const rate = (v, f) => (typeof v === "number" ? f.t("kpi.per_min", { n: f.n(v) }) : "—");

function attention(o) {
  const { state, now, f } = o;
  const open = needsAttention(state);
  // One card a place: its worst alert. The rest is for the inbox.
  const places = new Map();
  for (const a of open) if (!places.has(subjectId(a))) places.set(subjectId(a), a);
  const listed = [...places.values()].slice(0, o.strip ? 2 : Math.max(4, Math.floor(o.size.height / o.scale / CARD_HEIGHT)));
  const known = state.chans.alerts.proved !== null && ["live", "late"].includes(feedTrust(state, now));
  return html`<section class="panel attention" aria-labelledby="attention-title">
    <h2 id="attention-title">${f.t("attention.title")}</h2>
    ${listed.length ? html`<div class="cards">${listed.map((a) => alertCard(a, { ...o, compact: true }))}</div>` : nothing}
    ${!listed.length ? (known ? blank(f.t("attention.none"), f.t("attention.none_help")) : blank(f.t("attention.unproven"))) : nothing}
    ${open.length > listed.length ? html`<p class="more"><a href="/alerts" data-screen="alerts">${f.t("attention.more", { n: open.length - listed.length })}</a></p>` : nothing}
  </section>`;
}

function legend(f) {
  const [first, ...rest] = DENSITY_STEPS;
  const names = [`< ${f.density(first)}`, ...rest.map((s, i) => `${f.density(DENSITY_STEPS[i])}–${f.density(s)}`), `≥ ${f.density(rest.at(-1))}`];
  return html`<div class="legend" aria-hidden="true"><span>${f.t("plan.density")}</span>
    ${names.map((name, i) => html`<span class="legend-step"><svg class="swatch step-${i}" viewBox="0 0 16 12"><rect class="zone-shape" width="16" height="12"></rect></svg>${name}</span>`)}
    <span class="legend-step"><svg class="swatch unknown" viewBox="0 0 16 12"><rect class="zone-shape" width="16" height="12"></rect><rect class="zone-hatch" width="16" height="12" fill="url(#hatch)"></rect></svg>${f.t("plan.nodata")}</span></div>`;
}

function floorTabs(floors, o, worst) {
  const { f, address, act } = o;
  const count = (id) => Object.values(worst).filter((a) => o.venue.zones[zoneOf(a, o.venue, o.state.sensors)]?.floor === id).length;
  const options = floors.map((floor) => {
    const n = count(floor.id);
    return [floor.id, html`<span class="floor-name">${floor.name || floor.id}</span>${n ? html`<span class="count" aria-label=${f.t("plan.alarms", { n })}>${n}</span>` : nothing}`, floor.name || floor.id];
  });
  if (floors.length > 1) options.push(["all", f.t("plan.all")]);
  return segmented(f.t("plan.floors"), options, address.floor, (floor) => act.navigate({ floor }));
}

/** o: {state, venue, now, f, address, act, size: {width, height}, scale, strip} */
export function floorScreen(o) {
  const { venue, f, address, act, state } = o;
  const floors = floorsOf(venue);
  const chosen = address.floor === "all" ? floors : floors.filter((x) => x.id === address.floor).slice(0, 1);
  const drawn = chosen.length ? chosen : floors.slice(0, 1);
  const worst = worstBySubject(state);
  const scoped = { ...o, address: { ...address, floor: address.floor === "all" && floors.length > 1 ? "all" : drawn[0]?.id } };
  const side = drawn.length > 1 && o.size.width > 900;
  const width = side ? (o.size.width - 16) / 2 : o.size.width;
  const plan = (floor) => html`<figure class="floor">
    ${drawn.length > 1 || o.strip ? html`<figcaption>${floor.name || floor.id}</figcaption>` : nothing}
    ${floorPlan({ venue, state, now: o.now, f, floor: floor.id, worst, selected: address.room, scale: o.scale, width, maxHeight: o.size.height,
      name: f.t("plan.label", { floor: floor.name || floor.id }), onSelect: (room) => act.navigate({ room: room === address.room ? null : room }) })}</figure>`;
  return html`<div class="floor-screen ${address.room ? "with-room" : ""}">
    ${building(o)}
    <section class="panel plan-panel">
      <div class="plan-head">${floorTabs(floors, scoped, worst)}
        ${segmented(f.t("plan.view"), ["plan", "table"].map((view) => [view, html`${icon(view)}<span>${f.t(`plan.view.${view}`)}</span>`, f.t(`plan.view.${view}`)]), address.view, (view) => act.navigate({ view }))}</div>
      <div class="plan-box ${side ? "side" : ""}" data-measure>
        ${address.view === "table" ? zoneTable(scoped, drawn.map((x) => x.id), worst) : drawn.map(plan)}</div>
      ${address.view === "table" ? nothing : html`${legend(f)}<p class="sr">${f.t("plan.hint")}</p>`}
    </section>
    <div class="side-column">
      ${address.room && venue.zones[address.room] ? roomDetail(o, address.room, worst[address.room]) : nothing}
      ${attention(o)}
    </div></div>`;
}
