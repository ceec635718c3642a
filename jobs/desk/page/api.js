// Talks to the server. Every mistake that it tells is shown as it is.

import { toast } from "./dom.js";
import { set, state } from "./state.js";

export async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? answer.statusText);
  return answer.json();
}

export async function post(path, body) {
  const raw = body instanceof Blob;
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": raw ? "application/octet-stream" : "application/json" },
    body: raw ? body : JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(told.error ?? answer.statusText), { status: answer.status });
  return told;
}

const MOST = 128; // megabytes, as the server has it

// Sends a picture to the server, which writes it beside the sheet; resolves to {photo, name}.
export async function upload(file) {
  if (file.size > MOST * 2 ** 20) throw new Error(`${file.name} has ${Math.ceil(file.size / 2 ** 20)} MB; at most ${MOST} MB fit, enough for a 4K frame of 16 bits. Save it as a PNG.`);
  return post("/api/photos", file);
}

// Changes the sheet. Returns the new item's id, or null if the server refused the change.
export async function change(body) {
  try {
    const sheet = await post("/api/sheet", body);
    set({ sheet });
    return sheet.new ?? true;
  } catch (error) {
    toast(error.message);
    return null;
  }
}

export async function load() {
  const [film, sheet, shots] = await Promise.all([get("/api/film"), get("/api/sheet"), get("/api/shots")]);
  set({ film, sheet, ...shots });
  document.title = `${film.name} · semcolor desk`;
}

// Follows what the server does; calls `tell` with each new state and the one before.
export function follow(tell) {
  const source = new EventSource("/api/events");
  source.onmessage = async (event) => {
    const before = state.server, server = JSON.parse(event.data);
    set({ server, lost: false });
    if (server.film !== null && server.sheet !== undefined && server.sheet !== state.sheet.version) {
      const sheet = await get("/api/sheet").catch(() => null); // the next event asks again
      if (sheet) set({ sheet });
    }
    if (before && (server.shots !== before.shots || server.scanned !== before.scanned)) later();
    tell(server, before);
  };
  source.onerror = () => set({ lost: true });
}

let waiting = 0;

function later() {
  if (waiting) return;
  waiting = setTimeout(async () => {
    waiting = 0;
    set(await get("/api/shots").catch(() => ({})));
  }, 500);
}
