// The panel in which a region gets a label or a colour.

import { change, post } from "./api.js";
import { $, fill, h, pressedIn, say, toast } from "./dom.js";
import { sameAs } from "./colours.js";
import { picker, remember, tellColour } from "./picker.js";
import { go } from "./playing.js";
import { at, colourOf, drawnAgain, reach, selected, set, shapeAt, shotOf, state } from "./state.js";

let drawn = "", same = "", search = "", way = "label", waiting = 0, scope = "shot";

$("#panel-correct").addEventListener("focusout", () => set({}));

// The region in work: a draft, or that of the selected edit.
const region = () => state.draft?.region ?? selected()?.region;

const KINDS = { point: "Area under a point", strokes: "Brushed area", polygon: "Polygon", box: "Box", label: "Label" };
export const kindOf = (given) => KINDS[Object.keys(KINDS).find((name) => given[name] !== undefined)] ?? "Region";

export function actionText(action) {
  if (action === "neutral" || action?.neutral) return "neutral";
  if (action === "keep" || action?.keep) return "kept";
  return action.label ? `read as ${action.label}` : action.colour.startsWith("#") ? action.colour : `same as ${action.colour}`;
}

export function nameOf(edit) {
  if (edit.name) return edit.name;
  const what = edit.region.label ? `all ${edit.region.label}` : kindOf(edit.region).toLowerCase();
  return `${what}: ${actionText(edit.action)}`;
}

// What the region in work is read as, and what it can carry.
function about() {
  if (state.draft) return state.draft.about;
  const mine = selected(), frame = mine && at(mine);
  if (!mine || frame === null) return null;
  const key = JSON.stringify([frame, mine.region]);
  if (state.about?.key === key) return state.about;
  set({ about: { key, lumas: null, labels: [] } });
  post("/api/region", { frame, region: mine.region }).then((found) => {
    if (state.about?.key === key) set({ about: { key, ...found } });
  }).catch(() => {});
  return state.about;
}

function placed(item) {
  const { first, stop } = shotOf(state.draft?.frame ?? state.frame);
  if (scope === "film" && item.region.label) { delete item.frame; delete item.range; }
  else if (scope === "range") item.range = { from: first, to: stop - 1 };
  return item;
}

// The answer to the request that makes the region in work an edit, while it is under way.
let adding = null;

// Gives the region in work an action. Resolves when the server has it.
export async function apply(action) {
  await adding;  // what is asked meanwhile is for the same edit
  const mine = selected(), { draft } = state;
  if (draft) {
    const item = placed({ frame: draft.frame, region: draft.region, action });
    if (state.strength < 1) item.strength = state.strength;
    adding = change({ do: "add", item, title: `${kindOf(draft.region)}: ${actionText(action)}` });
    const id = await adding;
    adding = null;
    if (id) { set({ draft: null, selected: id }); say(`${kindOf(draft.region)} ${actionText(action)}. It is followed through the shot.`); }
  } else if (mine) {
    await change({ do: "update", id: mine.id, fields: { action }, title: `${nameOf(mine)} → ${actionText(action)}`.slice(0, 120), merge: true });
  } else toast("First choose a region in the picture: point at something, or draw.");
  if (action.colour) remember(colourOf(action.colour));
}

// Repeats the action of the edit before, for instance for a stroke on another frame. Enter does it.
export async function applyAgain() {
  if (!state.draft) return false;
  const last = state.sheet.edits.at(-1);
  if (way === "colour") await apply({ colour: state.colour });
  else if (last) await apply(last.action);
  return true;
}

function chosen(colour) {
  if (!state.draft && !selected()) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => apply({ colour }), 60);
  tellColour();
}

function field(name, value, title) {
  const mine = selected();
  if (mine) change({ do: "update", id: mine.id, fields: { [name]: value }, title, merge: name === "strength" });
}

export function tellCorrect() {
  if (!state.film) return;
  const mine = selected(), { draft } = state;
  const told = about();
  const key = JSON.stringify([draft?.region, told?.lumas, told?.labels, mine, way, state.recent, state.sheet.colours, Object.keys(state.usual).length, state.server?.mistakes]);
  if (key === drawn) return;
  // What is being typed stays; the panel is drawn anew when the field is left.
  const panel = $("#panel-correct"), identity = JSON.stringify([draft?.region, mine?.id, way]);
  const typing = panel.contains(document.activeElement) && document.activeElement.matches("input:not([type=range]):not([type=search]), textarea");
  if (pressedIn(panel) || (typing && identity === same)) return;
  same = identity;
  drawn = key;
  const focus = document.activeElement?.id;
  const caret = document.activeElement?.selectionStart;
  if (!draft && !mine) return fill(panel, hints());
  fill(panel, head(mine, draft, told), ways(), way === "label" ? labels(mine, told) : colours(told, mine), others(mine), details(mine));
  if (focus && $(`#${CSS.escape(focus)}`, panel)) {
    const element = $(`#${CSS.escape(focus)}`, panel);
    element.focus();
    if (caret !== undefined && caret !== null && element.setSelectionRange && element.type !== "number" && element.type !== "range") element.setSelectionRange(caret, caret);
  }
}

function hints() {
  return [
    h("h2", {}, "Correct a colour"),
    h("ol", { class: "hints" },
      h("li", {}, "Point at something in the picture, or draw round it with the brush, the polygon or the box."),
      h("li", {}, "Say what it is, or give it a colour."),
      h("li", {}, "The shot follows. Step through it; where the region has slipped, mend it with the brush or the eraser.")),
    h("p", { class: "quiet" }, "Labels shows what the network has read. Hold \\ to see the film without colours. All is saved at once in ", h("b", {}, state.film.sheet), "; Ctrl+Z takes back."),
  ];
}

function head(mine, draft, told) {
  const given = region();
  const read = told?.labels?.length ? `read as ${told.labels.map(([name, share]) => `${name} ${Math.round(100 * share)} %`).join(", ")}` : draft && !told ? "looking…" : "";
  const number = mine ? state.sheet.edits.findIndex((edit) => edit.id === mine.id) : -1;
  const mistake = state.server?.mistakes?.[`edits[${number}]`];
  return h("div", { class: "head" },
    h("h2", {}, given.label ? `All ${given.label}` : kindOf(given)),
    h("p", { class: "quiet" }, `${mine ? whereText(mine) : `frame ${draft.frame}`}${read ? " · " + read : ""}`),
    given.label ? null : h("p", {}, mine ? "Where it has slipped, the brush adds to it, and the eraser takes away, from that frame on." : "The brush adds to it, the eraser takes away."),
    mistake ? h("p", { class: "warning" }, mistake) : null,
    draft ? h("button", { class: "end", title: "Drop the region (Esc)", onclick: () => set({ draft: null }) }, "Drop")
      : h("button", { class: "end", title: "Leave this region; the next stroke begins another (Esc)", onclick: () => set({ selected: null }) }, "Done"));
}

export function whereText(edit) {
  const frame = at(edit), [first, stop] = reach(edit);
  const from = first === 0 && stop === state.film.frames ? "the whole film" : `frames ${first} to ${stop - 1}`;
  const again = drawnAgain(edit);
  return frame === null ? from : `drawn in frame ${frame}${again.length ? `, again in ${again.join(", ")}` : ""} · ${from}`;
}

function ways() {
  const choose = (to) => { way = to; drawn = ""; set({}); };
  return h("div", { class: "group wide", role: "group", "aria-label": "What to do" },
    h("button", { id: "way-label", "aria-pressed": way === "label", onclick: () => choose("label") }, "What is it?"),
    h("button", { id: "way-colour", "aria-pressed": way === "colour", onclick: () => choose("colour") }, "What colour?"));
}

function labels(mine, told) {
  const read = new Map((told?.labels ?? []).map(([name, share]) => [name, share]));
  const present = mine?.action?.label;
  const find = () => state.film.labels
    .filter(({ name }) => name.includes(search.toLowerCase()))
    .sort((a, b) => (read.get(b.name) ?? 0) - (read.get(a.name) ?? 0) || Number(b.name in state.usual) - Number(a.name in state.usual) || a.name.localeCompare(b.name));
  const found = find();
  const item = ({ name, colour }) => h("button", {
    class: "label", role: "option", "aria-selected": name === present, onclick: () => apply({ label: name }),
  },
  h("span", { class: "swatch", style: { background: state.usual[name] ?? "transparent", borderColor: colour }, "aria-hidden": "true" }), name,
  read.has(name) ? h("span", { class: "quiet end" }, `${Math.round(100 * read.get(name))} %`) : null);
  const list = h("div", { class: "labels", role: "listbox", "aria-label": "Labels" }, found.map(item));
  return h("div", {},
    h("input", {
      id: "search", type: "search", placeholder: "Search labels", "aria-label": "Search labels", value: search,
      oninput: (event) => { search = event.target.value; drawn = ""; set({}); },
      onkeydown: (event) => { if (event.key !== "Enter") return;
        event.preventDefault();
        event.stopPropagation();
        search = event.target.value; // the list may not be drawn yet
        const [first] = find();
        if (!first) return;
        search = "";
        $("#stage").focus({ preventScroll: true }); // the keys are for the picture again
        apply({ label: first.name });
      },
    }),
    list,
    h("p", { class: "quiet" }, "The square shows the colour that a label usually gets in this film."));
}

// Paints with a named colour; without a region it becomes the present colour.
function chosenName(name) {
  if (state.draft || selected()) apply({ colour: name });
}

function colours(told, mine) {
  const sheet = new Set([...state.recent, ...state.sheet.edits.map((edit) => colourOf(edit.action.colour)), ...Object.values(state.sheet.palette).map(colourOf)].filter(Boolean));
  const swatches = [...sheet].slice(0, 16).map((colour) =>
    h("button", { class: "swatch", style: { background: colour }, title: colour, "aria-label": `Colour ${colour}`, onclick: () => { set({ colour }); chosen(colour); } }));
  const suggested = (told?.labels ?? []).filter(([name]) => state.usual[name]).map(([name]) =>
    h("button", { class: "label", onclick: () => { set({ colour: state.usual[name] }); chosen(state.usual[name]); } },
      h("span", { class: "swatch", style: { background: state.usual[name] }, "aria-hidden": "true" }), `as ${name} elsewhere`));
  return h("div", {},
    picker(told?.lumas ?? null, chosen),
    h("div", { class: "row" }, h("button", { onclick: () => apply({ colour: state.colour }), class: "main" }, "Paint it so (Enter)"),
      h("button", { title: "Take a colour from the picture (I)", onclick: () => set({ tool: "dropper" }) }, "Eyedropper")),
    sameAs(mine?.action?.colour, chosenName),
    suggested.length ? h("div", { class: "row" }, suggested) : null,
    swatches.length ? h("div", {}, h("div", { class: "quiet" }, "Colours of this film"), h("div", { class: "row" }, swatches)) : null);
}

function others(mine) {
  const strength = mine ? mine.strength ?? 1 : state.strength;
  return h("div", { class: "row" },
    h("button", { title: "Make it grey", onclick: () => apply("neutral") }, "Neutral"),
    h("button", { title: "As the network paints it, whatever earlier edits, the palette and photos say", onclick: () => apply("keep") }, "Keep as painted"),
    h("label", { class: "whole" }, "strength ",
      h("input", {
        id: "strength", type: "range", min: "0.05", max: "1", step: "0.05", value: strength, "aria-valuetext": `${Math.round(100 * strength)} %`,
        onchange: (event) => { const value = Number(event.target.value); set({ strength: value }); field("strength", value < 1 ? value : null, "strength"); },
      })));
}

function details(mine) {
  const given = region(), { first, stop } = shotOf(state.draft?.frame ?? at(mine) ?? state.frame);
  const now = mine ? (typeof mine.range === "object" || typeof mine.range === "string" ? "range" : at(mine) === null ? "film" : "shot") : scope;
  const [from, to] = mine ? reach(mine) : [first, stop];
  const choose = (event) => {
    scope = event.target.value;
    if (!mine) { drawn = ""; return set({}); }
    const fields = { shot: { range: null, frame: at(mine) ?? state.frame, time: null }, range: { range: { from: first, to: stop - 1 } }, film: { range: null, frame: null, time: null } }[scope];
    change({ do: "update", id: mine.id, fields, title: "range" });
  };
  const bound = (name, value) => h("input", {
    id: `range-${name}`, size: "6", inputmode: "numeric", value: String(value), "aria-label": `${name} frame`,
    onchange: (event) => {
      const both = { from, to: to - 1, [name]: Number(event.target.value) };
      field("range", both, "range");
    },
  });
  return h("div", { class: "details" },
    mine && drawnAgain(mine).length ? h("div", { class: "row" }, "drawn again in", drawnAgain(mine).map((frame) => h("span", { class: "group" },
      h("button", { id: `again-${frame}`, onclick: () => go(frame) }, frame),
      h("button", { id: `not-again-${frame}`, "aria-label": `Take back what was drawn in frame ${frame}`, onclick: () => takeBack(mine, frame) }, "✕")))) : null,
    h("label", {}, "holds for ", h("select", { id: "scope", onchange: choose },
      h("option", { value: "shot", selected: now === "shot" }, `this shot (${first} to ${stop - 1})`),
      h("option", { value: "range", selected: now === "range" }, "frames from … to …"),
      given.label ? h("option", { value: "film", selected: now === "film" }, "the whole film") : null)),
    mine && now === "range" ? h("div", { class: "row" }, bound("from", from), " to ", bound("to", to - 1)) : null,
    mine ? h("label", {}, "name ", h("input", { id: "edit-name", value: mine.name ?? "", onchange: (event) => field("name", event.target.value || null, "name") })) : null,
    mine ? h("label", {}, "note ", h("textarea", { id: "edit-note", rows: "2", value: mine.note ?? "", onchange: (event) => field("note", event.target.value || null, "note") })) : null,
    mine ? h("div", { class: "row" },
      h("button", { "aria-pressed": !mine.off, onclick: () => field("off", mine.off ? null : true, mine.off ? "on" : "off") }, mine.off ? "Switch on" : "Switch off"),
      h("button", { title: "Remove (Delete)", onclick: removeSelected }, "Remove")) : null);
}

// Takes back what was drawn in another frame than the edit's own.
function takeBack(mine, frame) {
  const then = mine.region.then.filter((shape) => shapeAt(mine, shape) !== frame);
  change({ do: "update", id: mine.id, fields: { region: { ...mine.region, then: then.length ? then : undefined } }, title: `took back frame ${frame}` });
}

export function removeSelected() {
  const mine = selected();
  if (!mine) return;
  change({ do: "remove", id: mine.id, title: `removed ${nameOf(mine)}` });
  set({ selected: null });
}

export function setWay(to) {
  way = to;
  drawn = "";
  set({});
}
