// Finding units by anything that is printed of them.

// Small letters, one space, and one sign for "by": `3x3`, `3 X 3` and `3×3` are the same.
function plainText(text) {
  return text.toLowerCase().replace(/(\d)\s*[x×*]\s*(?=\d)/g, "$1×").replace(/(\d),(?=\d{3})/g, "$1").replace(/[\s_]+/g, " ").trim();
}

function printedTexts(network, unit) {
  const shapes = [unit.takes || [], unit.gives || []].flatMap(values =>
    [...values.map(value => network.shapeText(value)), ...shapesOf(network, values)]);
  const costs = ["params", "macs", "bytes"].flatMap(what => costOf(network, unit, what));
  return [unit.path, unit.title, ...network.lines(unit), unit.what, unit.words || "", unit.doc || "", unit.source || "", ...shapes, ...costs];
}

// Numbers of the units that print the words: as they stand, or else each of the words somewhere.
function findUnits(network, words) {
  const wanted = plainText(words);
  if (!wanted) return [];
  const texts = network.units.map(unit => printedTexts(network, unit).map(plainText));
  const hasAll = (own, parts) => parts.every(part => own.some(text => text.includes(part)));
  const numbers = network.units.map((_, number) => number);
  const whole = numbers.filter(number => hasAll(texts[number], [wanted]));
  return whole.length ? whole : numbers.filter(number => hasAll(texts[number], wanted.split(" ")));
}
