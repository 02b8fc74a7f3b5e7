// A slider and a field for every size symbol.

const LARGEST_SIZE = 100000;

// A field calls `set` with what is typed where that is a number that it takes, and goes back to the
// number `inUse` when it is left: what stands in it is what the drawing shows.
function wholeNumber(field, set, inUse) {
  field.title = `a whole number from ${commas(field.min)} to ${commas(field.max)}`;
  field.oninput = () => field.value && field.validity.valid && set(field.value);
  field.onblur = field.onchange = () => { field.value = inUse(); };
}

function sizeForm(form, network, changed) {
  const {symbols} = network.data.contract;
  form.hidden = !symbols.length;
  for (const symbol of symbols) {
    const start = network.sizes[symbol];
    const most = Math.max(512, 2 * start);
    const slider = html("input", {type: "range", min: 1, max: most, step: 1, value: start, "data-size": symbol, "aria-label": `${symbol}, by slider`});
    const field = html("input", {type: "number", min: 1, max: LARGEST_SIZE, step: 1, value: start, "data-size": symbol, "aria-label": symbol});
    const set = text => {
      slider.value = text;
      if (document.activeElement !== field) field.value = text;
      changed({...network.sizes, [symbol]: Number(text)});
    };
    slider.oninput = () => set(slider.value);
    wholeNumber(field, set, () => network.sizes[symbol]);
    form.append(html("label", {}, html("b", {}, symbol), slider, field));
  }
  form.append(html("span", {class: "words"}, `takes ${network.data.contract.words}`));
  form.onsubmit = () => false;
}
