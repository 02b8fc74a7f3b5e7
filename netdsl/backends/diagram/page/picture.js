// A neuron that is pointed at is left alone with its links.

const svg = document.querySelector("svg");
const all = (name) => [...svg.querySelectorAll("." + name)];
function ask(neuron) {
  svg.classList.toggle("asked", !!neuron);
  for (const part of [...all("link"), ...all("neuron")]) part.classList.remove("shown");
  if (!neuron) return;
  const near = new Set([neuron.dataset.neuron]);
  for (const link of all("link")) {
    const ends = [link.dataset.from, link.dataset.to];
    if (!ends.includes(neuron.dataset.neuron)) continue;
    link.classList.add("shown");
    ends.forEach((end) => near.add(end));
  }
  for (const other of all("neuron").filter((n) => near.has(n.dataset.neuron))) {
    other.classList.add("shown");
  }
}
if (all("neuron").length) svg.setAttribute("role", "group");
for (const neuron of all("neuron").filter((n) => n.dataset.neuron)) {
  neuron.setAttribute("tabindex", "0");
  neuron.addEventListener("mouseenter", () => ask(neuron));
  neuron.addEventListener("mouseleave", () => ask(null));
  neuron.addEventListener("focus", () => ask(neuron));
  neuron.addEventListener("blur", () => ask(null));
}
