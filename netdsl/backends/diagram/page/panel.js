// What is known of the unit that is chosen, in words and numbers.

// An element of the page; texts are always only text.
function html(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element[key] = value;
    else if (value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null && child !== ""));
  return element;
}

function facts(rows) {
  const told = rows.filter(([, text]) => text).map(([term, text, formula]) => [html("dt", {}, term),
    html("dd", {}, text, formula ? html("div", {class: "formula"}, formula) : "")]);
  return html("dl", {}, ...told.flat());
}

// What stands in the panel where no unit is chosen.
function overview(network) {
  const {data} = network, total = data.total;
  return html("section", {class: "about"},
    html("h2", {}, data.name),
    facts([
      ["parameters", commas(network.exact.value(total.params))],
      ["multiply-adds", network.isRefused ? "–" : commas(network.exact.value(total.macs)), network.exact.text(total.macs)],
      ["sizes that it takes", data.contract.symbols.length ? data.contract.words : ""],
      ...Object.entries(data.usual).map(([word, tail]) => [`each ${word} includes`, tail.join(" + ")]),
      ["sizes by name", data.legend.join("; ")],
    ]),
    html("p", {class: "hint"}, "Choose a unit to read its shapes, its cost and its line, to trace what a cell sees, or to try a convolution with other settings. The triangle, Enter or a double click opens and closes a block."));
}

function told(network, number, isOpen, toggle) {
  const unit = network.units[number];
  const [takes, takesFormula] = shapesOf(network, unit.takes || []);
  const [gives, givesFormula] = shapesOf(network, unit.gives || []);
  return html("section", {class: "about"}, ...[
    html("h2", {}, unit.path + (unit.what === "output" ? " (output)" : "") + (unit.count > 1 ? `, ${unit.count} times` : "")),
    unit.parts ? html("p", {}, html("button", {type: "button", id: "toggle", onclick: toggle}, `${isOpen ? "Close" : "Open"} this block`)) : "",
    facts([
      ["what", html("code", {}, unit.what)],
      ["filters", unit.words || ""],
      ["takes", takes, takesFormula],
      ["gives", gives, givesFormula],
      ["parameters", costOf(network, unit, "params")[0]],
      ["multiply-adds", ...costOf(network, unit, "macs")],
      ["bytes of results", ...costOf(network, unit, "bytes")],
      ["runs", unit.trains ? "in training only" : ""],
      [`line ${unit.line}`, unit.source ? html("code", {}, unit.source) : ""],
      ["about it", unit.doc || ""],
    ]),
  ].filter(Boolean));
}
