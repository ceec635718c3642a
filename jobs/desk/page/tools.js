// What the pointer does on the picture: pointing, drawing regions, moving the picture and the swipe's line.

import { change, get, post } from "./api.js";
import { $, radios, say, toast } from "./dom.js";
import { colourAt, hex, labelAt } from "./frames.js";
import { setColour } from "./picker.js";
import { camera, hover, inside, pan, toSource, zoom } from "./stage.js";
import { at, reach, selected, set, state } from "./state.js";

export const TOOLS = [
  { id: "point", icon: "M12 3v18M3 12h18M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8", text: "Point", title: "Point (V): the area that is read as one label", key: "v" },
  { id: "brush", icon: "M20 4 10.500 13.500M10 13c-3 0-5 2-4 7 4 0 6.500-2 6.500-4.500L10 13", text: "Brush", title: "Brush (B): strokes add to the region in work, in any of its frames; [ and ] change the width", key: "b" },
  { id: "eraser", icon: "M8 20h12M5 15l9-9 5 5-8 8H8z", text: "Eraser", title: "Eraser (X): strokes take away from the region in work; Alt does so with every tool", key: "x" },
  { id: "polygon", icon: "M12 4l8.500 6.200-3.200 9.800H6.700L3.500 10.200z", text: "Polygon", title: "Polygon (P): click the corners, double-click or Enter closes it", key: "p" },
  { id: "box", icon: "M4 6.500h16v11H4z", text: "Box", title: "Box (R): drag from corner to corner", key: "r" },
  { id: "label", icon: "M4 4h8l8 8-8 8-8-8zM8 8h.01", text: "Label", title: "Label (T): all that is read as the label under the pointer", key: "t" },
  { id: "dropper", icon: "M14 6l4 4M4 20l1-4 9-9 3 3-9 9zM15.500 5.500l2-2 3 3-2 2", text: "Dropper", title: "Eyedropper (I): take a colour from the picture", key: "i" },
];

let down = null; // {id, x, y, what}
const touches = new Map();
let held = false; // the space bar

const tellButtons = radios($("#tool-buttons"), TOOLS, () => state.tool, (tool) => set({ tool, drawing: null }));

const brushing = () => state.tool === "brush" || state.tool === "eraser";

export function tellTools() {
  tellButtons();
  const field = $("#width"), box = $("#width-box");
  box.hidden = !brushing() || !state.film;
  if (box.hidden) return hover(null);
  field.max = Math.round(state.film.height / 3);
  field.value = state.brush;
  $("#width-text").textContent = `${state.brush} px`;
}

export function holdSpace(on) {
  held = on;
  $("#stage").classList.toggle("moving", on);
}

const local = (event) => {
  const box = $("#stage").getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

const clamped = ([x, y]) => [Math.min(Math.max(x, 0), state.film.width - 0.01), Math.min(Math.max(y, 0), state.film.height - 0.01)];
const rounded = (point) => point.map((value) => Math.round(value * 10) / 10);

export function watch() {
  const stage = $("#stage");
  stage.addEventListener("pointerdown", press);
  stage.addEventListener("pointermove", move);
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("pointerleave", () => { $("#tip").hidden = true; hover(null); });
  $("#width").addEventListener("input", (event) => set({ brush: Number(event.target.value) }));
  stage.addEventListener("dblclick", () => finishPolygon());
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.0015), ...local(event));
  }, { passive: false });
}

function press(event) {
  if (!state.film) return;
  $("#stage").focus({ preventScroll: true });
  $("#stage").setPointerCapture(event.pointerId);
  const [x, y] = local(event);
  touches.set(event.pointerId, [x, y]);
  if (touches.size === 2) { down = { what: "pinch" }; set({ drawing: null }); return; }
  const edge = camera.x + state.wipe * state.film.shown * camera.scale;
  if (event.button === 1 || held) down = { x, y, what: "pan" };
  else if (state.mode === "swipe" && Math.abs(x - edge) < 14) down = { what: "wipe" };
  else if (event.button === 0) begin(toSource(x, y), event);
}

function begin(place, event) {
  const point = rounded(clamped(place));
  if (!inside(...place) && !["brush", "eraser", "box"].includes(state.tool)) return;
  set({ cursor: null });
  const how = { add: event.shiftKey, away: event.altKey || state.tool === "eraser" };
  if (state.tool === "brush" || state.tool === "eraser") {
    down = { what: "brush" };
    set({ drawing: { strokes: [[point]], width: state.brush, ...how } });
  } else if (state.tool === "box") {
    down = { what: "box", from: point };
    set({ drawing: { box: [...point, ...point], ...how } });
  } else if (event.pointerType === "touch") down = { what: "tap", point, how }; // a second finger may follow
  else act(point, how);
}

// Does with one point what the tool does.
export function act(point, how = {}) {
  if (state.tool === "eraser" || state.tool === "brush") shaped({ strokes: [[point]], width: state.brush, ...how, away: state.tool === "eraser" });
  else if (state.tool === "polygon") {
    const { polygon = [], ...rest } = state.drawing ?? how; // the first corner says whether it is added or taken away
    set({ drawing: { ...rest, polygon: [...polygon, point] } });
  } else if (state.tool === "point") drafted({ point });
  else if (state.tool === "label") {
    const label = labelAt(state.frame, point[0] / state.film.width, point[1] / state.film.height);
    if (label) drafted({ label: label.name });
    else toast("The labels of this frame are not there yet; try again in a moment.");
  } else if (state.tool === "dropper") {
    const rgb = colourAt("colour", state.frame, point[0] / state.film.width, point[1] / state.film.height);
    if (rgb) { setColour(hex(rgb)); say(`Colour ${hex(rgb)}`); }
  }
}

function move(event) {
  const [x, y] = local(event);
  if (brushing() && event.pointerType !== "touch") hover(toSource(x, y));
  const before = touches.get(event.pointerId);
  if (before) touches.set(event.pointerId, [x, y]);
  if (down?.what === "pinch" && touches.size === 2) pinch(event.pointerId, before, [x, y]);
  else if (down?.what === "pan") { pan(x - down.x, y - down.y); Object.assign(down, { x, y }); }
  else if (down?.what === "wipe") set({ wipe: Math.min(1, Math.max(0, (x - camera.x) / (state.film.shown * camera.scale))) });
  else if (down?.what === "brush" && state.drawing) { // a key may have ended it
    const strokes = state.drawing.strokes.slice(), last = strokes.at(-1).slice();
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const point = rounded(clamped(toSource(...local(one)))), before = last.at(-1);
      if (Math.hypot(point[0] - before[0], point[1] - before[1]) * camera.scale > 2) last.push(point);
    }
    strokes[strokes.length - 1] = last;
    set({ drawing: { ...state.drawing, strokes } });
  } else if (down?.what === "box" && state.drawing) {
    const to = rounded(clamped(toSource(x, y)));
    set({ drawing: { ...state.drawing, box: [...down.from, ...to] } });
  } else tip(x, y);
}

function pinch(id, before, now) {
  const other = [...touches.entries()].find(([key]) => key !== id)[1];
  const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
  zoom(far(now, other) / Math.max(1, far(before, other)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
}

function release(event) {
  touches.delete(event.pointerId);
  const what = down?.what, { point, how } = down ?? {};
  down = null;
  if (what === "tap" && event.type === "pointerup") act(point, how);
  if (what === "brush" && state.drawing) {
    const { drawing } = state;
    shaped(drawing)?.then(() => state.drawing === drawing && set({ drawing: null })) ?? set({ drawing: null });
  }
  if (what === "box" && state.drawing) {
    const { box: [x0, y0, x1, y1], add, away } = state.drawing;
    set({ drawing: null });
    if (Math.abs(x1 - x0) * camera.scale > 4 && Math.abs(y1 - y0) * camera.scale > 4) {
      shaped({ box: [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)], add, away });
    }
  }
}

export function finishPolygon() {
  const { polygon: points, add, away } = state.drawing ?? {};
  if (!points) return false;
  set({ drawing: null });
  const distinct = points.filter((point, n) => !n || Math.hypot(point[0] - points[n - 1][0], point[1] - points[n - 1][1]) > 0.5);
  if (distinct.length >= 3) shaped({ polygon: distinct, add, away });
  else toast("A polygon needs at least three corners.");
  return true;
}

// The region to which strokes are added: {frame, region}; null if the next one begins a region.
function inWork() {
  if (state.draft) return state.draft;
  const edit = selected(), [first, stop] = edit ? reach(edit) : [0, 0];
  return edit && at(edit) !== null && first <= state.frame && state.frame < stop ? { frame: at(edit), region: edit.region } : null;
}

// A shape was drawn. Strokes, and shapes with Shift or Alt, change the region in work; other shapes begin one. Resolves
// when the server has the change of an edit.
function shaped({ add, away, ...shape }) {
  const mine = inWork();
  if (!mine && away) return void toast("First choose a region; the eraser takes away from it.");
  if (mine?.region.label && (add || away)) return void toast("A label is everywhere it is read; draw a region to add or take away.");
  if (!mine || mine.region.label || !(add || away || shape.strokes)) return void drafted(shape);
  if (state.draft) return void drafted(joined(mine, shape, away, state.frame));
  const { frame, selected: id } = state;
  const title = mine.frame !== state.frame ? `mended in frame ${state.frame}` : away ? "took away from the region" : "added to the region";
  say(mine.frame !== state.frame ? `The region is changed from frame ${state.frame} on.` : "The region is changed.");
  changing = changing.then(() => { // the stroke before may be on its way still
    const edit = state.sheet.edits.find((other) => other.id === id);
    return edit && change({ do: "update", id, fields: { region: joined({ frame: at(edit), region: edit.region }, shape, away, frame) }, title });
  });
  return changing;
}

let changing = Promise.resolve();

// A region, drawn in `own`, with another shape in a frame. Strokes of one brush in one frame stay together.
function joined({ frame: own, region }, shape, away, frame) {
  const piece = { ...shape, ...(away && { away }), ...(frame !== own && { frame }) };
  const then = region.then ?? [], last = then.at(-1) ?? region;
  const same = last.strokes && piece.strokes && last.width === piece.width && Boolean(last.away) === Boolean(away) && last.frame === piece.frame;
  if (!same) return { ...region, then: [...then, piece] };
  const longer = { ...last, strokes: [...last.strokes, ...piece.strokes] };
  return last === region ? longer : { ...region, then: [...then.slice(0, -1), longer] };
}

// A region was drawn: asks the server for its outline and what it can carry.
export async function drafted(region) {
  const { frame, draft: before } = state;
  set({ draft: { frame, region, about: null }, selected: null, tab: "correct" });
  try {
    const about = await post("/api/region", { frame, region });
    if (state.draft?.region !== region) return;
    set({ draft: { frame, region, about } });
    const [[name, share] = ["nothing", 0]] = about.labels;
    say(`Region of ${Math.round(100 * about.share)} percent of the picture, ${Math.round(100 * share)} percent of it read as ${name}. Choose a label or a colour.`);
  } catch (error) {
    // A shape that does not fit leaves the region as it was.
    if (state.draft?.region === region) set({ draft: region.then && before?.about ? before : null });
    toast(error.message);
  }
}

let asked = 0;

function tip(x, y) {
  const box = $("#tip"), [sx, sy] = toSource(x, y);
  if (!inside(sx, sy) || state.playing) { box.hidden = true; return; }
  const [u, v] = [sx / state.film.width, sy / state.film.height];
  const label = labelAt(state.frame, u, v), colour = colourAt("colour", state.frame, u, v), grey = colourAt("grey", state.frame, u, v);
  const parts = [];
  if (label) parts.push(`${label.name} ${Math.round(100 * label.sure)} %`);
  if (grey) parts.push(`luma ${Math.round(grey[0] / 2.55)} %`);
  if (colour) parts.push(hex(colour));
  box.hidden = !parts.length;
  box.textContent = parts.join(" · ");
  box.style.borderLeftColor = colour ? hex(colour) : "transparent";
  beside(x, y);
  clearTimeout(asked);
  asked = setTimeout(() => more(sx, sy, parts).then((told) => told && beside(x, y)), 350);
}

// Puts the tip beside the pointer, within the stage.
function beside(x, y) {
  const box = $("#tip"), stage = $("#stage");
  box.style.left = "0"; // its width does not depend on where it was
  box.style.left = `${Math.max(4, Math.min(x + 16, stage.clientWidth - box.offsetWidth - 4))}px`;
  box.style.top = `${Math.min(y + 18, stage.clientHeight - 30)}px`;
}

// After a moment of rest, the labels that are next likely are told, too. Resolves to whether they are.
async function more(x, y, parts) {
  const { frame } = state, box = $("#tip");
  const text = box.textContent;
  const found = await get(`/api/frames/${frame}/probe?x=${x.toFixed(1)}&y=${y.toFixed(1)}`).catch(() => null);
  if (!found || box.hidden || box.textContent !== text || state.frame !== frame) return false;
  const others = found.labels.map(([name, chance]) => `${name} ${Math.round(100 * chance)} %`).join(", ");
  box.textContent = [others, ...parts.slice(1)].join(" · ");
  return true;
}
