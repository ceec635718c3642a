// Small helpers for elements. Text always goes in as text: names from a film are never read as HTML.

import { set } from "./state.js";

export const $ = (selector, root = document) => root.querySelector(selector);

// h("button", {class: "main", onclick: f}, "Apply") makes an element.
export function h(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("aria-") && typeof value === "boolean") made.setAttribute(name, String(value));
    else if (value === undefined || value === null || value === false) continue;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(made.style, value);
    else if (name === "value" || name === "checked" || name === "disabled") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

// A small drawing, from the data of its lines in a square of 24.
export function drawing(lines) {
  const made = (tag, given) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
    return element;
  };
  const svg = made("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", class: "icon" });
  svg.append(made("path", { d: lines }));
  return svg;
}

// A group of buttons of which one is pressed. Arrow keys move in it, as in a native radio group.
export function radios(element, items, get, set) {
  const buttons = items.map(({ id, text, title, icon }) =>
    h("button", { role: "radio", "data-id": id, title, "aria-label": icon ? text : null, onclick: () => set(id) },
      icon ? drawing(icon) : null, icon ? h("span", { class: "word" }, text) : text));
  fill(element, buttons);
  element.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const at = (items.findIndex(({ id }) => id === get()) + step + items.length) % items.length;
    set(items[at].id);
    buttons[at].focus();
  });
  return () => {
    for (const button of buttons) {
      const on = button.dataset.id === get();
      button.setAttribute("aria-checked", on);
      button.tabIndex = on ? 0 : -1;
    }
  };
}

// What the pointer is pressed on is not drawn anew: else the click, or the drag, would be lost.
let pressed = null;
addEventListener("pointerdown", (event) => { pressed = event.target; }, true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => { pressed = null; set({}); }), true);

export const pressedIn = (element) => Boolean(pressed) && element.contains(pressed);

let fading = 0;

export function toast(text) {
  const box = $("#toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { box.hidden = true; }, 3000 + 60 * text.length);
}

// For screen readers: what has happened where the eye would see it.
export function say(text) {
  $("#said").textContent = text;
}

// Asks a question; resolves to whether the answer is yes.
export function ask(text, yes) {
  const dialog = $("#dialog");
  return new Promise((resolve) => {
    const end = (answer) => { dialog.close(); resolve(answer); };
    fill(dialog, h("p", {}, text), h("div", { class: "bar end" },
      h("button", { onclick: () => end(false) }, "Cancel"), h("button", { class: "main", onclick: () => end(true) }, yes)));
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
  });
}

// Lets a person choose one of some things: {id, text, about}; resolves to its id, or to null.
export function choose(title, things) {
  const dialog = $("#dialog");
  return new Promise((resolve) => {
    const end = (answer) => { dialog.close(); resolve(answer); };
    fill(dialog, h("h2", {}, title), h("ul", { class: "list" }, things.map(({ id, text, about }) =>
      h("li", {}, h("button", { class: "plain grow", onclick: () => end(id) }, h("b", {}, text), h("small", { class: "quiet" }, about))))),
    h("div", { class: "bar end" }, h("button", { onclick: () => end(null) }, "Cancel")));
    dialog.oncancel = () => resolve(null);
    dialog.showModal();
  });
}
