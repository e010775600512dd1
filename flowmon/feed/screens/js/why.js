// Why a room's number is what it is: what was known last, what each door brought and took since, and what else spoke.
// The parts are told once a minute and add up; the number above them moves on between two tellings.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { feedClock, read } from "./trust.js";

const FORECAST_OLD_MS = 900_000; // a forecast is told every five minutes
const LISTED = 5;

/** What the catalogue says of a code, like `method.filter`; one this page does not know keeps its own name. */
export function word(key, f) {
  const text = f.t(key);
  return text === key ? key.slice(key.indexOf(".") + 1) : text;
}

/** What a number is made of, in words. */
export const inputs = (codes, f) => (codes?.length ? codes.map((code) => word(`input.${code}`, f)).join(", ") : f.t("input.nothing"));

/** The room on the other side of a counter's door. */
function beyond(counter, id, venue, f) {
  const between = venue.portals?.[venue.counters?.[counter]?.portal]?.between ?? [];
  const other = between.find((place) => place !== id);
  return other === "outside" || !other ? f.t("why.outside") : venue.zones[other]?.name || other;
}

function door(d, id, o) {
  const { f, venue } = o;
  const way = (n, gain, people) => f.t("why.counted", { n, gain: f.n2(gain), people: f.n(people) });
  return html`<tr><th scope="row">${beyond(d.c, id, venue, f)}
      <span class="why-how">${f.t("why.in")} ${way(d.ni, d.gi, d.in)}</span>
      <span class="why-how">${f.t("why.out")} ${way(d.no, d.go, d.out)}</span></th>
    <td class="num">${f.signed(d.in - d.out)}</td></tr>`;
}

/** The sum, as a table. */
export function why(id, o) {
  const { state, f, now } = o;
  const e = state.why[id];
  const r = read(state, "why", e, now);
  if (!e) return html`<section class="why"><h3>${f.t("why.title")}</h3><p class="hint">${f.t("why.soon")}</p></section>`;
  if (!r.shown) return html`<section class="why"><h3>${f.t("why.title")}</h3><p class="hint">—</p></section>`;
  const told = state.zones[id];
  const since = typeof e.t === "number" ? f.t("why.since", { time: f.time(e.t), age: f.age(Math.max(0, e.at - e.t)) }) : "";
  return html`<section class="why" aria-labelledby="why-title"><h3 id="why-title">${f.t("why.title")}</h3>
    <table><caption class="hint">${f.t("why.at", { time: f.time(e.at) })}</caption>
      <tbody>
        <tr><th scope="row">${word(`base.${e.by}`, f)}<span class="why-how">${since}</span></th><td class="num">${f.n1(e.base)}</td></tr>
        ${(e.doors ?? []).map((d) => door(d, id, o))}
        ${Object.entries(e.ev ?? {}).map(([kind, people]) => html`<tr><th scope="row">${word(`evidence.${kind}`, f)}</th><td class="num">${f.signed(people)}</td></tr>`)}
      </tbody>
      <tfoot><tr><th scope="row">${f.t("why.sum")}<span class="why-how">${f.t("why.made", { method: word(`method.${e.m}`, f), inputs: inputs(told?.inp, f) })}</span></th>
        <td class="num">${f.n1(Math.max(0, e.v))}<span class="why-how">± ${f.n1(1.645 * e.sd)}</span></td></tr></tfoot></table>
    ${e.v < -0.05 ? html`<p class="hint">${f.t("why.below", { n: f.n1(e.v) })}</p>` : nothing}
    ${typeof e.share === "number" ? html`<p class="hint">${f.t("why.share", { pct: f.pct(e.share) })}</p>` : nothing}
    ${corrections(id, e, o)}</section>`;
}

/** What else than a crossing moved the number since it was known last; the newest first. */
function corrections(id, e, o) {
  const { state, f } = o;
  const since = (state.fixes[id] ?? []).filter((fix) => e.t == null || fix.at >= e.t - 1000).slice(-LISTED).reverse();
  if (!since.length) return nothing;
  return html`<h3>${f.t("why.corrections")}</h3><ul class="fixes">${since.map((fix) => html`<li><span class="fix-time">${f.time(fix.at)}</span>
    <span>${f.t("why.change", { before: f.n1(fix.before), after: f.n1(fix.after) })} · ${word(`reason.${fix.reason}`, f)}${fix.by && !["filter", "balance", "hours"].includes(fix.by) ? ` · ${fix.by}` : nothing}
    ${fix.note ? html`<span class="note">${f.t("alerts.quoted", { note: fix.note })}</span>` : nothing}</span></li>`)}</ul>`;
}

/** The forecasts of a room that are still worth showing, the nearest first. */
export function forecasts(id, o) {
  const { state, now } = o;
  const clock = feedClock(state, now);
  return Object.values(state.forecast)
    .filter((e) => e.zone === id && typeof e.occ === "number" && read(state, "forecast", e, now).shown && clock !== null && clock - e.at < FORECAST_OLD_MS * Math.max(1, state.conn.rate))
    .sort((a, b) => a.horizon - b.horizon);
}

/** What is expected, with its band and what says so. */
export function expected(id, o) {
  const { f } = o;
  const known = forecasts(id, o);
  if (!known.length) return nothing;
  return html`<section class="expected" aria-label=${f.t("forecast.title")}><h3>${f.t("forecast.title")}</h3>
    <ul>${known.map((e) => html`<li><span class="label">${f.t("forecast.in", { n: Math.round(e.horizon / 60) })}</span>
      <span class="expected-number">${f.n(e.occ)}</span><span class="interval">${f.interval(e.lo, e.hi)}</span>
      <span class="label">${word(`expect.${e.m}`, f)}${e.over >= 0.05 ? html`<br>${f.t("forecast.over", { pct: f.pct(e.over) })}` : nothing}</span></li>`)}</ul></section>`;
}
