// Starts the page: loads the film, and has everything drawn when the state changes.

import { change, follow, get, load } from "./api.js";
import { tellCorrect } from "./correct.js";
import { $, drawing, radios } from "./dom.js";
import { tellPanels, watchDrops } from "./edits.js";
import { showFilms } from "./films.js";
import { help, pin, watchKeys } from "./keys.js";
import { tellColour } from "./picker.js";
import { go, play, preview, step, stopVideo, tellPreview, toggle, watchVideo } from "./playing.js";
import { render, tellRender } from "./rendering.js";
import { draw, fit, setFollowed, zoom } from "./stage.js";
import { frameAt, onChange, set, state, timecode, timeOf } from "./state.js";
import { tellStrip, tellTimeline, watchTimeline } from "./timeline.js";
import { tellTools, watch } from "./tools.js";
import { beat, refresh, tellState } from "./view.js";

const MODES = [
  { id: "colour", text: "Colour", title: "Colour (C)" }, { id: "grey", text: "Grey", title: "Grey (G)" },
  { id: "labels", text: "Labels", title: "What was read (F)" }, { id: "swipe", text: "Swipe", title: "Two pictures with a line between (S)" },
  { id: "beside", text: "Side by side", title: "Beside the frame that was kept (D)" },
];
const tellModes = radios($("#modes"), MODES, () => state.mode, (mode) => set({ mode }));
let followed = "", theme = localStorage.getItem("theme") ?? "";

function tellHead() {
  if (!state.film) return;
  const { film, frame } = state;
  $("#name").textContent = film.name;
  $("#place").textContent = `${film.width}×${film.height} · ${film.frames} frames · ${timecode(film.seconds)}`;
  $("#time").textContent = timecode(timeOf(frame));
  if (document.activeElement !== $("#frame")) $("#frame").value = frame;
  $("#play").replaceChildren(drawing(state.playing ? "M8 5v14M16 5v14" : "M7 4l12 8-12 8z"));
  $("#play").setAttribute("aria-label", state.playing ? "Stop" : "Play");
  $("#pin").textContent = state.pinned === null ? "Keep frame" : `Kept: ${state.pinned}`;
  $("#outlines").setAttribute("aria-pressed", state.outlines);
  $("#outlines").hidden = !$("#video").hidden;
  $("#other").hidden = state.mode !== "swipe";
  const stage = $("#stage");
  stage.dataset.tool = state.tool;
  stage.setAttribute("aria-label", `Frame ${frame} at ${timecode(timeOf(frame))}, ${state.mode}`);
  const banner = $("#banner");
  const text = state.lost ? "The desk does not answer. Nothing is lost: start semcolor-desk again and open the address that it prints." : state.sheet.broken || state.server?.trouble || "";
  banner.hidden = !text;
  if ($("span", banner)?.textContent !== text) {
    banner.replaceChildren(Object.assign(document.createElement("span"), { textContent: text }));
    if (!state.lost && state.sheet.broken) {
      const button = Object.assign(document.createElement("button"), { textContent: "Write my sheet over it" });
      button.addEventListener("click", () => change({ do: "overwrite" }));
      banner.append(" ", button);
    }
  }
}

// The outlines of the followed regions in the frame on view.
async function outlines() {
  if (!state.film || state.playing) return;
  const near = (state.server?.following ?? []).filter((f) => f.first <= state.frame && state.frame < f.stop);
  const key = `${state.frame} ${state.sheet.version} ${near.map((f) => f.ends[0] <= state.frame && state.frame < f.ends[1])}`;
  if (key === followed) return;
  followed = key;
  if (!near.length) return setFollowed(state.frame, []);
  const frame = state.frame, found = await get(`/api/frames/${frame}/followed`).catch(() => null);
  if (found && key === followed) setFollowed(frame, found);
}

function tellTheme() {
  const dark = theme ? theme === "dark" : !matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("#theme").textContent = dark ? "Light" : "Dark";
}

function buttons() {
  const on = (id, doing) => $(`#${id}`).addEventListener("click", doing);
  on("undo", () => change({ do: "undo" }));
  on("redo", () => change({ do: "redo" }));
  on("help", help);
  on("theme", () => {
    theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", theme);
    tellTheme();
    set({});
  });
  on("render", render);
  on("films", showFilms);
  on("play", toggle);
  on("preview", preview);
  on("pin", pin);
  on("outlines", () => set({ outlines: !state.outlines }));
  on("zoom-in", () => zoom(1.25));
  on("zoom-out", () => zoom(0.8));
  on("zoom-fit", fit);
  const moves = { "shot-back": () => step(-1), back: () => go(state.frame - 1), forth: () => go(state.frame + 1), "shot-forth": () => step(1) };
  const icons = { "shot-back": "M6 5v14M19 5l-10 7 10 7z", back: "M16 5l-9 7 9 7", forth: "M8 5l9 7-9 7", "shot-forth": "M18 5v14M5 5l10 7-10 7z" };
  for (const button of document.querySelectorAll("[data-key]")) button.append(drawing(icons[button.dataset.key]));
  for (const button of document.querySelectorAll("[data-key]")) button.addEventListener("click", () => { play(0); moves[button.dataset.key](); });
  $("#frame").addEventListener("change", (event) => {
    const text = event.target.value.trim();
    const seconds = text.includes(":") ? text.split(":").reduce((sum, part) => 60 * sum + Number(part), 0) : null;
    const frame = seconds === null ? Number(text) : frameAt(seconds);
    if (Number.isFinite(frame)) go(frame);
    event.target.blur();
  });
  const other = $("#other");
  for (const [value, text] of [["grey", "left: grey"], ["labels", "left: labels"], ["pinned", "left: kept frame"]]) {
    other.append(Object.assign(document.createElement("option"), { value, textContent: text }));
  }
  other.addEventListener("change", () => set({ other: other.value }));
}

async function start() {
  tellTheme();
  buttons();
  for (const begin of [watch, watchKeys, watchTimeline, watchVideo, watchDrops]) begin();
  const listeners = [tellTools, tellModes, tellHead, draw, tellState, tellTimeline, tellStrip, tellPanels, tellCorrect, tellColour, tellRender, tellPreview, outlines, refresh];
  for (const listener of listeners) onChange(listener);
  const films = await get("/api/desk");
  set({ films });
  $("#films").hidden = !films.batch;
  const opened = !films.batch || films.films.some((film) => film.open);
  if (!opened) return showFilms();
  await load();
  set({ brush: Math.round(state.film.height / 20) });
  const frame = Number(location.hash.slice(1));
  if (Number.isInteger(frame) && frame > 0) go(frame);
  const number = films.open;
  follow((server, before) => {
    if (server.film !== number) location.reload();
    if (!before || server.beat !== before.beat || server.ready !== before.ready) beat();
  });
  new ResizeObserver(() => set({})).observe($("#stage"));
  onChange(() => history.replaceState(null, "", state.frame ? `#${state.frame}` : "/"));
  addEventListener("beforeunload", stopVideo);
}

start();
