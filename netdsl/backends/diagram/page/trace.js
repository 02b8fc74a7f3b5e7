// What a cell of a map sees: followed back through every layer, as runs of cells along each axis.
// A box is a list of runs [[first, last], ...] for each axis; several boxes make a field.

const MOST_BOXES = 64; // of one value; more are taken together, and the field is then at most that

// Runs in order, those that touch as one.
function joinedRuns(runs) {
  const sorted = [...runs].sort((one, other) => one[0] - other[0]);
  const joined = [];
  for (const [first, last] of sorted) {
    const before = joined[joined.length - 1];
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else joined.push([first, last]);
  }
  return joined;
}

// Cells that cells in some runs of a result of `result` read along an axis of `size`.
function readRuns(rule, runs, size, result) {
  if (rule === "all") return [[0, size - 1]];
  if (rule === "same") { // but for cells that were added behind the map
    return runs.filter(([first]) => first < size).map(([first, last]) => [first, Math.min(last, size - 1)]);
  }
  if (rule === "bins") {
    return joinedRuns(runs.map(([first, last]) => [Math.floor(first * size / result), Math.ceil((last + 1) * size / result) - 1]));
  }
  const [length, lengthOver, stride, strideOver, start, startOver, dilation] = rule;
  const read = [];
  const put = (first, last) => {
    if (last >= 0 && first < size) read.push([Math.max(first, 0), Math.min(last, size - 1)]);
  };
  for (const [from, until] of runs) for (let i = from; i <= until; i++) {
    // start + i * stride, over a common divisor, so that all is whole numbers
    const over = startOver * strideOver * lengthOver;
    const low = start * strideOver * lengthOver + i * stride * startOver * lengthOver;
    const first = Math.ceil(low / over);
    const last = Math.floor((low + length * startOver * strideOver) / over) - 1;
    if (dilation === 1) put(first, last);
    else for (let cell = first; cell <= last; cell += dilation) put(cell, cell);
  }
  return joinedRuns(read);
}

const within = (inner, outer) => inner.every(([a, b]) => outer.some(([c, d]) => c <= a && b <= d));
const boxWithin = (one, other) => one.every((runs, axis) => within(runs, other[axis]));

// The field of cells of a value: { boxes by value, whether it is exact }.
function traceBack(network, value, box) {
  const {nodes, ways} = network.data;
  const fields = new Map([[value, [box]]]);
  let isExact = true;
  const add = (into, piece) => {
    const boxes = fields.get(into) || [];
    if (boxes.some(other => boxWithin(piece, other))) return;
    const kept = boxes.filter(other => !boxWithin(other, piece));
    kept.push(piece);
    if (kept.length > MOST_BOXES) {
      isExact = false;
      fields.set(into, [hullOf(kept)]);
    } else fields.set(into, kept);
  };
  for (let at = nodes.length - 1; at >= 0; at--) {
    const [outputs, reads] = nodes[at];
    for (const output of outputs) for (const own of fields.get(output) || []) {
      const result = network.shape(output).map(Number);
      for (const [input, number] of reads) {
        const {rules, exact} = ways[number];
        const sizes = network.shape(input).map(Number);
        const piece = rules.map((rule, axis) => readRuns(rule, own[axis] || [], sizes[axis], result[axis]));
        if (!exact) isExact = false;
        if (piece.every(runs => runs.length)) add(input, piece);
      }
    }
  }
  return {fields, isExact};
}

function hullOf(boxes) {
  return boxes[0].map((_, axis) => {
    const ends = boxes.flatMap(box => box[axis]);
    return [[Math.min(...ends.map(run => run[0])), Math.max(...ends.map(run => run[1]))]];
  });
}

// The box of one cell of a map, with all its channels; of a value that is no map, of all of it.
function cellBox(network, value, index) {
  const shape = network.shape(value).map(Number), channel = network.channelAxis(value);
  let place = 0;
  return shape.map((size, axis) => {
    if (axis === channel || !isMap(network, value)) return [[0, size - 1]];
    const at = Math.min(Math.max(index[place++], 0), size - 1);
    return [[at, at]];
  });
}

// Whether single cells of it can be chosen: channels first, then one to three axes.
function isMap(network, value) {
  const rank = network.shape(value).length;
  return network.channelAxis(value) === 0 && rank > 1 && rank < 5;
}

const countRuns = runs => runs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
