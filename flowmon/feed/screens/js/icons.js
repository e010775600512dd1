// Signs drawn in place (no icon font, no request). A severity is a shape as well as a colour, in every theme.
import { html, nothing, svg } from "./vendor/lit-html/lit-html.js";

const SHAPES = {
  critical: "M0,-10 L10,0 L0,10 L-10,0 Z",
  high: "M0,-9.5 L10,8 L-10,8 Z",
  medium: "M-8,-8 H8 V8 H-8 Z",
  low: "M0,-8.5 A8.5,8.5 0 1 1 -0.01,-8.5 Z",
};
const MARKS = { critical: [-4.6, 1.2, 4.6], high: [-3.2, 2, 5] };

/** A severity badge around (0, 0), 20 units wide; shelved ones are hatched and have no hue. */
export function badge(pri, shelved = false) {
  const shape = SHAPES[pri] ?? SHAPES.low;
  const mark = MARKS[pri];
  if (shelved) return svg`<path class="badge shelved" d=${SHAPES.medium} fill="url(#hatch)"></path>`;
  return svg`<path class="badge ${pri}" d=${shape}></path>${mark && !shelved
    ? svg`<path class="glyph" d="M0,${mark[0]} V${mark[1]}"></path><circle class="glyph-dot" cx="0" cy=${mark[2]} r="1.15"></circle>`
    : nothing}`;
}

export const badgeIcon = (pri, shelved = false) =>
  html`<svg class="icon badge-icon" viewBox="-12 -12 24 24" aria-hidden="true">${badge(pri, shelved)}</svg>`;

const PATHS = {
  floor: "M3 4h18v16H3z M3 13h8 M11 4v5 M11 13v7 M15 13h6",
  queues: "M6 5.5a2 2 0 1 0 .01 0z M6 11v8 M12 5.5a2 2 0 1 0 .01 0z M12 11v8 M18 5.5a2 2 0 1 0 .01 0z M18 11v8",
  alerts: "M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15z M10 20.5a2 2 0 0 0 4 0",
  sun: "M12 8a4 4 0 1 0 .01 0z M12 2v2 M12 20v2 M2 12h2 M20 12h2 M5 5l1.4 1.4 M17.6 17.6L19 19 M5 19l1.4-1.4 M17.6 6.4L19 5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4 M12 17.5v.01",
  close: "M6 6l12 12 M18 6L6 18",
  up: "M6 14l6-6 6 6",
  pin: "M12 21c4-5 6-8 6-11a6 6 0 0 0-12 0c0 3 2 6 6 11z M12 8a2 2 0 1 0 .01 0z",
  sensors: "M12 11a1.5 1.5 0 1 0 .01 0z M8.5 16a5 5 0 0 1 0-7 M15.5 9a5 5 0 0 1 0 7 M5.5 19a9.2 9.2 0 0 1 0-13 M18.5 6a9.2 9.2 0 0 1 0 13",
  warn: "M12 4l9 16H3z M12 10v4.5 M12 17.2v.01",
  mute: "M12 3a9 9 0 1 0 .01 0z M5.6 5.6l12.8 12.8",
  check: "M5 12.5l4.5 4.5L19 7.5",
  plan: "M3 4h18v16H3z M3 13h8 M11 4v5 M11 13v7 M15 13h6",
  table: "M3 5h18v14H3z M3 10h18 M3 14.5h18 M9 10v9",
  stairs: "M4 19h4v-4h4v-4h4V7h4",
};

export const icon = (name) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d=${PATHS[name]}></path></svg>`;

export const stairsGlyph = svg`<path class="stairs" d=${PATHS.stairs} transform="translate(-12 -13)"></path>`;

/** Patterns every plan refers to; drawn once in the page. */
export const patterns = html`<svg class="patterns" width="0" height="0" aria-hidden="true"><defs>
  <pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
    <rect width="7" height="7" class="hatch-ground"></rect><rect width="2" height="7" class="hatch-line"></rect>
  </pattern></defs></svg>`;
