// The plan's geometry: bounds, the largest rectangle a label fits in, neighbours by direction. Pure; metres in, metres out.

/** {x, y, w, h} around points [x, y]. */
export function bounds(points) {
  const xs = points.map((p) => p[0]);
  const ys = points.map((p) => p[1]);
  const x = Math.min(...xs);
  const y = Math.min(...ys);
  return { x, y, w: Math.max(...xs) - x, h: Math.max(...ys) - y };
}

/** Whether (x, y) lies in the polygon, by the even-odd rule. */
export function inside(polygon, x, y) {
  let is = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) is = !is;
  }
  return is;
}

function grid(from, length, own) {
  const steps = Array.from({ length: 13 }, (_, i) => from + (length * i) / 12);
  return [...new Set([...own, ...steps])].sort((a, b) => a - b).filter((v, i, all) => i === 0 || v - all[i - 1] > 1e-9);
}

/**
 * The largest upright rectangle inside a polygon, as {x, y, w, h}: where its label goes. Exact for right-angled rooms,
 * within a twelfth of the room otherwise. Falls back to the bounds for an outline nothing fits in.
 */
export function labelBox(polygon) {
  const box = bounds(polygon);
  const xs = grid(box.x, box.w, polygon.map((p) => p[0]));
  const ys = grid(box.y, box.h, polygon.map((p) => p[1]));
  const cell = (i, j) => {
    const inset = 1e-6;
    const corners = [[xs[i] + inset, ys[j] + inset], [xs[i + 1] - inset, ys[j] + inset], [xs[i] + inset, ys[j + 1] - inset], [xs[i + 1] - inset, ys[j + 1] - inset]];
    return corners.every(([x, y]) => inside(polygon, x, y));
  };
  const free = ys.slice(0, -1).map((_, j) => xs.slice(0, -1).map((__, i) => cell(i, j)));
  let best = null;
  for (let top = 0; top < free.length; top++) {
    const open = free[top].map(() => true);
    for (let bottom = top; bottom < free.length; bottom++) {
      free[bottom].forEach((ok, i) => { open[i] &&= ok; });
      for (let left = 0; left < open.length; left++) {
        for (let right = left; right < open.length && open[right]; right++) {
          const w = xs[right + 1] - xs[left];
          const h = ys[bottom + 1] - ys[top];
          // A label is wider than high: a long thin strip is worth less than its area.
          const worth = Math.min(w, 3 * h) * Math.min(h, 1.5 * w);
          if (best === null || worth > best.worth + 1e-9) best = { x: xs[left], y: ys[top], w, h, worth };
        }
      }
    }
  }
  if (best === null) return box;
  return { x: best.x, y: best.y, w: best.w, h: best.h };
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * The zone an arrow key leads to: a neighbour through a door before any other room, the straightest first.
 * `zones` maps ids to {box}, `doors` lists pairs of ids. Null when nothing lies that way.
 */
export function neighbour(zones, doors, from, key) {
  const way = WAYS[key];
  if (!way || !zones[from]) return null;
  const centre = (z) => [z.box.x + z.box.w / 2, z.box.y + z.box.h / 2];
  const [cx, cy] = centre(zones[from]);
  const linked = new Set(doors.filter((d) => d.includes(from)).flat());
  let best = null;
  for (const [id, zone] of Object.entries(zones)) {
    if (id === from) continue;
    const [x, y] = centre(zone);
    const length = Math.hypot(x - cx, y - cy) || 1;
    const along = ((x - cx) * way[0] + (y - cy) * way[1]) / length;
    if (along < 0.4) continue;
    const cost = (length / along ** 2) * (linked.has(id) ? 1 : 2);
    if (best === null || cost < best.cost) best = { id, cost };
  }
  return best?.id ?? null;
}

/** The step 0..4 of the grey ramp for a density in people per square metre; null when unknown. */
export const DENSITY_STEPS = [0.05, 0.1, 0.2, 0.5];
export function densityStep(density) {
  if (typeof density !== "number" || !Number.isFinite(density)) return null;
  return DENSITY_STEPS.filter((s) => density >= s).length;
}

/** Fits metres into pixels: {k, dx, dy} so that px = m * k + d. */
export function fit(box, width, height, margin) {
  const k = Math.max(0.1, Math.min((width - 2 * margin) / box.w, (height - 2 * margin) / box.h));
  return { k, dx: (width - box.w * k) / 2 - box.x * k, dy: (height - box.h * k) / 2 - box.y * k };
}
