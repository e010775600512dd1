// The keyboard: one letter, one thing. Pure: a key event in, the name of an action out; null for a key that is not ours.

export const KEY_MAP = [
  ["1 2 3 4", "key.screens"], ["A", "key.ack"], ["N", "key.note"], ["J K", "key.next"], ["G", "key.go"],
  ["T", "key.table"], ["F", "key.freeze"], ["?", "key.help"],
];
const ACTIONS = { 1: "floor", 2: "queues", 3: "alerts", 4: "sensors", a: "ack", n: "note", j: "next", k: "previous", g: "go", t: "table", f: "freeze", "?": "help" };

/** `typing`: focus is in a field. `letters`: single-letter keys are on (WCAG 2.1.4 asks that they can be off). */
export function actionOf(event, { typing, letters }) {
  if (typing || !letters || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return null;
  return ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key] ?? null;
}
