// A small curve of what the feed has said since this page was opened: <flow-trend>, around uPlot.
//
// It never carries a number that is nowhere else: its `summary` is the sentence a screen reader gets.
const BAND = 0.18;

class FlowTrend extends HTMLElement {
  #plot = null;
  #given = null;
  #watch = null;
  #key = "";
  #drawn = "";

  /** {points: [[ms, mid, lo, hi]…], ahead: the same, of what is forecast, limit, timeZone, locale, unit, theme}; null values leave a hole. */
  set data(given) {
    this.#given = given;
    this.#draw();
  }

  connectedCallback() {
    this.setAttribute("aria-hidden", "true");
    this.#watch = new ResizeObserver(() => this.#resize());
    this.#watch.observe(this);
    this.#draw();
  }

  disconnectedCallback() {
    this.#watch?.disconnect();
    this.#plot?.destroy();
    this.#plot = null;
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this;
    if (this.#plot && width && height && (width !== this.#plot.width || height !== this.#plot.height)) this.#plot.setSize({ width, height });
  }

  async #draw() {
    const { default: UPlot } = await import("./vendor/uplot/uPlot.esm.js");
    const given = this.#given;
    if (!this.isConnected || !given || !this.clientWidth) return;
    // The page paints several times a second, a curve grows every ten: most calls have nothing to draw.
    const now = [given.theme, given.timeZone, given.locale, given.limit, given.points.length, given.points.at(-1)?.[0], JSON.stringify(given.ahead ?? [])].join("|");
    if (this.#plot && this.#drawn === now) return;
    this.#drawn = now;
    const last = given.points.at(-1);
    // A forecast is drawn from the last number on, and never over what was.
    const ahead = (given.ahead ?? []).filter((p) => last && p[0] > last[0]);
    const columns = [0, 1, 2, 3].map((i) => [...given.points, ...ahead.map((p) => [p[0], null, null, null])].map((p) => (i === 0 ? p[0] / 1000 : (p[i] ?? null))));
    for (const i of [1, 2, 3]) columns.push([...given.points.map((p) => (ahead.length && p === last ? (p[1] ?? null) : null)), ...ahead.map((p) => p[i] ?? null)]);
    const key = `${given.theme}|${given.timeZone}|${given.locale}|${given.limit}`;
    if (this.#plot && this.#key !== key) {
      this.#plot.destroy();
      this.#plot = null;
    }
    this.#key = key;
    if (this.#plot) this.#plot.setData(columns);
    else this.#plot = new UPlot(this.#options(given), columns, this);
  }

  #options(given) {
    const css = getComputedStyle(this);
    const ink = css.getPropertyValue("--text").trim();
    const muted = css.getPropertyValue("--muted").trim();
    const line = css.getPropertyValue("--line").trim();
    const px = parseFloat(css.fontSize) || 12;
    const font = `${px}px ${css.fontFamily}`;
    const clock = new Intl.DateTimeFormat(given.locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: given.timeZone });
    const axis = { stroke: muted, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    return {
      width: this.clientWidth, height: this.clientHeight, legend: { show: false }, cursor: { show: false }, padding: [px * 0.6, px * 1.4, 0, 0],
      scales: { x: { time: true }, y: { range: (_, lo, hi) => [0, Math.max(1, hi ?? 1, given.limit ?? 0) * 1.1] } },
      axes: [
        { ...axis, grid: { show: false }, size: px * 2.3, gap: px * 0.75, space: px * 5.5, values: (_, ticks) => ticks.map((s) => clock.format(s * 1000)) },
        { ...axis, size: px * 2.7, space: px * 2.4, values: (_, ticks) => ticks.map((v) => (Number.isInteger(v) ? String(v) : "")) },
      ],
      series: [{}, { stroke: ink, width: 2, points: { show: false } },
        { stroke: muted, width: 1, points: { show: false } }, { stroke: muted, width: 1, points: { show: false } },
        { stroke: ink, width: 2, dash: [4, 4], points: { show: false } },
        { stroke: muted, width: 1, dash: [2, 3], points: { show: false } }, { stroke: muted, width: 1, dash: [2, 3], points: { show: false } }],
      bands: [{ series: [3, 2], fill: withAlpha(muted, BAND) }, { series: [6, 5], fill: withAlpha(muted, BAND) }],
      hooks: { draw: [(u) => given.limit && limitLine(u, given.limit, ink)] },
    };
  }
}

function limitLine(u, limit, ink) {
  const y = Math.round(u.valToPos(limit, "y", true));
  u.ctx.save();
  u.ctx.strokeStyle = ink;
  u.ctx.lineWidth = devicePixelRatio;
  u.ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  u.ctx.beginPath();
  u.ctx.moveTo(u.bbox.left, y);
  u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
  u.ctx.stroke();
  u.ctx.restore();
}

function withAlpha(hex, alpha) {
  const n = parseInt(hex.slice(1), 16);
  return `rgba(${n >> 16}, ${(n >> 8) & 255}, ${n & 255}, ${alpha})`;
}

customElements.define("flow-trend", FlowTrend);

/** First, last and highest value of a curve, for the sentence beside it; null when there is none yet. */
export function summary(points) {
  const known = points.filter((p) => typeof p[1] === "number");
  if (known.length < 2) return null;
  return { start: known[0][0], end: known.at(-1)[0], first: known[0][1], last: known.at(-1)[1], max: Math.max(...known.map((p) => p[1])) };
}
