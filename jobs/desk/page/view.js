// Sees to it that the pictures on view are there and final. What is drawn is in stage.js.

import { $ } from "./dom.js";
import { fetchPicture, final, have } from "./frames.js";
import { carried, keyedAt } from "./keyframes.js";
import { set, state } from "./state.js";

let showing = "";
let moved = 0;
let later = 0;
let running = false;
let quick = 0; // rounds of small pictures that are under way

// The pictures that the present mode needs: [kind, frame, view].
export function needed() {
  const here = state.frame, kinds = [];
  const left = state.mode === "swipe" ? state.other : null;
  const base = { grey: "grey", labels: "grey", swipe: "colour", beside: "colour", colour: "colour" }[state.mode];
  kinds.push([state.peek ? "grey" : base, here, "main"]);
  if (state.mode === "labels" || left === "labels") kinds.push(["labels", here, "main"]);
  if (left === "grey" || left === "labels") kinds.push(["grey", here, "main"]);
  if ((left === "pinned" || state.mode === "beside") && state.pinned !== null) kinds.push(["colour", state.pinned, "pinned"]);
  return kinds;
}

// Kinds that are wanted for pointing at a place, once the picture itself is there.
function wanted() {
  return [["labels", state.frame, "main"], ["grey", state.frame, "main"], ["colour", state.frame, "main"]];
}

async function work(kinds, small) {
  for (const [kind, frame, view] of kinds) {
    if (final(kind, frame, small)) continue;
    if (await fetchPicture(kind, frame, view, small)) set({});
  }
}

// Gets what is missing. While the frame changes fast, small pictures do; when it rests, the very pixels come.
export async function refresh() {
  if (!state.film || !$("#video").hidden) return; // a preview hides the picture
  const key = `${state.frame} ${state.sheet.version} ${needed()}`;
  if (key !== showing) {
    // While frames change fast, and where nothing is there to be seen, a small picture comes first.
    const [frame, sheet] = showing.split(" ");
    const changed = Number(sheet) !== state.sheet.version && Number(frame) === state.frame;
    const nothing = needed().some(([kind, frame]) => !have(kind, frame));
    const fast = performance.now() - moved < 180 || state.playing !== 0 || changed || nothing;
    showing = key;
    if (Number(frame) !== state.frame) moved = performance.now();
    clearTimeout(later);
    if (fast && large()) {
      quick++;
      await work(needed(), true);
      quick--;
    }
    if (key === showing) later = setTimeout(rest, performance.now() - moved < 180 ? 200 : 0);
  }
}

// Whether small pictures are made much faster than the film's own.
function large() {
  return state.film.height > 600 || state.playing !== 0;
}

async function rest() {
  if (state.playing) return;
  if (running || quick) { // the newest state is looked at once the present round is over
    clearTimeout(later);
    later = setTimeout(rest, 40);
    return;
  }
  running = true;
  try {
    await work(needed(), false);
    if (settledAll()) await work(wanted(), false);
  } finally {
    running = false;
  }
}

export function settledAll() {
  return needed().every(([kind, frame]) => final(kind, frame));
}

// Called when the server has settled something.
export function beat() {
  if (!state.playing && $("#video").hidden && state.server?.ready && !(settledAll() && wanted().every(([kind, frame]) => final(kind, frame)))) {
    clearTimeout(later);
    later = setTimeout(rest, 30);
  }
}

// Tells how final the picture is.
export function tellState() {
  if (!state.film) return;
  const main = needed()[0], entry = have(main[0], main[1]);
  const previewing = !$("#video").hidden;
  $("#busy").hidden = Boolean(entry) || previewing;
  const { settled, following = [] } = state.server ?? {};
  const unknown = following.filter((f) => f.first <= state.frame && state.frame < f.stop && (state.frame < f.ends[0] || state.frame >= f.ends[1]));
  let text = "";
  if (previewing) text = "preview";
  else if (!entry) text = "painting…";
  else if (!settledAll()) {
    const keyed = keyedAt(state.frame), percent = (part) => `${Math.round(100 * part)} %`;
    const far = Math.max(...unknown.map(({ ends }) => state.frame < ends[0] ? ends[0] - state.frame : state.frame + 1 - ends[1]));
    if (unknown.length) text = `following: ${far} frames to go`;
    else if (state.server?.render?.state === "running") text = "waits for the film";
    else if (keyed && !keyed.done) text = `carrying the key frame: ${percent(carried(keyed))}`;
    else if (state.server?.measuring) text = "measuring the photos…";
    else if (settled && settled[2] > settled[0]) text = `steadying: ${percent((settled[1] - settled[0]) / (settled[2] - settled[0]))}`;
    else text = "steadying…";
  } else text = state.mode === "labels" ? "final labels" : main[0] === "grey" ? "the film's own pixels" : "final pixels";
  const box = $("#state");
  if (box.textContent !== text) box.textContent = box.title = text;
  Object.assign(box.dataset, { final: settledAll() && !previewing, frame: state.frame });
}
