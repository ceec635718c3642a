// The panels of what was done: all edits, the history, and what holds for the whole film.

import { change, upload } from "./api.js";
import { $, choose, fill, h, pressedIn, radios, toast } from "./dom.js";
import { nameOf, whereText } from "./correct.js";
import { setColour } from "./picker.js";
import { hex, pixels } from "./frames.js";
import { namedColours } from "./colours.js";
import { addKey, couldBeKey, keyframes } from "./keyframes.js";
import { go } from "./playing.js";
import { at, colourOf, reach, set, state } from "./state.js";

const TABS = [{ id: "correct", text: "Correct" }, { id: "edits", text: "Edits" }, { id: "film", text: "Whole film" }];
let drawn = "";

const tellTabs = radios($("#tabs"), TABS, () => state.tab, (tab) => set({ tab }));
for (const button of $("#tabs").children) {
  button.setAttribute("role", "tab");
  button.id = `tab-${button.dataset.id}`;
  button.setAttribute("aria-controls", `panel-${button.dataset.id}`);
}

export function tellPanels() {
  tellTabs();
  for (const { id } of TABS) {
    $(`#panel-${id}`).hidden = id !== state.tab;
    $(`#tab-${id}`).setAttribute("aria-selected", id === state.tab);
    $(`#tab-${id}`).removeAttribute("aria-checked");
  }
  const { sheet } = state;
  $("#tab-edits").textContent = sheet.edits.length ? `Edits (${sheet.edits.length})` : "Edits";
  $("#undo").disabled = !(sheet.at > 0);
  $("#redo").disabled = !(sheet.at < sheet.history.length - 1);
  $("#undo").title = sheet.at > 0 ? `Undo: ${sheet.history[sheet.at].title} (Ctrl+Z)` : "Undo (Ctrl+Z)";
  if (!state.film) return;
  const key = JSON.stringify([sheet.version, state.selected, state.tab, state.server?.mistakes, state.server?.following, state.tab === "film" && state.frame, Object.keys(state.usual)]);
  if (key === drawn || pressedIn($("#side"))) return;
  drawn = key;
  const focus = document.activeElement?.id;
  if (state.tab === "edits") fill($("#panel-edits"), list(), history());
  if (state.tab === "film") fill($("#panel-film"), namedColours(), palette(), keyframes(), references());
  if (focus) $(`#${CSS.escape(focus)}`)?.focus();
}

export function pick(edit) {
  const frame = at(edit), [first, stop] = reach(edit);
  set({ selected: edit.id, draft: null, colour: colourOf(edit.action.colour) ?? state.colour });
  if (frame !== null) go(frame);
  else if (state.frame < first || state.frame >= stop) go(first);
}

function list() {
  const { edits } = state.sheet;
  if (!edits.length) return [h("h2", {}, "Edits"), h("p", { class: "quiet" }, "Nothing was corrected yet.")];
  const row = (edit, n) => {
    const mistake = state.server?.mistakes?.[`edits[${n}]`], swatch = colourOf(edit.action.colour);
    return h("li", { class: edit.id === state.selected ? "on" : "" },
      h("input", {
        type: "checkbox", id: `on-${edit.id}`, checked: !edit.off, "aria-label": `${nameOf(edit)}: on`,
        onchange: () => change({ do: "update", id: edit.id, fields: { off: edit.off ? null : true }, title: `${nameOf(edit)} ${edit.off ? "on" : "off"}` }),
      }),
      h("span", { class: "swatch", style: { background: swatch ?? "transparent" }, "aria-hidden": "true" }),
      h("button", { class: "plain grow", id: `edit-${edit.id}`, "aria-current": edit.id === state.selected, onclick: () => { pick(edit); } },
        h("b", {}, nameOf(edit)), h("small", {}, whereText(edit)),
        mistake ? h("small", { class: "warning" }, mistake) : null,
        edit.note ? h("small", { class: "quiet" }, edit.note) : null),
      h("button", { id: `up-${edit.id}`, "aria-label": `Move ${nameOf(edit)} up`, disabled: n === 0, onclick: () => change({ do: "move", id: edit.id, to: n - 1, title: "order" }) }, "↑"),
      h("button", { id: `down-${edit.id}`, "aria-label": `Move ${nameOf(edit)} down`, disabled: n === edits.length - 1, onclick: () => change({ do: "move", id: edit.id, to: n + 1, title: "order" }) }, "↓"),
      h("button", { id: `gone-${edit.id}`, "aria-label": `Remove ${nameOf(edit)}`, onclick: () => change({ do: "remove", id: edit.id, title: `removed ${nameOf(edit)}` }) }, "✕"));
  };
  return [h("h2", {}, "Edits"), h("p", { class: "quiet" }, "The lower one is painted over the upper one."), h("ol", { class: "list" }, edits.map(row))];
}

function history() {
  const { history, at: now } = state.sheet;
  const row = ({ title, when }, n) => h("li", {},
    h("button", { class: "plain", id: `version-${n}`, "aria-current": n === now ? "step" : null, onclick: () => change({ do: "go", to: n }) },
      h("span", {}, title), h("small", { class: "quiet" }, new Date(1000 * when).toLocaleTimeString())));
  return [h("h2", {}, "History"), h("ol", { class: "list history", reversed: true }, history.map(row).reverse())];
}

function palette() {
  const { palette } = state.sheet;
  const rows = Object.entries(palette).map(([label, colour]) => h("li", {},
    h("input", { type: "color", id: `palette-${label}`, value: colourOf(colour), "aria-label": `Colour of ${label}`, onchange: (event) => change({ do: "palette", label, colour: event.target.value }) }),
    h("span", { class: "grow" }, label, h("small", { class: "quiet" }, colour)),
    h("button", { "aria-label": `Remove ${label}`, onclick: () => change({ do: "palette", label, colour: null }) }, "✕")));
  const free = state.film.labels.map(({ name }) => name).filter((name) => !(name in palette)).sort();
  const add = (event) => { if (event.target.value) change({ do: "palette", label: event.target.value, colour: state.usual[event.target.value] ?? state.colour }); };
  return [h("h2", {}, "Palette"), h("p", { class: "quiet" }, "A colour for all that is read as a label, in the whole film."),
    h("ul", { class: "list" }, rows),
    h("label", {}, "add ", h("select", { id: "palette-add", onchange: add }, h("option", { value: "" }, "a label…"), free.map((name) => h("option", {}, name))))];
}

function references() {
  const rows = state.sheet.references.map((reference) => {
    const [first, stop] = reference.range ? reach({ range: reference.range }) : [0, state.film.frames];
    return h("li", {},
      h("input", { type: "checkbox", id: `on-${reference.id}`, checked: !reference.off, "aria-label": "Photo: on", onchange: () => change({ do: "update", list: "references", id: reference.id, fields: { off: reference.off ? null : true }, title: "photo on or off" }) }),
      h("img", { class: "photo", src: `/api/pictures/${reference.id}.png`, alt: "Photo. Click to take a colour from it.", loading: "lazy", onclick: drop }),
      h("span", { class: "grow" }, h("small", {}, reference.range ? `frames ${first} to ${stop - 1}` : "the whole film")),
      h("button", { "aria-label": "Remove photo", onclick: () => change({ do: "remove", list: "references", id: reference.id, title: "photo removed" }) }, "✕"));
  });
  const mistake = state.server?.mistakes?.references;
  return [h("h2", {}, "Photos"), h("p", { class: "quiet" }, "Labels that a photo shares with the film get its colours. Drop a photo anywhere on the page."),
    mistake ? h("p", { class: "warning" }, mistake) : null,
    h("ul", { class: "list" }, rows),
    h("label", { class: "button" }, "Add a photo…", h("input", { type: "file", class: "unseen", id: "photo-file", accept: "image/*", onchange: (event) => [...event.target.files].forEach(addPhoto) }))];
}

// Takes a colour from a photo.
async function drop(event) {
  const image = event.target, bitmap = await createImageBitmap(image), { data, width } = pixels(bitmap);
  const box = image.getBoundingClientRect();
  const [x, y] = [(event.clientX - box.left) / box.width * bitmap.width, (event.clientY - box.top) / box.height * bitmap.height].map(Math.floor);
  const at = 4 * (y * width + x);
  setColour(hex([...data.slice(at, at + 3)]));
  toast(`Colour ${state.colour} is taken; paint with it in Correct.`);
}

export async function addPhoto(file) {
  try {
    const { photo } = await upload(file);
    await change({ do: "add", list: "references", item: { photo }, title: `photo ${file.name}`.slice(0, 80) });
    set({ tab: "film" });
  } catch (error) {
    toast(error.message);
  }
}

export function watchDrops() {
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    for (const file of event.dataTransfer.files) dropped(file);
  });
}

// A picture of the film's size may be a photo or a key frame: the person says which.
async function dropped(file) {
  if (!await couldBeKey(file)) return addPhoto(file);
  const { frame } = state;
  const what = await choose(`What is ${file.name}?`, [
    { id: "key", text: `Key frame of frame ${frame}`, about: "This frame, coloured elsewhere. Its colours are carried through its shot. Where it is transparent, it says nothing." },
    { id: "photo", text: "A photo with the right colours", about: "Labels that it shares with the film get its colours." }]);
  if (what === "key") addKey(file, frame);
  if (what === "photo") addPhoto(file);
}
