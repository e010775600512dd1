// Pieces that several screens share: a figure with its interval, a segmented choice, an empty state.
import { html, nothing, svg } from "./vendor/lit-html/lit-html.js";
import { read } from "./trust.js";

/** A choice of a few, as buttons. options: [[value, label, title?]…]. */
export const segmented = (name, options, chosen, onChoose) => html`<div class="segmented" role="group" aria-label=${name}>
  ${options.map(([value, label, title]) => html`<button type="button" aria-pressed=${value === chosen ? "true" : "false"} title=${title ?? nothing}
    @click=${() => onChoose(value)}>${label}</button>`)}</div>`;

/** A state told in words: what is so, and what to do about it. */
export const blank = (title, help, action = nothing) => html`<div class="blank"><p class="blank-title">${title}</p>
  ${help ? html`<p>${help}</p>` : nothing}${action}</div>`;

/** "412 · 398–426", or "—" when the number is withdrawn. `pick` takes the value from the entry. */
export function figure(state, ch, entry, now, f, value, unit = nothing) {
  const r = read(state, ch, entry, now);
  const shown = r.shown && typeof value === "number";
  return html`<span class="figure q-${r.quality}"><span class="number">${shown ? `${r.quality === "estimated" ? "≈" : ""}${f.n(value)}` : "—"}</span>${shown ? unit : nothing}</span>`;
}

/** How old and how good: shown wherever it is not "now" and "measured". */
export const provenance = (r, f) => html`<span class="provenance q-${r.quality}">${f.t(`quality.${r.quality}`)}${r.age === null ? nothing : html` · ${f.age(r.age)}`}</span>`;

/** A horizontal gauge against capacity with the interval as a whisker; decoration beside its number. */
export function gauge(entry, shown) {
  const cap = entry?.cap || 0;
  const span = Math.max(cap * 1.25, entry?.occ ?? 0, 1);
  const at = (v) => (100 * Math.min(Math.max(v ?? 0, 0), span)) / span;
  return html`<svg class="gauge" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
    <rect class="bar-track" x="0" y="1" width="100" height="5"></rect>
    ${shown && typeof entry?.occ === "number" ? bars(entry, at) : nothing}</svg>`;
}
const bars = (e, at) => svg`<rect class="bar-fill" x="0" y="1" width=${at(e.occ)} height="5"></rect>
  <path class="bar-range" d="M${at(e.lo)},8.5 H${at(e.hi)}"></path><path class="bar-cap" d="M${at(e.cap)},0 V7"></path>`;
