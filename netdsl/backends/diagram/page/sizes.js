// A slider and a field for every size symbol.

const LARGEST_SIZE = 100000;

function sizeForm(form, network, changed) {
  const {symbols} = network.data.contract;
  form.hidden = !symbols.length;
  for (const symbol of symbols) {
    const start = network.sizes[symbol];
    const most = Math.max(512, 2 * start);
    const slider = html("input", {type: "range", min: 1, max: most, step: 1, value: start, "data-size": symbol, "aria-label": `${symbol}, by slider`});
    const field = html("input", {type: "number", min: 1, max: LARGEST_SIZE, step: 1, value: start, "data-size": symbol, "aria-label": symbol});
    const set = text => {
      const number = Math.min(Math.max(Math.floor(Number(text)) || 1, 1), LARGEST_SIZE);
      slider.value = number;
      if (document.activeElement !== field) field.value = number;
      changed({...network.sizes, [symbol]: number});
    };
    slider.oninput = () => set(slider.value);
    field.oninput = () => field.value && set(field.value);
    form.append(html("label", {}, html("b", {}, symbol), slider, field));
  }
  form.append(html("span", {class: "words"}, `takes ${network.data.contract.words}`));
  form.onsubmit = () => false;
}
