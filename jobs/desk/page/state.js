// All that the page knows, in one place. Nothing is drawn from anywhere else.

export const state = {
  film: null, // what does not change about the film
  films: null, // the films of a batch
  shots: [], // the shots that are known, in order
  scanned: 0, // frames that were read in search of shots
  usual: {}, // label → its usual colour in this film
  sheet: { edits: [], references: [], keyframes: [], colours: {}, palette: {}, history: [], at: 0, broken: "" },
  server: null, // what the server tells all the time
  frame: 0, // number of the frame on view
  mode: "colour", // grey, colour, labels, swipe, beside
  other: "grey", // what is left of the swipe's line
  pinned: null, // number of the frame that is compared
  wipe: 0.5, // place of the swipe's line, 0 to 1
  tool: "point",
  brush: 24, // width in pixels of the source
  draft: null, // a region without an action: {frame, region, about}
  ranging: null, // the range of an edit while its bar is dragged: {id, span}
  selected: null, // id of an edit
  about: null, // what the server tells about the selected edit's region: {key, lumas, labels}
  colour: "#8a3324", // the last colour
  recent: [], // the last colours
  strength: 1,
  tab: "correct",
  playing: 0, // frames per step; 0: still
  peek: false, // whether the picture is shown as it was before
  outlines: true, // whether the outlines of regions are shown
};

const listeners = new Set();
let asked = false;

// Changes the state, and has everything that listens drawn once in the next frame of the screen.
export function set(changes) {
  Object.assign(state, changes);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    for (const listener of listeners) listener(state);
  });
}

export function onChange(listener) {
  listeners.add(listener);
}

// The shot of a frame: {first, stop, number}; number is -1 while the shot is not known.
export function shotOf(frame) {
  const number = state.shots.findIndex((shot) => shot.first <= frame && frame < shot.stop);
  if (number >= 0) return { ...state.shots[number], number };
  const settled = state.server?.settled;
  if (settled && settled[2] > settled[0] && settled[0] <= frame && frame < settled[2]) {
    return { first: settled[0], stop: settled[2], number: -1 };
  }
  const last = state.shots.at(-1);
  return { first: last ? last.stop : 0, stop: Math.max(state.scanned, frame + 1), number: -1 };
}

export function selected() {
  return state.sheet.edits.find((edit) => edit.id === state.selected) ?? null;
}

// The named colours: [name, #rrggbb, note].
export function named() {
  return Object.entries(state.sheet.colours).map(([name, given]) => typeof given === "string" ? [name, given, ""] : [name, given.colour, given.note ?? ""]);
}

// The colour, #rrggbb, of a text that is one or names one.
export function colourOf(text) {
  return !text || text.startsWith("#") ? text : named().find(([name]) => name === text)?.[1];
}

// A value without what is at its default, for comparing what the server tells with what is in the sheet.
const tidy = (value) => Array.isArray(value) ? value.map(tidy) : value && typeof value === "object"
  ? Object.fromEntries(Object.entries(value).filter(([, part]) => part !== null && part !== undefined && part !== false).sort(([a], [b]) => a < b ? -1 : 1).map(([name, part]) => [name, tidy(part)]))
  : value;

// Whether an edit's region is at a place that the server names.
export function samePlace(edit, place) {
  const asked = JSON.parse(place);
  return asked.frame === (edit.frame ?? null) && JSON.stringify(tidy(asked.region)) === JSON.stringify(tidy(edit.region));
}

export function timeOf(frame) {
  const { film } = state;
  return film.times ? film.times[frame] : frame / film.rate;
}

export function frameAt(seconds) {
  const { film } = state;
  if (!film.times) return Math.min(film.frames - 1, Math.max(0, Math.floor(seconds * film.rate + 1e-3)));
  let [low, high] = [0, film.frames - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (film.times[middle] <= seconds + 1e-3) low = middle; else high = middle - 1;
  }
  return low;
}

export function timecode(seconds) {
  const ms = Math.round(seconds * 1000);
  const two = (n) => String(n).padStart(2, "0");
  return `${Math.floor(ms / 3600000)}:${two(Math.floor(ms / 60000) % 60)}:${two(Math.floor(ms / 1000) % 60)}.${String(ms % 1000).padStart(3, "0")}`;
}

// The frames to which an edit applies: [first, stop).
export function reach(edit) {
  const { film } = state;
  const number = (moment) => typeof moment === "number" ? moment : frameAt(seconds(moment));
  if (edit.range && typeof edit.range === "object" && edit.range.from !== undefined) {
    return [number(edit.range.from), number(edit.range.to) + 1];
  }
  if (typeof edit.range === "string") {
    const [from, to] = edit.range.split("-").map((part) => /^\d+$/.test(part.trim()) ? Number(part) : part);
    return [number(from), number(to) + 1];
  }
  if (edit.range?.shot !== undefined) {
    const shot = typeof edit.range.shot === "number" ? state.shots[edit.range.shot] : shotOf(number(edit.range.shot));
    return shot ? [shot.first, shot.stop] : [0, 0];
  }
  if (edit.frame === undefined && edit.time === undefined) return [0, film.frames];
  const shot = shotOf(at(edit));
  return [shot.first, shot.stop];
}

// The frame in which an edit's region was drawn; null for a label everywhere.
export function at(edit) {
  if (edit.frame !== undefined) return edit.frame;
  return edit.time === undefined ? null : frameAt(seconds(edit.time));
}

// The frame in which a shape that changes an edit's region is drawn.
export function shapeAt(edit, shape) {
  if (shape.frame !== undefined) return shape.frame;
  return shape.time === undefined ? at(edit) : frameAt(seconds(shape.time));
}

// The frames, other than its own, in which an edit's region is drawn again, in order.
export function drawnAgain(edit) {
  const frames = (edit.region.then ?? []).map((shape) => shapeAt(edit, shape)).filter((frame) => frame !== at(edit));
  return [...new Set(frames)].sort((a, b) => a - b);
}

function seconds(text) {
  if (typeof text === "number") return text;
  const plain = /^([\d.]+)\s*s?$/.exec(text.trim());
  if (plain) return Number(plain[1]);
  return text.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
}
