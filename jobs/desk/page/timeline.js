// The strip of shots, and the timeline of the shot on view with its edits.

import { $, fill, h, pressedIn } from "./dom.js";
import { change } from "./api.js";
import { go } from "./playing.js";
import { at, colourOf, drawnAgain, reach, samePlace, set, shotOf, state, timecode, timeOf } from "./state.js";

const ROW = matchMedia("(pointer: coarse)").matches ? 14 : 9, TOP = 16; // pixels
let strip = "", current = -2, timelineKey = "";

function rows() {
  const { first, stop } = shotOf(state.frame);
  return state.sheet.edits.map((edit) => ({ edit, span: state.ranging?.id === edit.id ? state.ranging.span : reach(edit) })).filter(({ span }) => span[0] < stop && span[1] > first);
}

// The key frames of a shot.
const keysOf = ({ first, stop }) => state.sheet.keyframes.filter((key) => first <= at(key) && at(key) < stop);

export function tellTimeline() {
  if (!state.film) return;
  const shot = shotOf(state.frame), shown = rows(), box = $("#timeline"), canvas = $("canvas", box);
  const height = TOP + 8 + ROW * Math.min(8, Math.max(1, shown.length));
  const key = JSON.stringify([shot, state.frame, state.sheet.version, state.selected, state.ranging, state.server?.settled, state.server?.following, box.clientWidth, document.documentElement.dataset.theme]);
  if (key === timelineKey) return;
  timelineKey = key;
  box.style.height = `${height}px`;
  const ratio = devicePixelRatio, width = box.clientWidth;
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  const context = canvas.getContext("2d"), style = getComputedStyle(document.documentElement), ink = (name) => style.getPropertyValue(name);
  context.scale(ratio, ratio);
  const x = (frame) => (frame - shot.first) / Math.max(1, shot.stop - shot.first) * width;
  context.fillStyle = ink("--field");
  context.fillRect(0, 2, width, 12);
  const settled = state.server?.settled;
  if (settled && settled[2] === shot.stop) {
    context.fillStyle = ink("--settled");
    context.fillRect(x(settled[0]), 2, x(settled[1]) - x(settled[0]), 12);
  }
  const every = tickStep((shot.stop - shot.first) / Math.max(1, width / 70));
  context.fillStyle = context.strokeStyle = ink("--quiet");
  context.font = "10px system-ui, sans-serif";
  for (let frame = Math.ceil(shot.first / every) * every; frame < shot.stop; frame += every) {
    context.fillRect(x(frame), 2, 1, 12);
    context.fillText(String(frame), x(frame) + 3, 12);
  }
  for (const key of keysOf(shot)) {
    const middle = (x(at(key)) + x(at(key) + 1)) / 2;
    context.globalAlpha = key.off ? 0.35 : 1;
    context.fillStyle = ink("--accent");
    context.strokeStyle = ink("--back");
    context.lineWidth = 1;
    context.beginPath();
    for (const [dx, dy] of [[0, -7], [6, 0], [0, 7], [-6, 0]]) context.lineTo(middle + dx, 8 + dy);
    context.closePath();
    context.fill();
    context.stroke();
    context.globalAlpha = 1;
  }
  shown.slice(0, 8).forEach(({ edit, span }, n) => {
    const y = TOP + 3 + n * ROW, from = Math.max(span[0], shot.first), to = Math.min(span[1], shot.stop), known = knownOf(edit);
    context.globalAlpha = edit.off ? 0.3 : 1;
    context.fillStyle = colourOf(edit.action.colour) ?? ink("--accent");
    context.fillRect(x(from), y, x(to) - x(from), ROW - 2);
    if (known) { // where the region has not been followed yet
      context.fillStyle = ink("--back");
      context.globalAlpha = 0.7;
      if (known[0] > from) context.fillRect(x(from), y, x(known[0]) - x(from), ROW - 2);
      if (known[1] < to) context.fillRect(x(known[1]), y, x(to) - x(known[1]), ROW - 2);
      context.globalAlpha = 1;
    }
    for (const frame of [at(edit), ...drawnAgain(edit)]) {
      if (frame === null || frame < shot.first || frame >= shot.stop) continue;
      context.fillStyle = ink("--text");
      context.fillRect(x(frame) - 1, y - 1, 3, ROW);
    }
    for (const [a, b] of unsureOf(edit)) {
      context.fillStyle = ink("--warning");
      context.fillRect(x(a), y + ROW - 3, Math.max(2, x(b) - x(a)), 2);
    }
    context.globalAlpha = 1;
    if (edit.id === state.selected) {
      context.strokeStyle = ink("--text");
      context.strokeRect(x(from) + 0.5, y - 0.5, Math.max(1, x(to) - x(from) - 1), ROW - 1);
    }
  });
  context.fillStyle = ink("--text");
  context.globalAlpha = 0.25;
  context.fillRect(x(state.frame), 0, x(state.frame + 1) - x(state.frame), height);
  context.globalAlpha = 1;
  context.fillRect((x(state.frame) + x(state.frame + 1)) / 2 - 1, 0, 2, height);
  box.setAttribute("aria-valuemin", shot.first);
  box.setAttribute("aria-valuemax", shot.stop - 1);
  box.setAttribute("aria-valuenow", state.frame);
  const mine = keysOf(shot).map(at).includes(state.frame) ? ", a key frame" : "";
  box.setAttribute("aria-valuetext", `frame ${state.frame}, ${timecode(timeOf(state.frame))}${mine}`);
}

const ofPlace = (edit) => (state.server?.following ?? []).find(({ place }) => samePlace(edit, place));

const knownOf = (edit) => edit.region.label ? null : ofPlace(edit)?.ends ?? null;
const unsureOf = (edit) => ofPlace(edit)?.unsure ?? [];

function tickStep(least) {
  for (let step = 1; ; step *= 10) for (const part of [1, 2, 5]) if (step * part >= least) return step * part;
}

export function tellStrip() {
  if (!state.film) return;
  const dots = state.shots.map((shot) => keysOf(shot).length + state.sheet.edits.filter((edit) => { const [a, b] = reach(edit); return !edit.off && a < shot.stop && b > shot.first; }).length);
  const key = JSON.stringify([state.shots.length, dots]), box = $("#strip");
  if (key !== strip && !pressedIn(box)) {
    strip = key;
    current = -2;
    fill(box, state.shots.map((shot, n) => card(shot, n, dots[n])));
  }
  const { number } = shotOf(state.frame);
  if (number !== current) {
    current = number;
    for (const [n, element] of [...box.children].entries()) {
      element.setAttribute("aria-selected", n === number);
      element.tabIndex = n === Math.max(0, number) ? 0 : -1;
    }
    box.children[number]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  const scan = $("#scan"), done = state.scanned >= state.film.frames;
  const looking = done ? "" : `Looking for shots: ${Math.round(100 * state.scanned / state.film.frames)} % of the film`;
  const warned = state.shots[number]?.warnings.length ? `⚠ shot ${number}: ${state.shots[number].warnings.join("; ")}` : "";
  const scenes = state.film.scenes ? `rendered with scenes (${Math.round(100 * state.film.scenes)} %), shown without them` : "";
  const text = [warned, scenes, looking].filter(Boolean).join(" · ");
  if (scan.textContent !== text) scan.textContent = text;
}

function card(shot, n, edits) {
  const length = timeOf(shot.stop - 1) - timeOf(shot.first) + 1 / state.film.rate;
  const read = shot.labels.map(([name, share]) => `${name} ${Math.round(100 * share)} %`).join(", ");
  const warnings = shot.warnings.join("; ");
  return h("button", {
    class: "shot", role: "option", title: `${read}${warnings ? `\n⚠ ${warnings}` : ""}`, onclick: () => go(shot.first),
    "aria-label": `Shot ${n}, ${length.toFixed(1)} seconds, ${read}${warnings ? `, warning: ${warnings}` : ""}${edits ? `, ${edits} edits` : ""}`,
    onkeydown: (event) => {
      const to = { ArrowRight: n + 1, ArrowLeft: n - 1, Home: 0, End: state.shots.length - 1 }[event.key];
      if (to === undefined || !state.shots[to]) return;
      event.preventDefault();
      event.stopPropagation();
      go(state.shots[to].first);
      $("#strip").children[to].focus();
    },
  },
  h("img", { src: `/api/shots/${n}.jpg`, alt: "", loading: "lazy", height: "72" }),
  h("span", { class: "words" }, h("b", {}, n), ` ${length.toFixed(1)} s`,
    warnings ? h("span", { class: "warning", "aria-hidden": "true" }, " ⚠") : null, edits ? h("span", { class: "dot", "aria-hidden": "true" }, ` ●${edits > 1 ? edits : ""}`) : null),
  h("span", { class: "words quiet" }, shot.labels.slice(0, 3).map(([name]) => name).join(", ")));
}

// The end of an edit's bar under the pointer: {edit, end: 0 (first) or 1 (last), span}; null if there is none.
function endAt(event, box) {
  const { first, stop } = shotOf(state.frame), bounds = box.getBoundingClientRect(), y = event.clientY - bounds.top;
  const row = y > TOP && rows()[Math.floor((y - TOP) / ROW)];
  if (!row || (row.edit.region.label && at(row.edit) === null && !row.edit.range)) return row ? { edit: row.edit, end: null } : null;
  const x = (frame) => (frame - first) / Math.max(1, stop - first) * bounds.width + bounds.left;
  const near = event.pointerType === "mouse" ? 6 : 14;
  const far = row.span.map((frame) => Math.abs(event.clientX - x(frame)));
  const end = Math.min(...far) > near ? null : far[0] < far[1] ? 0 : 1;
  return { edit: row.edit, end, span: row.span };
}

let dragged = null; // the end of a bar that is being moved: {edit, end, span}

// Moves the end of a bar. Near the shot's bounds and the frame on view it snaps to them.
function move(event, box) {
  const { first, stop } = shotOf(state.frame), bounds = box.getBoundingClientRect();
  const exact = first + (event.clientX - bounds.left) / bounds.width * (stop - first);
  const near = 7 / bounds.width * (stop - first), { end, edit, span: [from, to] } = dragged;
  const snaps = [first, stop, state.frame + end, at(edit) === null ? null : at(edit) + end].filter((frame) => frame !== null);
  let frame = snaps.find((other) => Math.abs(other - exact) < near) ?? Math.round(exact);
  frame = Math.min(stop, Math.max(first, frame));
  dragged.span = end ? [from, Math.max(from + 1, frame)] : [Math.min(to - 1, frame), to];
  set({ ranging: { id: edit.id, span: dragged.span } });
}

async function dropEnd() {
  const { edit, span: [from, to] } = dragged, was = reach(edit);
  dragged = null;
  if (was[0] !== from || was[1] !== to) {
    const shot = shotOf(at(edit) ?? from), whole = at(edit) !== null && from === shot.first && to === shot.stop;
    await change({ do: "update", id: edit.id, fields: { range: whole ? null : { from, to: to - 1 } }, title: `range: frames ${from} to ${to - 1}` });
  }
  set({ ranging: null });
}

export function watchTimeline() {
  const box = $("#timeline");
  const seek = (event) => {
    const { first, stop } = shotOf(state.frame), bounds = box.getBoundingClientRect();
    go(Math.min(stop - 1, Math.max(first, first + Math.floor((event.clientX - bounds.left) / bounds.width * (stop - first)))));
  };
  box.addEventListener("pointerdown", (event) => {
    box.setPointerCapture(event.pointerId);
    const found = endAt(event, box);
    if (found) set({ selected: found.edit.id, draft: null, tab: "correct" });
    if (found && found.end !== null) dragged = found;
    else seek(event);
  });
  box.addEventListener("pointermove", (event) => {
    if (dragged) move(event, box);
    else if (event.buttons) seek(event);
    else box.style.cursor = endAt(event, box)?.end === null || !endAt(event, box) ? "" : "ew-resize";
  });
  box.addEventListener("pointerup", () => dragged && dropEnd());
  box.addEventListener("pointercancel", () => { dragged = null; set({ ranging: null }); });
  addEventListener("resize", () => set({}));
}
