// The URL is the state: which screen, floor, room, tab, theme and language, and how a wall shows it. Pure.
export const SCREENS = ["floor", "queues", "alerts", "sensors"];
export const TABS = ["unacked", "active", "returned", "shelved", "history"];
const WALL_WIDTH = 1600; // px
const WALL_DIST = 3; // m
const SLUG = /^[a-z0-9-]{1,64}$/;

const among = (value, allowed, otherwise) => (allowed.includes(value) ? value : otherwise);
const number = (text, lo, hi) => {
  const value = Number(text);
  return text !== null && text !== "" && Number.isFinite(value) ? Math.min(hi, Math.max(lo, value)) : null;
};
const flag = (q, name) => q.has(name) && q.get(name) !== "0";

/** What an address asks for. Nonsense falls back to the default: an old bookmark must open something. */
export function parse(pathname, search) {
  const q = new URLSearchParams(search);
  const path = pathname.replace(/^\/+|\/+$/g, "");
  return {
    screen: path === "" ? "floor" : among(path, SCREENS, "missing"),
    floor: SLUG.test(q.get("floor") ?? "") ? q.get("floor") : null,
    room: SLUG.test(q.get("room") ?? "") ? q.get("room") : null,
    view: among(q.get("view"), ["plan", "table"], "plan"),
    tab: among(q.get("tab"), TABS, "unacked"),
    theme: among(q.get("theme"), ["dark", "light"], null),
    lang: among(q.get("lang"), ["en", "fr"], null),
    kiosk: flag(q, "kiosk"),
    freeze: flag(q, "freeze"),
    scale: number(q.get("scale"), 0.5, 4),
    dist: number(q.get("dist"), 0.3, 20),
  };
}

/** The shortest address that `parse` reads back to the same thing. */
export function format(a) {
  const q = new URLSearchParams();
  if (a.floor) q.set("floor", a.floor);
  if (a.room) q.set("room", a.room);
  if (a.view !== "plan") q.set("view", a.view);
  if (a.screen === "alerts" && a.tab !== "unacked") q.set("tab", a.tab);
  if (a.theme) q.set("theme", a.theme);
  if (a.lang) q.set("lang", a.lang);
  if (a.scale !== null) q.set("scale", String(a.scale));
  if (a.dist !== null) q.set("dist", String(a.dist));
  for (const name of ["kiosk", "freeze"]) if (a[name]) q.set(name, "1");
  const query = q.toString();
  return `/${a.screen}${query ? `?${query}` : ""}`;
}

/**
 * How much larger than at a desk everything is drawn. A figure read at `dist` metres needs 20 minutes of arc, which is
 * 13.2 px a metre on a 55-inch wall of 1920 px; our running text is 14 px and its figures twice that. A wide kiosk that
 * is told nothing is a wall read from three metres.
 */
export function magnification({ scale, dist: given, kiosk = false }, width = 0) {
  if (scale !== null) return scale;
  const dist = given ?? (kiosk && width >= WALL_WIDTH ? WALL_DIST : null);
  return dist === null ? 1 : Math.min(4, Math.max(1, (13.2 * dist) / 28));
}
