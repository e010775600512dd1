// Numbers, times and words in the reader's language. Pure: the language and the venue's time zone are arguments.
import en from "./i18n/en.js";
import fr from "./i18n/fr.js";

export const CATALOGUES = { en, fr };
const DASH = "—";
const LOCALES = { en: "en-GB", fr: "fr-FR" };

function zoned(locale, timeZone, options) {
  try {
    return new Intl.DateTimeFormat(locale, { hourCycle: "h23", timeZone, ...options });
  } catch {
    return new Intl.DateTimeFormat(locale, { hourCycle: "h23", timeZone: "UTC", ...options }); // a zone this browser lacks
  }
}

const made = new Map();

/** The words and numbers of a language; made once, since the browser's formatters are slow to build. */
export function formatter(lang, timeZone = "UTC") {
  const key = `${lang}|${timeZone}`;
  if (!made.has(key)) made.set(key, build(lang, timeZone));
  return made.get(key);
}

function build(lang, timeZone) {
  const words = CATALOGUES[lang] ?? en;
  const locale = LOCALES[lang] ?? LOCALES.en;
  const plural = new Intl.PluralRules(locale);
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const tenth = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const hundredth = new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const sign = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: "exceptZero" });
  const short = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
  const share = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
  const clock = zoned(locale, timeZone, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const hour = zoned(locale, timeZone, { hour: "2-digit", minute: "2-digit" });
  const known = (v) => typeof v === "number" && Number.isFinite(v);
  const round = (v) => Math.round(v) || 0; // never "-0"

  function t(key, params = {}) {
    let text = words[key];
    if (text === undefined) return key;
    if (typeof text === "object") text = text[plural.select(params.n ?? 0)] ?? text.other;
    return text.replace(/\{(\w+)\}/g, (whole_, name) => {
      const value = params[name];
      return value === undefined ? whole_ : typeof value === "number" ? whole.format(value) : value;
    });
  }

  const n = (v) => (known(v) ? whole.format(round(v)) : DASH);

  /** A span of time in its coarsest honest unit; `ms` in milliseconds. */
  function age(ms) {
    if (!known(ms)) return DASH;
    const s = Math.floor(ms / 1000);
    if (s < 60) return t("unit.s", { n: s });
    if (s < 3600) return t("unit.min", { n: Math.floor(s / 60) });
    if (s < 48 * 3600) return t("unit.h", { h: Math.floor(s / 3600), m: String(Math.floor((s % 3600) / 60)).padStart(2, "0") });
    return t("unit.d", { n: Math.floor(s / 86400) });
  }

  /** A wait given in seconds, in whole minutes (up: nobody complains of a shorter wait). */
  const waitMinutes = (s) => (known(s) ? Math.ceil(Math.max(0, s) / 60) : null);

  function quantity(value, unit) {
    if (!known(value)) return DASH;
    if (unit === "people") return t("unit.people", { n: round(value) });
    if (unit === "share" || unit === "fraction" || unit === "ratio") return share.format(value);
    if (unit === "min" || unit === "minutes") return t("unit.min", { n: Math.round(value) });
    if (unit === "s" || unit === "seconds") return age(value * 1000);
    return unit ? t("unit.other", { n: tenth.format(value), unit }) : tenth.format(value);
  }

  return {
    lang, locale, t, n, age, waitMinutes, quantity,
    n1: (v) => (known(v) ? tenth.format(v) : DASH),
    n2: (v) => (known(v) ? hundredth.format(v) : DASH),
    signed: (v) => (known(v) ? sign.format(Math.round(v * 10) / 10 || 0).replace("-", "−") : DASH),
    density: (v) => short.format(v),
    pct: (v) => (known(v) ? share.format(v) : DASH),
    seconds: (ms) => (known(ms) ? t("unit.s", { n: ms < 9950 ? tenth.format(ms / 1000) : Math.floor(ms / 1000) }) : DASH),
    interval: (lo, hi) => (known(lo) && known(hi) ? `${n(Math.max(0, lo))}–${n(hi)}` : DASH),
    clock: (ms) => (known(ms) ? clock.format(ms) : "––:––:––"),
    time: (ms) => (known(ms) ? hour.format(ms) : DASH),
  };
}
