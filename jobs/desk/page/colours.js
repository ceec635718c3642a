// Named colours: "her coat" is one colour wherever it is used.

import { change } from "./api.js";
import { h, say, toast } from "./dom.js";
import { named, set, state } from "./state.js";

const uses = (name) => state.sheet.edits.filter((edit) => edit.action.colour === name).length +
  Object.values(state.sheet.palette).filter((colour) => colour === name).length;

// Gives the present colour a name; resolves to whether it has it now.
export async function nameColour(name) {
  name = name.trim();
  if (!name) return false;
  if (named().some(([other]) => other === name)) { toast(`There is a colour “${name}” already; choose it, or take another name.`); return false; }
  const done = await change({ do: "colour", name, colour: state.colour });
  if (done) say(`${name} is ${state.colour}.`);
  return Boolean(done);
}

// The buttons "same as …" of the panel in which a region gets a colour.
export function sameAs(present, chosen) {
  const found = named();
  return h("div", {},
    h("div", { class: "quiet" }, found.length ? "same as" : "A colour with a name is changed once for all places that use it."),
    h("div", { class: "row" }, found.map(([name, colour, note]) => h("button", {
      class: "label", title: note || colour, "aria-pressed": present === name, onclick: () => { set({ colour }); chosen(name); } },
    h("span", { class: "swatch", style: { background: colour }, "aria-hidden": "true" }), name))),
    h("div", { class: "row" },
      h("input", { id: "colour-name", class: "grow", placeholder: "a name: her coat", "aria-label": "Name for this colour", onkeydown: (event) => { if (event.key === "Enter") { event.stopPropagation(); begin(event.target, chosen); } } }),
      h("button", { onclick: () => begin(document.querySelector("#colour-name"), chosen) }, "Name it")));
}

async function begin(field, chosen) {
  const name = field.value.trim();
  if (!await nameColour(name)) return;
  field.value = "";
  field.blur(); // what is being typed is not drawn over
  chosen(name);
}

// The list of the panel "Whole film".
export function namedColours() {
  const rows = named().map(([name, colour, note]) => {
    const used = uses(name);
    return h("li", {},
      h("input", { type: "color", id: `colour-${name}`, value: colour, "aria-label": `Colour of ${name}`, onchange: (event) => change({ do: "colour", name, colour: event.target.value }) }),
      h("span", { class: "grow column" },
        h("input", { value: name, "aria-label": `Name of ${name}`, onchange: (event) => event.target.value.trim() ? change({ do: "colour", name, colour, to: event.target.value.trim() }) : (event.target.value = name) }),
        h("input", { value: note, placeholder: "where it comes from", "aria-label": `Note of ${name}`, onchange: (event) => change({ do: "colour", name, colour, note: event.target.value }) }),
        h("small", { class: "quiet" }, `${colour} · ${used === 1 ? "used once" : used ? `used ${used} times` : "not used yet"}`)),
      h("button", { "aria-label": `Remove ${name}`, title: "What uses it keeps the colour", onclick: () => change({ do: "colour", name, colour: null }) }, "✕"));
  });
  return [h("h2", {}, "Named colours"), h("p", { class: "quiet" }, "A colour that is changed here changes wherever it is used. Names are given in Correct, What colour?"), h("ul", { class: "list" }, rows)];
}
