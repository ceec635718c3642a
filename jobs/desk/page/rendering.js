// Rendering the film: the button, the progress, and what came of it.

import { post } from "./api.js";
import { $, ask, toast } from "./dom.js";
import { state } from "./state.js";

export async function render() {
  const { state: now, exists, output } = state.server?.render ?? {};
  if (now === "running") return post("/api/render", { stop: true });
  const again = now === "done" || now === "stopped" || now === "failed";
  if (exists && !again && !await ask(`${output} exists already. Replace it?`, "Replace")) return;
  try {
    await post("/api/render", { replace: true });
  } catch (error) {
    toast(error.message);
  }
}

function left(seconds) {
  return seconds === null || seconds === undefined ? "" : seconds < 90 ? ` · ${seconds} s left` : ` · ${Math.round(seconds / 60)} min left`;
}

export function tellRender() {
  const told = state.server?.render;
  if (!told) return;
  const running = told.state === "running", bar = $("#render-bar");
  $("#render").textContent = running ? "Stop" : told.state === "idle" ? "Render film" : "Render again";
  bar.hidden = !running;
  bar.max = told.frames || 1;
  if (told.frames) bar.value = told.done; else bar.removeAttribute("value");
  const text = {
    idle: "",
    running: told.frames ? `${told.done} of ${told.frames} frames${left(told.left)}` : "starting…",
    done: `${told.output} is finished`,
    stopped: "stopped; Render again continues",
    failed: `failed: ${told.message}`,
  }[told.state];
  const box = $("#render-text");
  if (box.textContent !== text) box.textContent = text;
  box.classList.toggle("warning", told.state === "failed");
}
