// The films of a batch, with one click to each.

import { get, post } from "./api.js";
import { $, fill, h, toast } from "./dom.js";
import { state } from "./state.js";

const MARKS = { done: "✓", running: "▸", waiting: "·", failed: "✕" };
const WORDS = { done: "done", running: "being made", waiting: "waiting", failed: "failed" };

async function open(key) {
  try {
    await post("/api/open", { key });
    location.reload();
  } catch (error) {
    toast(error.message);
  }
}

export async function showFilms() {
  const told = await get("/api/desk").catch((error) => toast(error.message));
  if (!told?.films) return;
  const dialog = $("#dialog");
  const row = (film) => h("li", { class: film.open ? "on" : "" },
    h("button", { class: "plain grow", onclick: () => open(film.key), "aria-current": film.open },
      h("b", {}, h("span", { class: `mark ${film.state}`, "aria-hidden": "true" }, MARKS[film.state]), film.name),
      h("small", { class: film.state === "failed" ? "warning" : "quiet" }, film.state === "running" && film.frames ? `${WORDS.running}: ${film.done} of ${film.frames} frames` : WORDS[film.state]),
      film.error ? h("small", { class: "warning" }, film.error) : null,
      film.findings.map((text) => h("small", { class: "quiet" }, text))));
  const counts = Object.entries(told.counts).filter(([, n]) => n).map(([name, n]) => `${n} ${WORDS[name]}`).join(", ");
  fill(dialog, h("h2", {}, `Films of ${told.batch}`), h("p", { class: "quiet" }, counts), h("ul", { class: "list tall" }, told.films.map(row)),
    h("div", { class: "bar end" }, state.film ? h("button", { onclick: () => dialog.close() }, "Close") : h("button", { onclick: showFilms }, "Look again")));
  if (!dialog.open) dialog.showModal();
  dialog.oncancel = (event) => { if (!state.film) event.preventDefault(); };
}
