// The keys. `?` lists them.

import { change } from "./api.js";
import { $, fill, h } from "./dom.js";
import { apply, applyAgain, removeSelected, setWay } from "./correct.js";
import { go, play, step, stopVideo, toggle } from "./playing.js";
import { camera, fit, zoom } from "./stage.js";
import { set, state } from "./state.js";
import { act, finishPolygon, holdSpace, TOOLS } from "./tools.js";

const KEYS = [
  ["Space", "play, stop"], ["J K L", "back, stop, forth; again for twice the speed"],
  ["← →", "frame back, forth; with Shift ten"], ["↑ ↓", "shot back, forth"], ["Home End", "start, end of the film"],
  ["V B X P R T I", "point, brush, eraser, polygon, box, label, eyedropper"], ["[ ]", "brush narrower, wider"],
  ["Shift", "while drawing with polygon or box: add to the region"], ["Alt", "while drawing: take away from the region"],
  ["Enter", "at the cross: point there, or dab with the brush; close the polygon; paint the region"], ["Esc", "drop the region"],
  ["Alt + arrows", "move the cross, to work without a pointer"], ["Delete", "remove the chosen edit"],
  ["N", "neutral"], ["/", "search a label"], ["#", "choose a colour"],
  ["G C F S", "show grey, colour, labels, swipe"], ["D", "show side by side"], ["\\", "hold: without colours"],
  ["H", "hide, show the outlines of regions"], ["M", "keep this frame for comparison"], ["+ − 0", "zoom in, out, fit"], ["Space + drag", "move the picture; also the middle button"],
  ["Ctrl+Z, Shift+Ctrl+Z", "undo, redo"], ["?", "this list"],
];

export function help() {
  const dialog = $("#dialog");
  fill(dialog, h("h2", {}, "Keys"), h("dl", { class: "keys" }, KEYS.map(([key, what]) => [h("dt", {}, key), h("dd", {}, what)])),
    h("div", { class: "bar end" }, h("button", { class: "main", onclick: () => dialog.close() }, "Close")));
  dialog.showModal();
}

const MODES = { g: "grey", c: "colour", f: "labels", s: "swipe", d: "beside" };
let pressed = 0, dragged = false;

export function pin() {
  set({ pinned: state.frame });
}

function writing(target) {
  return target.matches?.("input:not([type=checkbox]):not([type=range]), textarea, select");
}

let crossed = null; // where the cross was last

function cross(dx, dy) {
  const [x, y] = state.cursor ?? crossed ?? [state.film.width / 2, state.film.height / 2];
  crossed = [Math.min(state.film.width - 1, Math.max(0, x + dx)), Math.min(state.film.height - 1, Math.max(0, y + dy))];
  set({ cursor: crossed });
}

function key(event) {
  if (!state.film || $("#dialog").open) return;
  const { target } = event, control = event.ctrlKey || event.metaKey, name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (control && name === "z" && !writing(target)) { event.preventDefault(); return change({ do: event.shiftKey ? "redo" : "undo" }); }
  if (control && name === "y" && !writing(target)) { event.preventDefault(); return change({ do: "redo" }); }
  if (control || writing(target)) { if (name === "Escape" && writing(target)) target.blur(); return; }
  const onButton = target.matches?.("button, input, summary, a");
  const far = event.shiftKey ? 10 : 1, speed = state.playing;
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[name];
  if (event.altKey && arrows) { event.preventDefault(); const by = event.shiftKey ? 1 : Math.max(1, 12 / camera.scale); return cross(arrows[0] * by, arrows[1] * by); }
  if (event.altKey) return;
  const doings = {
    " ": () => { if (onButton) return false; pressed = performance.now(); dragged = false; if (!event.repeat) holdSpace(true); },
    j: () => play(speed < 0 ? speed * 2 : -1), k: () => play(0), l: () => play(speed > 0 ? speed * 2 : 1),
    ArrowLeft: () => go(state.frame - far), ArrowRight: () => go(state.frame + far), ArrowUp: () => step(-1), ArrowDown: () => step(1),
    Home: () => go(0), End: () => go(state.film.frames - 1),
    "[": () => set({ brush: Math.max(1, Math.round(state.brush / 1.25)) }), "]": () => set({ brush: Math.round(state.brush * 1.25) + 1 }),
    "{": () => {}, "}": () => {},
    Enter: () => {
      if (onButton) return false;
      if (finishPolygon()) return;
      if (state.cursor && !target.closest?.("#side") && (!state.draft || state.tool === "brush" || state.tool === "eraser")) return act(state.cursor);
      applyAgain();
    },
    Escape: () => { if (stopVideo()) return; set({ draft: null, drawing: null, selected: null, cursor: null }); },
    Delete: removeSelected, Backspace: removeSelected,
    n: () => apply("neutral"), m: pin, h: () => set({ outlines: !state.outlines }), "?": help, "\\": () => set({ peek: true }),
    "/": () => { set({ tab: "correct" }); setWay("label"); requestAnimationFrame(() => requestAnimationFrame(() => $("#search")?.focus())); },
    "#": () => { set({ tab: "correct" }); setWay("colour"); requestAnimationFrame(() => requestAnimationFrame(() => $("#disc")?.focus())); },
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: fit,
  };
  for (const tool of TOOLS) doings[tool.key] = () => set({ tool: tool.id, drawing: null });
  for (const [letter, mode] of Object.entries(MODES)) doings[letter] = () => set({ mode });
  const doing = doings[name];
  if (doing && doing() !== false) event.preventDefault();
}

export function watchKeys() {
  addEventListener("keydown", key);
  addEventListener("keyup", (event) => {
    if (event.key === "\\") set({ peek: false });
    if (event.key === " ") {
      holdSpace(false);
      if (pressed && !dragged && performance.now() - pressed < 400) toggle();
      pressed = 0;
    }
  });
  addEventListener("pointerdown", () => { dragged = true; });
  // Who clicks on a button with the pointer wants the keys for the picture again: Space plays, and does not click twice.
  addEventListener("click", (event) => {
    if (event.detail && event.target.closest?.("header button, .bar button, #tools button, #strip button") && !$("#dialog").open) $("#stage").focus({ preventScroll: true });
  });
  addEventListener("blur", () => { holdSpace(false); set({ peek: false }); });
}
