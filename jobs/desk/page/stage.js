// Draws the picture, what lies over it, and moves it under the pointer.

import { $, fill, h } from "./dom.js";
import { have } from "./frames.js";
import { samePlace, selected, set, state } from "./state.js";

const UNSURE = 0.4; // as in label films: below it a label is hatched
export const camera = { scale: 1, x: 0, y: 0, fitted: true }; // screen pixels per pixel of the source, and its corner

const picture = () => $("#picture");
const overlay = () => $("#overlay");
let labelLayer = { entry: null, canvas: null };
let before = null; // the picture that was drawn last: it stays, dimmed, until the next one is there

// The width of the picture as it is shown, in pixels of the source's height.
export const size = () => ({ width: state.film.shown * (state.mode === "beside" && state.pinned !== null ? 2 : 1), height: state.film.height });

export function fit() {
  camera.fitted = true;
  place();
  set({});
}

function place() {
  const { clientWidth, clientHeight } = $("#stage"), { width, height } = size();
  camera.scale = Math.min(clientWidth / width, clientHeight / height);
  camera.x = (clientWidth - width * camera.scale) / 2;
  camera.y = (clientHeight - height * camera.scale) / 2;
}

export function zoom(factor, x, y) {
  const stage = $("#stage");
  x ??= stage.clientWidth / 2;
  y ??= stage.clientHeight / 2;
  const scale = Math.min(40, Math.max(0.05, camera.scale * factor)), part = scale / camera.scale;
  Object.assign(camera, { scale, x: x - (x - camera.x) * part, y: y - (y - camera.y) * part, fitted: false });
  set({});
}

export function pan(dx, dy) {
  Object.assign(camera, { x: camera.x + dx, y: camera.y + dy, fitted: false });
  set({});
}

// Screen → pixels of the source. In the view side by side, the present frame is on the right.
export function toSource(x, y) {
  const { film } = state;
  const shift = state.mode === "beside" && state.pinned !== null ? film.shown : 0;
  return [((x - camera.x) / camera.scale - shift) * film.width / film.shown, (y - camera.y) / camera.scale];
}

function toScreen([x, y]) {
  const { film } = state;
  const shift = state.mode === "beside" && state.pinned !== null ? film.shown : 0;
  return [(x * film.shown / film.width + shift) * camera.scale + camera.x, y * camera.scale + camera.y];
}

export function inside(x, y) {
  return x >= 0 && y >= 0 && x < state.film.width && y < state.film.height;
}

function sized(canvas) {
  const ratio = devicePixelRatio, { clientWidth, clientHeight } = $("#stage");
  const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, clientWidth, clientHeight);
  return context;
}

// The labels that the frame on view shows, the largest first: [name, share of the picture, colour].
function present() {
  const entry = have("labels", state.frame);
  if (!entry) return [];
  if (!entry.shares) {
    const { data, width, height } = entry.data, counts = new Array(state.film.labels.length).fill(0);
    for (let at = 0; at < data.length; at += 4) counts[data[at]]++;
    entry.shares = counts.map((count, n) => [state.film.labels[n].name, count / (width * height), state.film.labels[n].colour])
      .filter(([, share]) => share >= 0.005).sort((a, b) => b[1] - a[1]).slice(0, 12);
  }
  return entry.shares;
}

function legend() {
  const box = $("#legend"), shown = !state.peek && (state.mode === "labels" || (state.mode === "swipe" && state.other === "labels"));
  const found = shown ? present() : [], key = JSON.stringify(found);
  box.hidden = !found.length;
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  fill(box, found.map(([name, share, colour]) => h("li", {},
    h("span", { class: "swatch", style: { background: colour }, "aria-hidden": "true" }), `${name} ${Math.round(100 * share)} %`)),
  h("li", { class: "hatched" }, h("span", { class: "swatch", "aria-hidden": "true" }), "hatched: unsure"));
}

export function draw() {
  if (!state.film) return;
  legend();
  if (camera.fitted) place();
  const context = sized(picture());
  const { width, height } = { width: state.film.shown * camera.scale, height: state.film.height * camera.scale };
  context.imageSmoothingEnabled = camera.scale * devicePixelRatio < 3;
  context.imageSmoothingQuality = "high";
  const put = (kind, frame, x) => {
    const entry = have(kind, frame), bitmap = entry?.bitmap ?? (before?.width ? before : null); // a closed one has no width
    context.globalAlpha = entry ? 1 : 0.5;
    if (bitmap) context.drawImage(bitmap, x, camera.y, width, height);
    context.globalAlpha = 1;
    if (entry) before = bitmap;
  };
  if (state.peek) put("grey", state.frame, camera.x);
  else if (state.mode === "labels") { put("grey", state.frame, camera.x); labels(context, width, height); }
  else if (state.mode === "swipe") swipe(context, put, width, height);
  else if (state.mode === "beside") {
    if (state.pinned !== null) put("colour", state.pinned, camera.x);
    put("colour", state.frame, camera.x + (state.pinned !== null ? width : 0));
  } else put(state.mode, state.frame, camera.x);
  over();
}

function swipe(context, put, width, height) {
  put("colour", state.frame, camera.x);
  const edge = camera.x + state.wipe * width;
  context.save();
  context.beginPath();
  context.rect(camera.x, camera.y, state.wipe * width, height);
  context.clip();
  if (state.other === "pinned") put("colour", state.pinned ?? state.frame, camera.x);
  else put("grey", state.frame, camera.x);
  if (state.other === "labels") labels(context, width, height);
  context.restore();
  context.fillStyle = "#fff";
  context.fillRect(edge - 1, camera.y, 2, height);
  context.beginPath();
  context.arc(edge, camera.y + height / 2, 9, 0, 7);
  context.fill();
}

function labels(context, width, height) {
  const entry = have("labels", state.frame);
  if (!entry) return;
  if (labelLayer.entry !== entry) labelLayer = { entry, canvas: coloured(entry.data) };
  context.drawImage(labelLayer.canvas, camera.x, camera.y, width, height);
}

// A label map in its labels' colours; hatched where the network is unsure, and with lines between labels.
function coloured({ data, width, height }) {
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const colours = state.film.labels.map(({ colour }) => [1, 3, 5].map((n) => parseInt(colour.slice(n, n + 2), 16)));
  for (let at = 0; at < width * height; at++) {
    const label = data[4 * at], x = at % width;
    const border = (x + 1 < width && data[4 * at + 4] !== label) || (at + width < width * height && data[4 * (at + width)] !== label);
    const unsure = data[4 * at + 1] < 255 * UNSURE && (x + Math.floor(at / width)) % 8 < 3;
    const [red, green, blue] = border ? [0, 0, 0] : unsure ? [40, 40, 40] : colours[label];
    image.data.set([red, green, blue, border ? 130 : 150], 4 * at);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

const lines = { followed: [], frame: -1 };
let brush = null; // where the brush is, in pixels of the source

// Shows how wide the brush is where the pointer is; null: nowhere.
export function hover(place) {
  if (!place && !brush) return;
  if (!brush || !place) requestAnimationFrame(() => state.film && over());
  else if (!hover.asked) hover.asked = requestAnimationFrame(() => { hover.asked = 0; over(); });
  brush = place;
}

function ring(context, place) {
  const [x, y] = toScreen(place);
  for (const [width, ink] of [[3, "rgba(0,0,0,.6)"], [1.5, "#fff"]]) {
    context.beginPath();
    context.arc(x, y, Math.max(2, state.brush * camera.scale / 2), 0, 7);
    context.lineWidth = width;
    context.strokeStyle = ink;
    context.stroke();
  }
}

// Outlines of the regions that are followed to the present frame.
export function setFollowed(frame, followed) {
  Object.assign(lines, { frame, followed });
  set({});
}

function over() {
  const context = sized(overlay());
  if (state.playing || state.peek) return;
  const mine = selected();
  if (lines.frame === state.frame && state.outlines) {
    for (const region of lines.followed) {
      const on = mine && samePlace(mine, region.place);
      outline(context, region.outline, on ? "#ffd400" : "rgba(255,255,255,.75)", on ? 2 : 1, !region.known);
      if (on && !region.known) for (const part of mine.region.then ?? []) if (part.frame === state.frame) shape(context, part); // what will change it here
    }
  }
  if (state.draft?.frame === state.frame) {
    if (state.draft.about) outline(context, state.draft.about.outline, "#ffd400", 2, false, true);
    else for (const part of [state.draft.region, ...state.draft.region.then ?? []]) shape(context, part);
  }
  if (state.drawing) shape(context, state.drawing);
  if (brush) ring(context, brush);
  if (state.cursor) {
    const [x, y] = toScreen(state.cursor);
    context.strokeStyle = "#000";
    context.lineWidth = 4;
    cross(context, x, y);
    context.strokeStyle = "#ffd400";
    context.lineWidth = 2;
    cross(context, x, y);
  }
}

function cross(context, x, y) {
  context.beginPath();
  context.moveTo(x - 12, y);
  context.lineTo(x + 12, y);
  context.moveTo(x, y - 12);
  context.lineTo(x, y + 12);
  context.stroke();
}

function outline(context, polygons, colour, width, dashed, filled) {
  context.beginPath();
  for (const polygon of polygons) {
    polygon.forEach((point, n) => context[n ? "lineTo" : "moveTo"](...toScreen(point)));
    context.closePath();
  }
  if (filled) {
    context.fillStyle = "rgba(255,212,0,.10)";
    context.fill("evenodd");
  }
  context.setLineDash(dashed ? [6, 5] : []);
  context.strokeStyle = "rgba(0,0,0,.7)";
  context.lineWidth = width + 2;
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
  context.setLineDash([]);
}

// A region as it is being drawn; with `away`, what is taken from one.
function shape(context, region) {
  context.lineJoin = context.lineCap = "round";
  const ink = region.away ? "#ff5c5c" : "#ffd400";
  if (region.strokes) {
    context.strokeStyle = `${ink}8c`;
    context.lineWidth = Math.max(1, region.width * camera.scale);
    for (const stroke of region.strokes) {
      context.beginPath();
      stroke.forEach((point, n) => context[n ? "lineTo" : "moveTo"](...toScreen(point)));
      if (stroke.length === 1) context.lineTo(...toScreen(stroke[0]));
      context.stroke();
    }
    return;
  }
  const [x0, y0, x1, y1] = region.box ?? [];
  const corners = region.polygon ?? (region.box ? [[x0, y0], [x1, y0], [x1, y1], [x0, y1]] : []);
  context.beginPath();
  corners.forEach((point, n) => context[n ? "lineTo" : "moveTo"](...toScreen(point)));
  if (region.box || region.closed) context.closePath();
  context.strokeStyle = "#000";
  context.lineWidth = 4;
  context.stroke();
  context.strokeStyle = ink;
  context.lineWidth = 2;
  context.stroke();
  for (const point of region.polygon ?? []) {
    context.fillStyle = ink;
    context.fillRect(...toScreen(point).map((value) => value - 3), 6, 6);
  }
}
