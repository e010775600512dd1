// Every visible text's contrast against what is behind it: [{what, ratio, least}]. axe does not measure text in SVG.
() => {
  const parse = (c) => c.match(/[\d.]+/g).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ratio = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const found = [];
  // A room's text stands on its shape, and on its hatching where it has one.
  for (const zone of document.querySelectorAll(".zone")) {
    const grounds = [parse(getComputedStyle(zone.querySelector(".zone-shape")).fill)];
    if (zone.querySelector(".zone-hatch")) {
      grounds.push(parse(getComputedStyle(document.querySelector(".hatch-line")).fill));
    }
    for (const text of zone.querySelectorAll("text")) {
      const ink = parse(getComputedStyle(text).fill);
      const fresh = !zone.matches(".q-stale, .withdrawn");
      found.push({
        what: `${zone.dataset.zone} ${text.getAttribute("class")}`,
        ratio: Math.min(...grounds.map((g) => ratio(ink, g))),
        least: text.matches(".zone-number") && fresh ? 7 : 4.5,
      });
    }
  }
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const hidden = "svg, .sr, script, noscript, :disabled, dialog:not([open]), .skip";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    const e = walker.currentNode.parentElement;
    if (!text || e.closest(hidden)) continue;
    const fresh = e.matches(".number") && !e.closest(".q-stale, .q-gone, .q-bad, .q-none");
    found.push({
      what: `${e.className || e.tagName} ${text.slice(0, 20)}`,
      ratio: ratio(parse(getComputedStyle(e).color), ground(e)),
      least: fresh ? 7 : 4.5,
    });
  }
  return found;
}
