// Colour by a number: of each drawn unit its share of the largest, on a scale of square roots.

const COLOURED = {
  params: "parameters", macs: "multiply-adds", bytes: "bytes of results",
  field: "cells of the input that the middle place sees",
};
const MOST_TRACED = 3e6; // layers times units

// The number of each unit; null where it is not known.
function heats(network, what, numbers) {
  if (what !== "field") return new Map(numbers.map(n => [n, network.cost(network.units[n], what)]));
  if (network.data.nodes.length * numbers.length > MOST_TRACED) return null;
  return new Map(numbers.map(n => [n, cellsSeen(network, network.units[n])]));
}

// How many cells of all inputs with maps the middle of a unit's first result sees.
function cellsSeen(network, unit) {
  const value = (unit.gives || unit.takes)[0];
  if (!network.isThere(value)) return 0n;
  const middle = network.shape(value).slice(1).map(size => Number(size / 2n));
  const {fields} = traceBack(network, value, cellBox(network, value, middle));
  let seen = 0n;
  for (const number of network.data.inputs) {
    const input = network.units[number].gives[0];
    const boxes = fields.get(input) || [];
    if (isMap(network, input)) seen += BigInt(countCells(boxes.map(box => box.slice(1))));
  }
  return seen;
}

// How many cells some boxes hold together.
function countCells(boxes) {
  if (!boxes.length) return 0;
  if (!boxes[0].length) return 1;
  if (boxes.length === 1) return boxes[0].reduce((product, runs) => product * countRuns(runs), 1);
  const cuts = [...new Set(boxes.flatMap(box => box[0].flatMap(([first, last]) => [first, last + 1])))].sort((a, b) => a - b);
  let sum = 0;
  for (let at = 0; at + 1 < cuts.length; at++) {
    const here = boxes.filter(box => box[0].some(([first, last]) => first <= cuts[at] && cuts[at] <= last));
    sum += (cuts[at + 1] - cuts[at]) * countCells(here.map(box => box.slice(1)));
  }
  return sum;
}

function paintHeats(drawing, network, what, footer) {
  const isTold = !!what && !network.isRefused;
  drawing.svg.classList.toggle("heated", isTold);
  footer.hidden = !isTold;
  if (!isTold) return;
  const numbers = [...drawing.elements.keys()];
  const found = heats(network, what, numbers);
  footer.replaceChildren();
  if (!found) {
    drawing.svg.classList.remove("heated");
    footer.append("The network has too many layers to trace each: choose a cell of one map instead.");
    return;
  }
  const known = numbers.filter(n => !drawing.elements.get(n).place.isOpen);
  const most = known.reduce((max, n) => bigMax(max, found.get(n)), 0n);
  for (const n of known) {
    const share = most > 0n ? Math.sqrt(Number(found.get(n) * 1000000n / most) / 1000000) : 0;
    drawing.element(n).style.setProperty("--share", share.toFixed(4));
  }
  const ramp = document.createElement("span");
  ramp.className = "ramp";
  ramp.setAttribute("role", "img");
  ramp.setAttribute("aria-label", `Colours from 0 to ${commas(most)}`);
  footer.append(`${COLOURED[what]}: 0`, ramp, `${commas(most)}; half the colour is a quarter of it`);
}
