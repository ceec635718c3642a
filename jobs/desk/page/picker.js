// The colour picker: only what the region's luma can carry, in a picture that the server makes.

import { post } from "./api.js";
import { $, h } from "./dom.js";
import { set, state } from "./state.js";

const SIDE = 220;
const LEVELS = ["dark parts", "middle", "bright parts"];
let reach = 110; // a and b at the picture's border, as the server tells
let lumas = [80, 128, 176], level = 1, choose = () => {}, disc = null, shown = "", ab = [0, 0], asked = "", granted = [];

export function setColour(colour) {
  set({ colour });
  choose(colour);
}

export function remember(colour) {
  set({ recent: [colour, ...state.recent.filter((other) => other !== colour)].slice(0, 10) });
}

// The picker's elements. `chosen` is called with each colour that is chosen.
export function picker(given, chosen) {
  choose = chosen;
  if (given) lumas = given;
  const canvas = h("canvas", {
    id: "disc", width: SIDE, height: SIDE, tabindex: "0", role: "img",
    "aria-label": "Colours that this region can carry. Arrow keys move the choice.",
    onpointerdown: (event) => { canvas.setPointerCapture(event.pointerId); pick(event); },
    onpointermove: (event) => event.buttons && pick(event),
    onkeydown: keys,
  });
  const text = h("input", {
    id: "hex", size: "8", value: state.colour, "aria-label": "Colour as #rrggbb", spellcheck: "false",
    onkeydown: (event) => { if (event.key === "Enter") { event.stopPropagation(); text.blur(); } },
    onchange: () => { if (/^#[0-9a-f]{6}$/i.test(text.value)) setColour(text.value.toLowerCase()); else text.value = state.colour; },
  });
  const box = h("div", { class: "picker" }, canvas,
    h("div", { class: "column" },
      h("label", {}, "asked ", text),
      h("div", { id: "asked", class: "swatch large", role: "img" }),
      h("div", { class: "quiet" }, "given"),
      h("div", { id: "given", class: "row" }),
      h("label", { class: "quiet" }, "shown for the ",
        h("select", { onchange: (event) => { level = Number(event.target.value); draw(); } },
          LEVELS.map((name, n) => h("option", { value: n, selected: n === level }, name))))));
  queueMicrotask(draw);
  return box;
}

function canvas() {
  return $("#disc");
}

function pick(event) {
  const box = canvas().getBoundingClientRect();
  at((event.clientX - box.left) / box.width * SIDE, (event.clientY - box.top) / box.height * SIDE);
}

// Chooses the colour at a place of the picture, or the nearest one towards the middle that can be carried.
function at(x, y) {
  if (!disc) return;
  const middle = SIDE / 2;
  for (let part = 1; part > 0; part -= 0.02) {
    const [column, row] = [middle + (x - middle) * part, middle + (y - middle) * part].map((value) => Math.min(SIDE - 1, Math.max(0, Math.round(value))));
    const start = 4 * (row * SIDE + column);
    if (disc.data[start + 3] === 0) continue;
    const rgb = [...disc.data.slice(start, start + 3)];
    setColour("#" + rgb.map((value) => value.toString(16).padStart(2, "0")).join(""));
    return;
  }
}

function keys(event) {
  const step = event.shiftKey ? 15 : 3;
  const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
  if (!move) return;
  event.preventDefault();
  event.stopPropagation();
  at((ab[0] / reach + 1) * SIDE / 2 + move[0], (1 - ab[1] / reach) * SIDE / 2 + move[1]);
}

async function draw() {
  const key = String(lumas[level]);
  if (shown !== key || !disc) {
    const answer = await fetch(`/api/picker/${lumas[level]}.png`);
    if (!answer.ok) return;
    reach = Number(answer.headers.get("x-reach"));
    const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    const canvas = new OffscreenCanvas(SIDE, SIDE), context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    disc = context.getImageData(0, 0, SIDE, SIDE);
    disc.canvas = canvas;
    shown = key;
  }
  tellColour();
}

// Draws the choice, and what is given for it.
export async function tellColour() {
  const place = canvas();
  if (!place || !disc) return;
  const colour = state.colour, request = `${colour} ${lumas}`;
  if (asked !== request) {
    asked = request;
    const told = await post("/api/given", { colour, lumas }).catch(() => null);
    if (!told || asked !== request) return;
    ab = told.ab;
    granted = told.given;
  }
  $("#given")?.replaceChildren(...granted.map((given, n) =>
    h("span", { class: "swatch", role: "img", title: `${LEVELS[n]}: ${given}`, "aria-label": `${LEVELS[n]}: ${given}`, style: { background: given } })));
  const context = place.getContext("2d");
  context.clearRect(0, 0, SIDE, SIDE);
  context.drawImage(disc.canvas, 0, 0);
  context.fillStyle = "rgba(0,0,0,.55)"; // neutral
  context.fillRect(SIDE / 2 - 5, SIDE / 2 - 0.5, 10, 1);
  context.fillRect(SIDE / 2 - 0.5, SIDE / 2 - 5, 1, 10);
  const [x, y] = [(ab[0] / reach + 1) * SIDE / 2, (1 - ab[1] / reach) * SIDE / 2];
  for (const [width, ink] of [[4, "#000"], [2, "#fff"]]) {
    context.lineWidth = width;
    context.strokeStyle = ink;
    context.beginPath();
    context.arc(x, y, 6, 0, 7);
    context.stroke();
  }
  if ($("#asked")) {
    $("#asked").style.background = colour;
    $("#asked").setAttribute("aria-label", `asked: ${colour}`);
  }
  if ($("#hex") && document.activeElement !== $("#hex")) $("#hex").value = colour;
}
