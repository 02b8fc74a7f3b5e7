// Where a long sequence of units is cut into rows that fit the page.

const SHORTEST_ROW = 0.5; // of the room
const CUT_WITHIN = 0.5; // what a cut within a stage costs, beside that of tensors that cross it

// For each place between two units, how many tensors lead across it.
function crossings(ids, wires) {
  const place = new Map(ids.map((id, at) => [id, at]));
  const spans = new Map();
  for (const [from, to, value] of wires) {
    const start = place.has(from) ? place.get(from) : -1;
    const end = place.has(to) ? place.get(to) : ids.length;
    const span = spans.get(value) || [start, end];
    spans.set(value, [Math.min(span[0], start), Math.max(span[1], end)]);
  }
  const change = new Array(ids.length + 2).fill(0);
  for (const [start, end] of spans.values()) {
    change[start + 1] += 1;
    change[end + 1] -= 1;
  }
  let now = 0;
  return change.map(step => (now += step));
}

// Rows of ids; `boxes` tells which stage each belongs to, `lengthOf` its length with what follows.
function cutRows(ids, wires, boxes, room, lengthOf) {
  const crossing = crossings(ids, wires);
  const before = new Map();
  for (const [from, to] of wires) if (from >= 0 && to >= 0) {
    if (!before.has(to)) before.set(to, []);
    before.get(to).push(from);
  }
  const rows = [];
  for (let start = 0; start < ids.length;) {
    const reach = new Map(), lengths = [];
    let length = 0, end = start;
    for (; end < ids.length; end++) {
      const id = ids[end];
      const behind = Math.max(0, ...(before.get(id) || []).map(other => reach.get(other) || 0));
      reach.set(id, behind + lengthOf(id));
      length = Math.max(length, reach.get(id));
      if (length > room && end > start) break;
      lengths.push(length);
    }
    if (end < ids.length) end = bestCut(ids, boxes, crossing, start, end, lengths, room);
    rows.push(ids.slice(start, end));
    start = end;
  }
  return rows;
}

function bestCut(ids, boxes, crossing, start, last, lengths, room) {
  let best = last, least = Infinity;
  for (let end = last; end > start; end--) {
    const used = lengths[end - 1 - start] / room;
    if (used < SHORTEST_ROW && least < Infinity) break;
    const changes = boxes.get(ids[end - 1]).stage !== boxes.get(ids[end]).stage;
    const cost = crossing[end] + (changes ? 0 : CUT_WITHIN) + 2 * (1 - used) ** 2;
    if (cost < least - 1e-9) [best, least] = [end, cost];
  }
  return best;
}
