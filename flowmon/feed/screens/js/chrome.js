// What stands around every screen: the top bar, the banners that explain a silence, help and settings.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { SCREENS } from "./address.js";
import { PRIORITIES, unacked, worst } from "./alarms.js";
import { badgeIcon, icon } from "./icons.js";
import { KEY_MAP } from "./keys.js";
import { segmented } from "./parts.js";
import { isSimulated } from "./reducer.js";
import { feedClock, feedTrust, monitorGone, proofAge } from "./trust.js";

/** live | stale | offline | connecting | frozen | replay: the one word for how far the screen may be believed. */
export function mode(state, now, frozen) {
  if (frozen) return "frozen";
  const trust = feedTrust(state, now);
  if (trust === "never") return state.conn.phase === "closed" ? "offline" : "connecting";
  if (trust === "gone") return "offline";
  if (trust === "late") return "stale";
  if (state.conn.phase !== "open") return "stale";
  return state.conn.mode === "live" ? "live" : "replay";
}

function chip(o) {
  const { state, now, f, frozen } = o;
  const how = mode(state, now, frozen);
  const age = proofAge(state, now);
  const lag = how === "stale" && monitorGone(state) ? state.conn.lagMs : age;
  const detail = how === "frozen" ? f.clock(feedClock(state, now)) : how === "connecting" || lag === null ? "" : f.seconds(lag);
  return html`<span class="chip ${how}"><span class="chip-dot" aria-hidden="true"></span><span>${f.t(`mode.${how}`)}</span>${detail ? html`<span class="chip-age">${detail}</span>` : nothing}</span>`;
}

/** Never behind a flag: whoever photographs the wall must see that nobody is there. */
const simulated = (f) => html`<strong class="simulated" title=${f.t("mode.simulated_help")}>${f.t("mode.simulated")}</strong>`;

function nav(o) {
  const { f, address, state } = o;
  const waiting = unacked(state);
  const n = waiting.length;
  return html`<nav class="nav" aria-label=${f.t("nav.label")}>${SCREENS.map((screen) => html`<a href=${`/${screen}`} data-screen=${screen}
    aria-current=${address.screen === screen ? "page" : nothing}>${icon(screen)}<span>${f.t(`nav.${screen}`)}</span>${screen === "alerts" && n
      ? html`<span class="count hot ${worst(waiting)}" aria-label=${f.t("alerts.unacked", { n })}>${n}</span>` : nothing}</a>`)}</nav>`;
}

export function topBar(o) {
  const { state, venue, now, f, act, theme } = o;
  const trust = feedTrust(state, now);
  const clock = trust === "gone" || trust === "never" ? null : feedClock(state, now);
  return html`<header class="top">
    <p class="site"><svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><path d="M3 4h18v16H3z M12 4v7 M3 13h9 M16 20v-8h5"></path></svg>
      <span class="site-name">${venue?.name ?? f.t("app.title")}</span></p>
    ${isSimulated(state, venue) ? simulated(f) : nothing}
    ${nav(o)}
    <span class="clock">${f.clock(clock)}</span>
    ${chip(o)}
    <div class="tools">
      ${segmented(f.t("settings.lang"), [["fr", "FR", "Français"], ["en", "EN", "English"]], f.lang, (lang) => act.navigate({ lang }))}
      <button type="button" class="icon-button" aria-label=${`${f.t("settings.theme")}, ${f.t(theme === "dark" ? "settings.theme.light" : "settings.theme.dark")}`}
        @click=${() => act.navigate({ theme: theme === "dark" ? "light" : "dark" })}>${icon(theme === "dark" ? "sun" : "moon")}</button>
      <button type="button" class="icon-button help-button" aria-label=${f.t("settings.open")} @click=${act.help}>${icon("help")}</button>
    </div></header>`;
}

function silence(o) {
  const { state, now, f, act } = o;
  const { phase, code, retryAt, lagMs } = state.conn;
  if (code !== null && code >= 4400 && code !== 4408 && code !== 4410 && code !== 4429 && phase === "closed") {
    return html`<div class="banner bad"><p>${f.t("banner.refused", { code: String(code) })}</p><button type="button" class="secondary" @click=${act.reload}>${f.t("banner.reload")}</button></div>`;
  }
  const trust = feedTrust(state, now);
  if (trust === "gone") {
    const wait = retryAt === null ? 0 : retryAt - now;
    return html`<div class="banner bad"><p>${f.t("banner.offline", { age: f.age(proofAge(state, now)) })} ${wait > 1000 ? f.t("banner.retry", { age: f.age(wait) }) : f.t("banner.retrying")}</p></div>`;
  }
  return monitorGone(state) ? html`<div class="banner bad"><p>${f.t("banner.monitor", { age: f.age(lagMs) })}</p></div>` : nothing;
}

/** o.since: the alerts that came while the display stood still. */
export function banners(o) {
  const { state, f, frozen, act } = o;
  return html`${state.conn.mode !== "live" ? html`<p class="banner replay">${f.t("mode.replay_banner")}</p>` : nothing}
    ${silence(frozen ? { ...o, state: o.liveState, now: o.liveNow } : o)}
    ${frozen ? html`<div class="banner frozen"><p>${f.t("banner.frozen", { time: f.clock(feedClock(state, o.now)) })}${o.since ? html` <strong>${f.t("banner.frozen_alerts", { n: o.since })}</strong>` : nothing}</p>
      <button type="button" class="secondary" @click=${act.freeze}>${f.t("banner.resume")} <kbd>F</kbd></button></div>` : nothing}`;
}

/** The dialog behind "?": settings first, they are what a phone needs it for. */
export function helpDialog(o) {
  const { f, act, theme, letters } = o;
  return html`<div class="help-body"><div class="room-head"><h2 id="help-title">${f.t("settings.title")}</h2>
      <button type="button" class="icon-button" aria-label=${f.t("settings.close")} @click=${act.closeHelp}>${icon("close")}</button></div>
    <div class="settings">
      <div><h3>${f.t("settings.theme")}</h3>${segmented(f.t("settings.theme"), [["dark", f.t("settings.theme.dark")], ["light", f.t("settings.theme.light")]], theme, (x) => act.navigate({ theme: x }))}</div>
      <div><h3>${f.t("settings.lang")}</h3>${segmented(f.t("settings.lang"), [["fr", "Français"], ["en", "English"]], f.lang, (lang) => act.navigate({ lang }))}</div>
    </div>
    <h3>${f.t("settings.numbers")}</h3><p>${f.t("settings.numbers_help")}</p>
    <h3>${f.t("settings.legend")}</h3>
    <ul class="signs">${PRIORITIES.map((pri) => html`<li>${badgeIcon(pri)}${f.t(`pri.${pri}`)}</li>`)}<li>${badgeIcon("low", true)}${f.t("state.SHLVD")}</li></ul>
    <h3>${f.t("settings.keys")}</h3>
    <label class="check"><input type="checkbox" ?checked=${letters} @change=${(e) => act.letters(e.target.checked)}>${f.t("settings.keys_on")}</label>
    <dl class="keys">${KEY_MAP.map(([keys, what]) => html`<div><dt>${keys.split(" ").map((k) => html`<kbd>${k}</kbd>`)}</dt><dd>${f.t(what)}</dd></div>`)}</dl>
  </div>`;
}
