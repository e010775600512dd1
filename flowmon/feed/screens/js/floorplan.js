// The plan of one floor, drawn from the venue's outlines at the size of its box, so that text stays text-sized.
//
// Grey says how dense a room is; colour is kept for alarms, as an outline with a dark keyline and a badge whose shape
// says how severe it is. A room is a button: its label is the whole story, arrow keys lead through doors.
import { html, nothing, svg } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { bounds, densityStep, fit, labelBox, neighbour } from "./geometry.js";
import { badge, stairsGlyph } from "./icons.js";
import { read } from "./trust.js";
import { word } from "./why.js";

const MARGIN = 6;
const GLYPH_W = 0.56; // of the font size: the mean width of a letter

const cache = new WeakMap();
/** The outlines' label boxes, computed once for a venue: they never change while it is shown. */
export function measured(venue) {
  if (!cache.has(venue)) {
    cache.set(venue, Object.fromEntries(Object.entries(venue.zones).map(([id, z]) => [id, { ...z, id, box: labelBox(z.outline) }])));
  }
  return cache.get(venue);
}

const path = (outline, t) => `${outline.map(([x, y], i) => `${i ? "L" : "M"}${(x * t.k + t.dx).toFixed(1)},${(y * t.k + t.dy).toFixed(1)}`).join(" ")} Z`;

const fitted = (text, width, size) => {
  const most = Math.floor(width / (size * GLYPH_W));
  return text.length <= most ? text : most < 4 ? "" : `${text.slice(0, most - 1).trimEnd()}…`;
};

/** How long ago somebody or something knew the true number, in words. */
export const truthAge = (entry, f) => (typeof entry.age === "number" ? f.t("zone.truth_ago", { age: f.age(Math.floor(entry.age / 60) * 60_000) }) : f.t("zone.truth_never"));

const certain = (entry, f) => (typeof entry.age === "number" ? f.age(Math.floor(entry.age / 60) * 60_000) : "");

/** What made the number and how long ago it was certain, in short. */
export const shortOrigin = (entry, f) => [word(`short.${entry.m}`, f), certain(entry, f)].filter(Boolean).join(" · ");

/** The same in the longest words that fit: one line, or two short ones. */
function origin(entry, f, width, size) {
  const method = word(`short.${entry.m}`, f);
  const fits = (text) => text.length * size * GLYPH_W <= width;
  const line = [`${method} · ${truthAge(entry, f)}`, shortOrigin(entry, f)].find(fits);
  return line ? [line] : [method, certain(entry, f)].filter(fits);
}

/** Everything a room says, for those who do not see it. Ages are coarse, so that it changes rarely. */
export function zoneLabel(zone, entry, r, alert, f) {
  const parts = [zone.name || zone.id];
  if (!r.shown || entry.occ == null) parts.push(f.t(entry ? "zone.withdrawn" : "zone.none"));
  else parts.push(f.t("zone.people", { n: Math.round(entry.occ) }), f.t("zone.between", { lo: f.n(entry.lo), hi: f.n(entry.hi) }));
  if (r.shown && entry.m) parts.push(word(`method.${entry.m}`, f), truthAge(entry, f));
  parts.push(f.t("zone.capacity", { cap: zone.capacity }));
  if (r.shown && entry.lvl && entry.lvl !== "normal") parts.push(f.t(`zone.lvl.${entry.lvl}`));
  if (r.quality !== "good") parts.push(f.t(`quality.${r.quality}`));
  if (r.age !== null && r.age >= 10_000) parts.push(f.t("zone.ago", { age: f.age(Math.floor(r.age / 10_000) * 10_000) }));
  if (alert) parts.push(f.t("zone.alarm", { pri: f.t(`pri.${alert.pri}`), state: f.t(`state.${alert.state}`) }));
  return parts.join(", ");
}

/** The bar against capacity: filled to the number, a line for the interval, a mark where capacity is. */
function bar(x, y, width, height, entry) {
  const span = Math.max(entry.cap * 1.25, entry.occ, 1);
  const at = (v) => (Math.min(Math.max(v, 0), span) / span) * width;
  const tall = height + 3;
  return svg`<rect class="bar-track" x=${x} y=${y} width=${width} height=${height} rx="1"></rect>
    <rect class="bar-fill" x=${x} y=${y} width=${at(entry.occ)} height=${height} rx="1"></rect>
    <path class="bar-range" d="M${x + at(entry.lo)},${y + height + 3} H${x + at(entry.hi)}"></path>
    <path class="bar-cap" d="M${x + at(entry.cap)},${y - 2} V${y + tall - 1}"></path>`;
}

function label(zone, entry, r, t, scale, f, alarmed) {
  const box = { x: zone.box.x * t.k + t.dx, y: zone.box.y * t.k + t.dy, w: zone.box.w * t.k, h: zone.box.h * t.k };
  const pad = box.w < 110 * scale ? 6 * scale : 12 * scale;
  const w = box.w - 2 * pad;
  const number = r.shown && entry.occ != null ? `${r.quality === "estimated" ? "≈" : ""}${f.n(entry.occ)}` : "—";
  const named = box.h >= 36 * scale && w >= 40 * scale;
  const full = box.h >= 106 * scale && w >= 84 * scale;
  const small = Math.max(11, (full ? 13 : 11.5) * scale);
  const most = full ? 52 * scale : 30 * scale;
  // A room too small for its name has its badge beside the number.
  const widest = alarmed && !named ? Math.max(w - 18 * scale, w / 2) : w;
  const big = Math.max(13 * scale, Math.min(most, (box.h - 2 * pad) * (full ? 0.34 : named ? 0.5 : 0.8), widest / (number.length * 0.62)));
  const x = box.x + pad;
  const nameY = box.y + pad + small * 0.85;
  const drawn = number === "—" ? big * 0.55 : big; // a dash as large as a number would shout
  const numberY = named ? nameY + small * 0.35 + big * 0.86 : box.y + box.h / 2 + big * 0.36;
  const numberW = number === "—" ? drawn : number.length * big * 0.6;
  const barY = numberY + 10 * scale;
  const barW = Math.min(w, 168 * scale);
  const showRange = full && number !== "—";
  const rangeY = barY + 7 * scale + small * 1.15;
  const roomForRange = rangeY < box.y + box.h - 3 * scale;
  const withdrawn = number === "—";
  // A room too small for its bar has interval and origin in a line or two under its number.
  const fine = Math.max(10, 10.5 * scale);
  const fineY = (full ? rangeY : numberY) + fine * 1.3;
  const lines = withdrawn ? [] : [full || !named ? "" : f.interval(entry.lo, entry.hi), ...origin(entry, f, w, fine)].filter(Boolean).filter((text) => text.length * fine * GLYPH_W <= w);
  const fitting = lines.filter((_, i) => fineY + i * fine * 1.25 < box.y + box.h - 3 * scale);
  return svg`
    ${named ? svg`<text class="zone-name" x=${x} y=${nameY} font-size=${small}>${fitted(zone.name || zone.id, w - (alarmed ? 16 * scale : 0), small)}</text>` : nothing}
    <text class="zone-number" x=${x} y=${numberY} font-size=${drawn}>${number}</text>
    ${full && w > numberW + 40 * scale ? svg`<text class="zone-cap" x=${x + numberW + 5 * scale} y=${numberY} font-size=${small}>/ ${f.n(zone.capacity)}</text>` : nothing}
    ${showRange ? bar(x, barY, barW, 5 * scale, { ...entry, cap: zone.capacity }) : nothing}
    ${showRange && roomForRange ? svg`<text class="zone-range" x=${x} y=${rangeY} font-size=${small}>${f.interval(entry.lo, entry.hi)}</text>` : nothing}
    ${full && r.quality !== "good" && roomForRange
      ? svg`<text class="zone-note" x=${showRange ? x + barW : x} y=${rangeY} font-size=${small} text-anchor=${showRange ? "end" : "start"}>${
        w > 150 * scale || !showRange ? note(entry, r, f) : nothing}</text>` : nothing}
    ${named ? fitting.map((text, i) => svg`<text class="zone-origin" x=${x} y=${fineY + i * fine * 1.25} font-size=${fine}>${text}</text>`) : nothing}`;
}

const note = (entry, r, f) => (r.quality === "stale" && r.age !== null ? f.age(r.age) : f.t(`quality.${r.quality}`));

/** Where the wall has an opening; a room with stairs to another floor has their sign in its lower corner. */
function doors(venue, zones, floor, t, scale) {
  return Object.values(venue.portals ?? {}).filter((p) => p.at && p.between.some((z) => zones[z]?.floor === floor)).map((p) => {
    const x = p.at[0] * t.k + t.dx;
    const y = p.at[1] * t.k + t.dy;
    const others = p.between.filter((z) => venue.zones[z] && venue.zones[z].floor !== floor);
    if (others.length) {
      const here = zones[p.between.find((z) => zones[z]?.floor === floor)].box;
      const corner = [(here.x + here.w) * t.k + t.dx - 16 * scale, (here.y + here.h) * t.k + t.dy - 14 * scale];
      return t.k < 11 ? nothing : svg`<g class="door" transform="translate(${corner[0]} ${corner[1]}) scale(${0.8 * scale})">${stairsGlyph}</g>`;
    }
    const size = Math.max(5, 1.4 * t.k);
    const vertical = Object.values(zones).some((z) => z.floor === floor && onVertical(z.outline, p.at));
    return svg`<rect class="door-gap" x=${x - (vertical ? 2.5 : size / 2)} y=${y - (vertical ? size / 2 : 2.5)} width=${vertical ? 5 : size} height=${vertical ? size : 5}></rect>`;
  });
}

function onVertical(outline, [x, y]) {
  return outline.some(([x1, y1], i) => {
    const [x2, y2] = outline[(i + 1) % outline.length];
    return Math.abs(x1 - x2) < 0.01 && Math.abs(x - x1) < 0.5 && y > Math.min(y1, y2) && y < Math.max(y1, y2);
  });
}

function room(zone, o, t) {
  const { state, now, f, worst, selected, scale } = o;
  const entry = state.zones[zone.id];
  const r = read(state, "zones", entry, now);
  const alert = worst[zone.id];
  const shown = r.shown && entry.occ != null;
  const step = shown ? densityStep(entry.dens ?? entry.occ / Math.max(1, area(zone.outline))) : null;
  const d = path(zone.outline, t);
  const classes = ["zone", step === null ? "unknown" : `step-${step}`, `q-${r.quality}`, selected === zone.id ? "selected" : "", shown ? "" : "withdrawn"];
  return svg`<g class=${classes.filter(Boolean).join(" ")} role="button" tabindex="0" data-zone=${zone.id}
      aria-label=${zoneLabel(zone, entry, r, alert, f)} aria-pressed=${selected === zone.id ? "true" : "false"}>
    <path class="zone-shape" d=${d}></path>
    ${r.quality === "stale" || !shown ? svg`<path class="zone-hatch" d=${d} fill="url(#hatch)"></path>` : nothing}
    ${label(zone, entry, r, t, scale, f, Boolean(alert))}
  </g>`;
}

const area = (outline) => Math.abs(outline.reduce((sum, [x, y], i) => {
  const [nx, ny] = outline[(i + 1) % outline.length];
  return sum + (x * ny - nx * y) / 2;
}, 0));

/** Outlines and badges of alarms, above every room so that no neighbour covers them. */
function alarm(zone, alert, t, scale) {
  const d = path(zone.outline, t);
  const size = (t.k * Math.min(zone.box.w, zone.box.h) < 60 * scale ? 0.7 : 1) * scale;
  const x = (zone.box.x + zone.box.w) * t.k + t.dx - 14 * size;
  const y = zone.box.y * t.k + t.dy + 14 * size;
  return svg`<g class="alarm ${alert.pri} ${alert.state === "UNACK" ? "unacked" : "acked"}" aria-hidden="true">
    <path class="alarm-key" d=${d}></path><path class="alarm-line" d=${d}></path>
    <g transform="translate(${x} ${y}) scale(${size})">${badge(alert.pri)}</g></g>`;
}

/**
 * The SVG of a floor. `o`: {venue, state, now, f, floor, worst, selected, scale, width, onSelect, name}.
 * The height follows from the floor's shape; `maxHeight` bounds it.
 */
export function floorPlan(o) {
  const zones = measured(o.venue);
  const mine = Object.values(zones).filter((z) => z.floor === o.floor);
  const outline = o.venue.floors[o.floor]?.outline ?? [];
  const box = bounds([...outline, ...mine.flatMap((z) => z.outline)]);
  const width = Math.max(240, o.width);
  const height = Math.max(120, Math.min(o.maxHeight, ((width - 2 * MARGIN) * box.h) / box.w + 2 * MARGIN));
  const t = fit(box, width, height, MARGIN);
  const pairs = Object.values(o.venue.portals ?? {}).map((p) => p.between);
  const here = Object.fromEntries(mine.map((z) => [z.id, z]));

  const pick = (event) => event.target.closest("[data-zone]")?.dataset.zone;
  const onKey = (event) => {
    const id = pick(event);
    if (!id || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      o.onSelect(id);
      return;
    }
    const next = neighbour(here, pairs, id, event.key);
    if (event.key.startsWith("Arrow")) event.preventDefault();
    if (next) event.currentTarget.querySelector(`[data-zone="${next}"]`)?.focus();
  };
  return html`<svg class="plan" data-floor=${o.floor} width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="group" aria-label=${o.name}
      @click=${(e) => pick(e) && o.onSelect(pick(e))} @keydown=${onKey}>
    ${outline.length ? svg`<path class="floor-shape" d=${path(outline, t)}></path>` : nothing}
    ${repeat(mine, (z) => z.id, (z) => room(z, o, t))}
    ${here[o.selected] ? svg`<path class="selection" d=${path(here[o.selected].outline, t)} aria-hidden="true"></path>` : nothing}
    <g class="doors" aria-hidden="true">${doors(o.venue, zones, o.floor, t, o.scale)}</g>
    ${mine.filter((z) => o.worst[z.id]).map((z) => alarm(z, o.worst[z.id], t, o.scale))}
  </svg>`;
}
