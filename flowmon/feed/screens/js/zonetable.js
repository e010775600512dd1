// The table that says all the plan says, in rows: for screen readers, small phones and people who prefer rows.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { badgeIcon } from "./icons.js";
import { measured, shortOrigin } from "./floorplan.js";
import { gauge } from "./parts.js";
import { read } from "./trust.js";

function row(zone, o, alert) {
  const { state, now, f, act } = o;
  const e = state.zones[zone.id];
  const r = read(state, "zones", e, now);
  const shown = r.shown && typeof e.occ === "number";
  const cell = (v) => (shown ? v : "—");
  return html`<tr class="q-${r.quality} ${o.address.room === zone.id ? "selected" : ""}" data-zone=${zone.id}>
    <th scope="row"><button type="button" class="link" @click=${() => act.navigate({ room: zone.id })}>${zone.name || zone.id}</button>
      ${alert ? html`<span class="row-alert">${badgeIcon(alert.pri)}<span class="sr">${f.t("zone.alarm", { pri: f.t(`pri.${alert.pri}`), state: f.t(`state.${alert.state}`) })}</span></span>` : nothing}</th>
    <td class="num strong">${cell(`${r.quality === "estimated" ? "≈" : ""}${f.n(e?.occ)}`)}</td>
    <td class="num">${cell(f.interval(e?.lo, e?.hi))}</td>
    <td class="num">${f.n(zone.capacity)}</td>
    <td class="wide">${gauge({ ...e, cap: zone.capacity }, shown)}</td>
    <td class="num">${cell(f.n2(e?.dens))}</td>
    <td class="num">${cell(f.n1(e?.in))}</td>
    <td class="num">${cell(f.n1(e?.out))}</td>
    <td class="num">${r.age === null ? "—" : f.age(r.age)}</td>
    <td>${f.t(`quality.${r.quality}`)}${shown && e.m ? html`<span class="why-how">${shortOrigin(e, f)}</span>` : nothing}</td></tr>`;
}

/** Rows for the floors given, in the order of the venue's file. */
export function zoneTable(o, floors, worst) {
  const { f, venue } = o;
  const zones = Object.values(measured(venue)).filter((z) => floors.includes(z.floor));
  const head = ["zone", "people", "interval", "capacity", "load", "density", "in", "out", "age", "quality"];
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label=${f.t("table.caption")}><table>
    <caption class="sr">${f.t("table.caption")}</caption>
    <thead><tr>${head.map((h) => html`<th scope="col" class=${["zone", "quality", "load"].includes(h) ? "" : "num"}>${f.t(`table.${h}`)}</th>`)}</tr></thead>
    <tbody>${zones.map((z) => row(z, o, worst[z.id]))}</tbody></table></div>`;
}
