// The inbox. It never moves under a pointer or a finger: while it is hovered or focused its order stands still, and
// what has come in meanwhile waits behind a button.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { TABS } from "./address.js";
import { alertCard } from "./alertcard.js";
import { inTab, load, worst } from "./alarms.js";
import { icon } from "./icons.js";
import { blank } from "./parts.js";
import { feedClock, trust } from "./trust.js";

export const FLOOD = 10;

/**
 * The list to draw: {shown, fresh}. `held` is the list of ids that stood when the pointer came, or null. Held alerts
 * stay, changed or not; newcomers are counted in `fresh`. Pure.
 */
export function settled(current, held, alerts) {
  if (held === null) return { shown: current, fresh: 0 };
  const shown = held.map((id) => alerts[id]).filter(Boolean);
  return { shown, fresh: current.filter((a) => !held.includes(a.id)).length };
}

function tabs(o) {
  const { state, f, address, act } = o;
  const onKey = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const tab = TABS[(TABS.indexOf(address.tab) + step + TABS.length) % TABS.length];
    const list = event.currentTarget;
    act.navigate({ tab });
    requestAnimationFrame(() => list.querySelector(`#tab-${tab}`)?.focus());
  };
  return html`<div class="tabs" role="tablist" aria-label=${f.t("alerts.title")} @keydown=${onKey}>
    ${TABS.map((tab) => {
      const listed = tab === "history" ? null : inTab(state, tab);
      const n = listed?.length ?? null;
      const chosen = tab === address.tab;
      return html`<button type="button" role="tab" id=${`tab-${tab}`} aria-controls="inbox" aria-selected=${chosen ? "true" : "false"} tabindex=${chosen ? "0" : "-1"}
        @click=${() => act.navigate({ tab })}>${f.t(`alerts.tab.${tab}`)}${n === null ? nothing : html`<span class="count ${n && tab === "unacked" ? `hot ${worst(listed)}` : ""}">${n}</span>`}</button>`;
    })}</div>`;
}

/** o: the screen's context, with ui: {held, chosen, noting} */
export function alertsScreen(o) {
  const { state, now, f, address, ui, act } = o;
  const clock = feedClock(state, now);
  const count = load(state, clock);
  const history = address.tab === "history";
  const { shown, fresh } = history ? { shown: inTab(state, "history"), fresh: 0 } : settled(inTab(state, address.tab), ui.held, state.alerts);
  const proven = ["live", "late"].includes(trust(state, "alerts", now));
  const card = (a) => alertCard(a, { ...o, chosen: ui.chosen === a.id, noting: ui.noting, history });
  return html`<section class="panel alerts-screen"><h1 class="sr">${f.t("alerts.title")}</h1>
    <div class="alerts-head">${tabs(o)}<p class="load"><span class="label">${f.t("alerts.load_label")}</span> ${proven ? f.t("alerts.load", { n: count }) : "—"}</p></div>
    ${count >= FLOOD ? html`<p class="flood" role="status">${f.t("alerts.flood", { n: count })}</p>` : nothing}
    <div class="inbox" id="inbox" role=${history ? "log" : "tabpanel"} aria-labelledby=${`tab-${address.tab}`} aria-live="off"
      @pointerenter=${(e) => e.pointerType === "mouse" && act.hold(true)} @pointerleave=${(e) => e.pointerType === "mouse" && act.hold(false)}
      @focusin=${() => act.hold(true)} @focusout=${(e) => !e.currentTarget.contains(e.relatedTarget) && act.hold(false)}>
      ${fresh ? html`<button type="button" class="fresh" @click=${act.release}>${f.t("alerts.new", { n: fresh })} ${icon("up")}</button>` : nothing}
      ${shown.length ? (history ? shown.map(card) : repeat(shown, (a) => a.id, card))
        : proven ? blank(f.t(`alerts.empty.${address.tab}`)) : blank(f.t("attention.unproven"))}
    </div></section>`;
}
