// Key frames: frames that were coloured elsewhere. A still leaves for another program, and comes back as a picture.

import { change, upload } from "./api.js";
import { h, say, toast } from "./dom.js";
import { go } from "./playing.js";
import { at, shotOf, state } from "./state.js";

const stem = () => state.film.name.replace(/\.[^.]*$/, "");

// Saves the frame on view as a PNG with the very pixels that the page shows: in colour, or grey where that is shown.
export async function saveStill() {
  const { frame } = state, kind = state.mode === "grey" ? "grey" : "colour";
  for (let round = 0; round < 600; round++) {
    const answer = await fetch(`/api/frames/${frame}/${kind}?view=still`);
    if (answer.status !== 204 && !answer.ok) return toast((await answer.json().catch(() => ({}))).error ?? answer.statusText);
    if (answer.headers.get("x-settled") === "1") {
      const link = h("a", { href: URL.createObjectURL(await answer.blob()), download: `${stem()}.${String(frame).padStart(6, "0")}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      return say(`Frame ${frame} is saved.`);
    }
    if (!round) toast("The still is saved as soon as its pixels are final.");
    if (state.frame !== frame) return toast(`Frame ${frame} was not final yet; go back to it to save it.`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

// Whether a picture has the film's size, as a key frame must.
export async function couldBeKey(file) {
  if (!state.film) return false;
  if (/\.tiff?$/i.test(file.name)) return true; // browsers cannot read it; the server tells its size
  const bitmap = await createImageBitmap(file).catch(() => null);
  const fits = Boolean(bitmap) && bitmap.height === state.film.height && [state.film.width, state.film.shown].includes(bitmap.width);
  bitmap?.close();
  return fits;
}

// Makes a picture the key frame of a frame.
export async function addKey(file, frame) {
  try {
    const { photo } = await upload(file);
    const id = await change({ do: "add", list: "keyframes", item: { frame, picture: photo }, title: `key frame ${frame}: ${file.name}`.slice(0, 120) });
    if (id) say(`Key frame ${frame}. Its colours are carried through its shot.`);
  } catch (error) {
    toast(error.message);
  }
}

// The keyed shot that holds a frame, as the server tells: {frames, first, stop, steps, done}.
export const keyedAt = (frame) => (state.server?.keyed ?? []).find(({ first, stop }) => first <= frame && frame < stop);

// How far a keyed shot is, 0 to 1: each frame is gone through in both directions of time.
export const carried = ({ first, stop, steps }) => steps / (2 * (stop - first));

export function keyframes() {
  const row = (key, n) => {
    const frame = at(key), mistake = state.server?.mistakes?.[`keyframes[${n}]`], shot = shotOf(frame), keyed = keyedAt(frame);
    const running = keyed && !keyed.done && !key.off ? ` · carried: ${Math.round(100 * carried(keyed))} %` : "";
    return h("li", { class: frame === state.frame ? "on" : "" },
      h("input", { type: "checkbox", id: `on-${key.id}`, checked: !key.off, "aria-label": `Key frame ${frame}: on`, onchange: () => change({ do: "update", list: "keyframes", id: key.id, fields: { off: key.off ? null : true }, title: `key frame ${frame} ${key.off ? "on" : "off"}` }) }),
      h("img", { class: "photo", src: `/api/pictures/${key.id}.png`, alt: "", loading: "lazy" }),
      h("button", { class: "plain grow", id: `go-${key.id}`, onclick: () => go(frame) }, h("b", {}, `frame ${frame}`),
        h("small", { class: "quiet" }, `leads frames ${shot.first} to ${shot.stop - 1}${running}`),
        mistake ? h("small", { class: "warning" }, mistake) : null),
      h("button", { id: `gone-${key.id}`, "aria-label": `Remove key frame ${frame}`, onclick: () => change({ do: "remove", list: "keyframes", id: key.id, title: `removed key frame ${frame}` }) }, "✕"));
  };
  return [h("h2", {}, "Key frames"),
    h("p", { class: "quiet" }, "Save a frame, colour it in another program, and bring it back. Its colours are carried through its shot; where it is transparent, it says nothing."),
    h("ul", { class: "list" }, state.sheet.keyframes.map(row)),
    h("div", { class: "row" },
      h("button", { onclick: saveStill, title: "Save the frame on view as a PNG of the film's size" }, `Save frame ${state.frame}`),
      h("label", { class: "button" }, `Picture for frame ${state.frame}…`, h("input", { type: "file", class: "unseen", id: "key-file", accept: "image/*", onchange: (event) => { for (const file of event.target.files) addKey(file, state.frame); } })))];
}
