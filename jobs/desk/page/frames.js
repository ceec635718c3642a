// The pictures of frames: asked for, kept for a while, and asked for again while they are not settled.

import { toast } from "./dom.js";
import { state } from "./state.js";

const MOST = 48; // pictures that are kept
const kept = new Map(); // "kind frame" → {tag, bitmap, data, settled, sheet, small}
const running = new Map(); // view → AbortController

function put(key, entry) {
  kept.delete(key);
  kept.set(key, entry);
  if (kept.size > MOST) {
    const [old, gone] = kept.entries().next().value;
    kept.delete(old);
    gone.bitmap?.close?.();
  }
}

// What is kept of a frame, whether or not it is the newest.
export function have(kind, frame) {
  return kept.get(`${kind} ${frame}`);
}

// Whether the picture is final under the present sheet.
export function final(kind, frame, small = false) {
  const entry = have(kind, frame);
  return Boolean(entry && (small || !entry.small) && entry.settled && (kind === "grey" || entry.sheet === state.sheet.version));
}

export function forget() {
  for (const entry of kept.values()) entry.bitmap?.close?.();
  kept.clear();
}

// Gets a picture. Resolves to true if there is a new one. A later request of the same view drops this one.
export async function fetchPicture(kind, frame, view = "main", small = false) {
  if (final(kind, frame, small)) return false;
  small &&= kind !== "labels"; // labels are small in any case
  const key = `${kind} ${frame}`, slot = `${view} ${kind}`;
  running.get(slot)?.abort();
  const control = new AbortController(), sheet = state.sheet.version;
  running.set(slot, control);
  const old = kept.get(key), headers = old && old.small === small ? { "If-None-Match": `"${old.tag}"` } : {};
  try {
    const answer = await fetch(`/api/frames/${frame}/${kind}?view=${view}${small ? "&small=1" : ""}`, { headers, signal: control.signal });
    if (answer.status === 204) return false; // a later request took its place
    const settled = answer.headers.get("x-settled") === "1";
    if (answer.status === 304) {
      put(key, { ...old, settled, sheet });
      return false;
    }
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? answer.statusText);
    const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    const entry = { tag: answer.headers.get("etag").replaceAll('"', ""), bitmap, settled, sheet, small };
    if (kind === "labels") entry.data = pixels(bitmap);
    put(key, entry);
    return true;
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message);
    return false;
  } finally {
    if (running.get(slot) === control) running.delete(slot);
  }
}

// The pixels of a bitmap.
export function pixels(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

// R'G'B' of a place (0..1, 0..1) in a frame's picture; null if it is not there.
export function colourAt(kind, frame, x, y) {
  const entry = have(kind, frame);
  if (!entry) return null;
  entry.read ??= pixels(entry.bitmap);
  const { data, width, height } = entry.read;
  const at = 4 * (Math.min(height - 1, Math.floor(y * height)) * width + Math.min(width - 1, Math.floor(x * width)));
  return [data[at], data[at + 1], data[at + 2]];
}

// The label of a place (0..1, 0..1): {name, sure}; null if the labels are not there.
export function labelAt(frame, x, y) {
  const entry = have("labels", frame);
  if (!entry) return null;
  const { data, width, height } = entry.data;
  const at = 4 * (Math.min(height - 1, Math.floor(y * height)) * width + Math.min(width - 1, Math.floor(x * width)));
  return { name: state.film.labels[data[at]].name, sure: data[at + 1] / 255 };
}

export const hex = (rgb) => "#" + rgb.map((value) => value.toString(16).padStart(2, "0")).join("");
