// The queue board: how many wait, how long whoever joins now will wait, and where it is going.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { subjectId, worstBySubject } from "./alarms.js";
import { badgeIcon } from "./icons.js";
import { blank, figure, provenance } from "./parts.js";
import { summary } from "./trend.js";
import { read } from "./trust.js";
import { word } from "./why.js";

/** Rising or falling over the last ten minutes, by more than a tenth and a minute; null when too short to tell. */
export function direction(points) {
  const last = points.at(-1);
  const before = last && points.find((p) => last[0] - p[0] <= 600_000 && typeof p[1] === "number");
  if (!before || typeof last[1] !== "number" || last[0] - before[0] < 60_000) return null;
  const change = last[1] - before[1];
  if (Math.abs(change) < Math.max(60, 0.1 * before[1])) return "flat";
  return change > 0 ? "up" : "down";
}

const ARROWS = { up: "↗", down: "↘", flat: "→" };

function wait(e, r, f) {
  if (!r.shown || typeof e?.p50 !== "number") return html`<span class="number">—</span>`;
  const from = f.waitMinutes(e.p50);
  const to = f.waitMinutes(e.p90 ?? e.p50);
  const text = to <= 1 ? f.t("unit.under_min") : from === to ? f.n(to) : `${f.n(from)}–${f.n(to)}`;
  return html`<span class="number">${r.quality === "estimated" ? "≈" : ""}${text}</span>${to <= 1 ? nothing : html`<span class="unit">${f.t("queue.minutes")}</span>`}`;
}

const waited = (seconds, f) => (f.waitMinutes(seconds) < 1 ? f.t("unit.under_min") : f.quantity(f.waitMinutes(seconds), "min"));

function curve(id, o, limit) {
  const { state, f, venue } = o;
  const points = (state.trends.queues[id] ?? []).map(([at, p50, p90]) => [at, minutes(p50), minutes(p50), minutes(p90)]);
  const s = summary(points);
  if (!s) return html`<p class="hint">${f.t("queue.trend_soon")}</p>`;
  const said = f.t("queue.trend_summary", { start: f.time(s.start), end: f.time(s.end), first: f.quantity(s.first, "min"), last: f.quantity(s.last, "min"), max: f.quantity(s.max, "min") });
  return html`<p class="hint">${f.t("queue.trend", { time: f.time(s.start) })}<span class="sr"> ${said}</span></p>
    <flow-trend class="trend" .data=${{ points, limit, timeZone: venue.timezone, locale: f.locale, theme: o.theme }}></flow-trend>`;
}

const minutes = (s) => (typeof s === "number" ? s / 60 : null);

/** The wait a rule of the venue calls too long here, in minutes; null when none does. */
export function promise(venue, id) {
  const limits = Object.values(venue.rules ?? {}).filter((r) => r.watches === "queue" && (!r.only?.length || r.only.includes(id)));
  return limits.length ? Math.min(...limits.map((r) => r.above)) : null;
}

function card(id, queue, o, alert) {
  const { state, now, f, venue } = o;
  const e = state.queues[id];
  const r = read(state, "queues", e, now);
  const shown = r.shown && typeof e.len === "number";
  const way = r.shown ? direction(state.trends.queues[id] ?? []) : null;
  const name = queue.name || venue.zones[queue.zone]?.name || id;
  return html`<article class="panel queue q-${r.quality} ${alert ? `alarmed ${alert.pri} ${alert.state === "UNACK" ? "unacked" : ""}` : ""}" data-queue=${id} aria-label=${name}>
    <header><h2>${name}</h2>${alert ? html`${badgeIcon(alert.pri)}<span class="sr">${f.t("zone.alarm", { pri: f.t(`pri.${alert.pri}`), state: f.t(`state.${alert.state}`) })}</span>` : nothing}${provenance(r, f)}</header>
    <div class="queue-main">
      <div class="queue-join"><p class="label" title=${f.t("queue.join_help")}>${f.t("queue.join")}</p>
        <p class="queue-wait figure q-${r.quality}">${wait(e, r, f)}${way ? html`<span class="way" role="img" aria-label=${f.t(`queue.dir.${way}`)} title=${f.t(`queue.dir.${way}`)}>${ARROWS[way]}</span>` : nothing}</p></div>
      <div class="queue-now"><p class="label">${f.t("queue.now")}</p>
        <p class="queue-length">${figure(state, "queues", e, now, f, e?.len)}<span class="interval">${shown ? f.interval(e.lo, e.hi) : "—"}</span></p></div>
    </div>
    <div class="queue-curve">${curve(id, o, promise(venue, id))}</div>
    <dl class="kpi-list">
      <div><dt>${f.t("queue.leaving")}</dt><dd>${r.shown && typeof e.leaving === "number" ? waited(e.leaving, f) : "—"}</dd></div>
      <div><dt>${f.t("queue.rate")}</dt><dd>${r.shown && typeof e.thr === "number" ? f.t("kpi.per_min", { n: f.n1(e.thr) }) : "—"}</dd></div>
      <div><dt>${f.t("queue.desks")}</dt><dd>${r.shown && typeof e.desks === "number" ? f.t("queue.desks_of", { n: f.n(e.desks), all: f.n(queue.desks) }) : "—"}</dd></div>
      <div><dt title=${f.t("queue.sign_help")}>${f.t("queue.sign")}</dt><dd>${r.shown && typeof e.sign === "number" ? waited(e.sign, f) : "—"}</dd></div>
    </dl>
    <p class="hint queue-method">${f.t("zone.method")} · ${r.shown && e.m ? word(`queued.${e.m}`, f) : "—"}</p></article>`;
}

export function queuesScreen(o) {
  const { venue, f, state } = o;
  const queues = Object.entries(venue.queues ?? {});
  const worst = worstBySubject({ ...state, alerts: Object.fromEntries(Object.entries(state.alerts).filter(([, a]) => a.text?.startsWith("queue"))) });
  return html`<div class="queues-screen"><h1 class="sr">${f.t("queue.title")}</h1>
    ${queues.length ? queues.map(([id, queue]) => card(id, queue, o, worst[subjectId({ subject: id })])) : blank(f.t("queue.none"), f.t("queue.none_help"))}</div>`;
}
