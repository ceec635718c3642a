// Moving through the film: single steps, playing, and previews with sound.

import { post } from "./api.js";
import { $, toast } from "./dom.js";
import { fetchPicture, have } from "./frames.js";
import { frameAt, set, shotOf, state, timeOf } from "./state.js";

let clock = 0, place = 0, asked = false, wanted = null;

const FIRST = 1.6; // seconds of a preview that are made before it begins to play

export function go(frame) {
  const to = Math.min(state.film.frames - 1, Math.max(0, Math.round(frame)));
  if (to === state.frame) return;
  stopVideo();
  if (state.playing) play(0);
  $("#tip").hidden = true;
  set({ frame: to, drawing: null, draft: state.draft?.frame === to ? state.draft : null });
}

// To the first frame of the shot before or after. Within a shot, back leads to its start first.
export function step(way) {
  const shot = shotOf(state.frame);
  if (way > 0) go(shot.stop);
  else if (state.frame > shot.first) go(shot.first);
  else go(shotOf(shot.first - 1).first);
}

// Plays with a speed: 1 is the film's own, 0 stands still. Frames that cannot be painted in time are left out.
export function play(speed) {
  if (!$("#video").hidden) {
    if (speed) $("#video").play(); else $("#video").pause();
    return set({ playing: 0 });
  }
  const begin = state.playing;
  set({ playing: speed, drawing: null });
  $("#tip").hidden = true;
  hear(speed);
  if (speed && !begin) {
    clock = performance.now();
    place = state.frame;
    requestAnimationFrame(tick);
  }
}

// The film's sound while it plays forth. It is the clock then: pictures follow it.
const audio = new Audio();
let heard = null; // the frame with which the sound begins; null: silence

function hear(speed) {
  const can = state.film.sound && speed > 0 && speed <= 4;
  if (!can) {
    audio.pause();
    heard = null;
    return;
  }
  audio.preservesPitch = true;
  if (heard === null || Math.abs(frameAt(timeOf(heard) + audio.currentTime) - state.frame) > state.film.rate) {
    heard = state.frame;
    audio.src = `/api/sound/${heard}.wav`;
  }
  audio.playbackRate = speed;
  const mine = heard;
  audio.play().catch(() => { if (heard === mine) heard = null; }); // then it plays without sound
}

audio.addEventListener("ended", () => { // the server hands out a minute at a time
  heard = null;
  if (state.playing) hear(state.playing);
});
audio.addEventListener("error", () => { heard = null; });

export function toggle() {
  const video = $("#video");
  if (!video.hidden) return video.paused ? video.play() : video.pause();
  play(state.playing ? 0 : 1);
}

function tick(now) {
  if (!state.playing) return;
  if (heard !== null) place = frameAt(timeOf(heard) + audio.currentTime);
  else place += (now - clock) / 1000 * state.film.rate * state.playing;
  clock = now;
  const to = Math.floor(Math.min(state.film.frames - 1, Math.max(0, place)));
  const kind = state.mode === "grey" ? "grey" : "colour";
  if (to !== state.frame && !asked) {
    asked = true;
    fetchPicture(kind, to, "main", true).then(() => {
      asked = false;
      if (state.playing && have(kind, to)) set({ frame: to, draft: null });
    });
  }
  if (place >= state.film.frames - 1 || (place <= 0 && state.playing < 0)) {
    play(0);
    return go(to); // whatever could be painted on the way
  }
  requestAnimationFrame(tick);
}

// Has the shot on view made into a small film with sound. `tellPreview` plays it once it is there.
export async function preview() {
  const shown = !$("#video").hidden;
  stopVideo();
  wanted = null;
  if (state.server?.preview?.state === "running") return post("/api/previews", { stop: true });
  if (shown) return;
  const { first, stop } = shotOf(state.frame), most = Math.ceil(20 * state.film.rate);
  const from = stop - first > most ? Math.max(first, Math.min(state.frame, stop - most)) : first;
  try {
    const { number } = await post("/api/previews", { from, to: Math.min(stop, from + most) - 1 });
    wanted = { number, from, stop: Math.min(stop, from + most), back: state.frame };
  } catch (error) {
    toast(error.message);
  }
}

export function tellPreview() {
  const made = state.server?.preview, button = $("#preview"), text = $("#preview-text");
  const running = made?.state === "running";
  const label = !$("#video").hidden ? "Close preview" : running ? "Stop preview" : "Preview shot";
  if (button.textContent !== label) button.textContent = label;
  text.textContent = running ? `${made.done} of ${made.stop - made.first} frames` : made?.state === "failed" ? `The preview failed: ${made.error}` : "";
  const there = made?.state === "done" || (running && made.done >= Math.min(FIRST * state.film.rate, made.stop - made.first));
  if (wanted && made?.number === wanted.number && there) { // the rest is made while this plays
    startVideo(wanted);
    wanted = null;
  }
}

function startVideo({ number, ...frames }) {
  const video = $("#video");
  video.hidden = false;
  video.classList.remove("there"); // the frame shows through until the first picture comes
  Object.assign(video.dataset, frames);
  video.src = `/api/previews/${number}.mp4`;
  video.play().catch(() => {}); // a browser may want a key first; then Space plays
}

// Leaves the preview. Returns whether one was on view.
export function stopVideo() {
  const video = $("#video");
  if (video.hidden) return false;
  video.pause();
  video.hidden = true;
  video.removeAttribute("src");
  video.load();
  set({});
  return true;
}

export function watchVideo() {
  const video = $("#video");
  video.addEventListener("timeupdate", () => {
    const { from, stop } = video.dataset;
    if (!video.hidden && video.readyState > 1) set({ frame: Math.min(stop - 1, frameAt(timeOf(Number(from)) + video.currentTime)) });
  });
  video.addEventListener("loadeddata", () => video.classList.add("there"));
  video.addEventListener("ended", () => {
    stopVideo();
    set({ frame: Number(video.dataset.back) }); // the work goes on where it was
  });
  video.addEventListener("error", () => { if (video.hasAttribute("src")) toast("This browser cannot play the preview (H.264)."); });
}
