// One alert, as the inbox and the floor's attention list show it, with what can be done about it.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { endsBelow, sentence, subjectName, valueNow, zoneOf } from "./alarms.js";
import { badgeIcon, icon } from "./icons.js";
import { isOpen, millis } from "./reducer.js";
import { feedClock, feedTrust } from "./trust.js";

export const ackable = (alert) => alert.state === "UNACK" || alert.state === "RTNUN";
export const mayAck = (state) => state.conn.can === null || state.conn.can.includes("ack");
const pendingFor = (alert, state) => Object.values(state.pending).find((p) => p.alert === alert.id);

function standing(alert, f) {
  if (alert.state === "ACKED" || (alert.state === "NORM" && alert.by)) {
    const params = { by: alert.by, time: f.time(millis(alert.at)) };
    return alert.state === "NORM" ? f.t("state.NORM") : f.t(alert.by ? "alerts.by" : "alerts.by_nobody", params);
  }
  if (alert.state === "SHLVD") return f.t("alerts.until", { time: f.time(millis(alert.until)) });
  return alert.state === "UNACK" ? "" : f.t(`state.${alert.state}`);
}

/** When it was raised and how long it lasts, or from when to when it lasted, and who has taken it. */
function when(alert, o) {
  const { f, compact } = o;
  const raised = millis(alert.raised);
  const at = millis(alert.at);
  if (o.history) return [f.clock(at), f.t(`state.${alert.state}`), alert.state === "UNACK" ? "" : alert.by];
  if (alert.state === "RTNUN") return [f.t("alerts.lasted", { from: f.time(raised), to: f.time(at) }), f.t("state.RTNUN")];
  const clock = feedTrust(o.state, o.now) === "gone" ? null : feedClock(o.state, o.now);
  const lasts = clock === null ? null : f.t("alerts.age", { age: f.age(Math.max(0, clock - raised)) });
  if (!isOpen(alert)) return [f.t("alerts.raised", { time: f.clock(raised) }), f.t("state.NORM")];
  return [compact && lasts !== null ? "" : f.t("alerts.raised", { time: f.clock(raised) }), lasts, standing(alert, f)];
}

function actions(alert, o) {
  const { state, f, act, compact } = o;
  const pending = pendingFor(alert, state);
  const place = zoneOf(alert, o.venue, state.sensors);
  const go = !compact && place ? html`<button type="button" class="quiet go" aria-label=${`${f.t("alerts.go")}, ${subjectName(alert, o.venue, f)}`} @click=${() => act.go(alert)}>${icon("pin")}<span>${f.t("alerts.go")}</span></button>` : nothing;
  if (!ackable(alert)) return go;
  if (pending) return html`${go}<span class="pending" role="status">${f.t("alerts.acktaken")}</span>`;
  if (!mayAck(state)) return html`${go}<span class="hint">${compact ? nothing : f.t("alerts.viewonly")}</span>`;
  const why = o.frozen ? f.t("alerts.frozen") : state.conn.phase === "open" ? null : f.t("alerts.offline");
  const lost = why !== null;
  return html`${go}
    ${compact ? nothing : html`<button type="button" class="quiet" ?disabled=${lost} @click=${() => act.note(alert.id)}>${f.t("alerts.note")}</button>`}
    <button type="button" class="primary ack" ?disabled=${lost} title=${why ?? nothing}
      aria-label=${`${f.t("alerts.ack")}, ${subjectName(alert, o.venue, f)}`}
      @click=${() => act.ack(alert)}>${compact ? f.t("alerts.ack_short") : f.t("alerts.ack")}</button>`;
}

function noteForm(alert, { f, act }) {
  const send = (event) => {
    event.preventDefault();
    act.ack(alert, new FormData(event.target).get("note").trim());
  };
  return html`<form class="note-form" @submit=${send} @keydown=${(e) => e.key === "Escape" && act.note(null)}>
    <label><span class="sr">${f.t("alerts.note_label")}</span>
      <input name="note" maxlength="280" autocomplete="off" placeholder=${f.t("alerts.note_placeholder")}></label>
    <button type="submit" class="primary">${f.t("alerts.note_send")}</button>
    <button type="button" class="quiet" @click=${() => act.note(null)}>${f.t("alerts.cancel")}</button></form>`;
}

/** What is known of the device an alert is about: the reason its health turned. */
function deviceSays(alert, state) {
  const s = alert.text?.startsWith("device") ? state.sensors[alert.subject] : null;
  return s?.reason && s.health !== "good" ? html`<p class="alert-reason">${s.reason}</p>` : nothing;
}

/**
 * o: {state, venue, now, f, act: {ack, note, go, select}, compact, chosen, noting, history}
 * A history line is frozen as it was; any other shows the watched value as it is now.
 */
export function alertCard(alert, o) {
  const { state, venue, now, f } = o;
  const live = o.history ? alert.value : valueNow(alert, state, now);
  const end = o.history ? null : endsBelow(alert, venue, live);
  const refused = state.refused?.alert === alert.id && state.refused.code ? state.refused : null;
  return html`<article class="alert-card ${alert.pri} s-${alert.state} ${o.chosen ? "chosen" : ""}" data-alert=${alert.id} tabindex=${o.compact ? "-1" : "0"}
      aria-label=${[f.t(`pri.${alert.pri}`), subjectName(alert, venue, f), f.t(`state.${alert.state}`)].join(", ")}
      @focusin=${() => o.act.select?.(alert.id)}>
    ${badgeIcon(alert.pri, alert.state === "SHLVD")}
    <div class="alert-text">
      <p class="alert-subject">${subjectName(alert, venue, f)}<span class="alert-pri">${f.t(`pri.${alert.pri}`)}</span></p>
      <p class="alert-sentence">${sentence(alert, f, live)}${end === null ? nothing : f.t("alerts.ends_below", { limit: alert.unit === "people" ? f.n(end) : f.quantity(end, alert.unit) })}</p>
      ${deviceSays(alert, state)}
      <p class="alert-when">${when(alert, o).filter(Boolean).join(" · ")}
        ${alert.note ? html`<span class="note">${f.t("alerts.quoted", { note: alert.note })}</span>` : nothing}</p>
      ${refused ? html`<p class="refused" role="status"><strong>${f.t("refused.title")}</strong> ${refusal(refused, f)}</p>` : nothing}
    </div>
    ${o.history ? nothing : html`<div class="alert-actions">${o.noting === alert.id && ackable(alert) && !pendingFor(alert, state) ? noteForm(alert, o) : actions(alert, o)}</div>`}
  </article>`;
}

/** Why a command was not done, in words that say what to do. */
export function refusal(refused, f) {
  const key = `refused.${refused.code}`;
  const text = f.t(key);
  return text === key ? f.t("refused.other", { code: refused.code, reason: refused.reason ?? "" }) : text;
}
