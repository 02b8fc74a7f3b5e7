// The layout: units in columns by their order, a lane for every tensor that passes a column, rows
// joined around the boxes. Lengths are `along` the direction of flow and `across` it.

const COLUMN_GAP = 34; // between columns, beside the room for shapes
const LANE = 14; // across, of a tensor that passes by
const BOX_GAP = 16; // across, between boxes
const PORT_GAP = 17; // between tensors that enter or leave a box
const TRACK = 9; // between wires that run around rows
const ROW_GAP = 22;
const MARGINS = 40; // along, for what runs around the rows
const PAD = 14; // of an open block
const CORNER = 7; // radius of the corners of wires
const SWEEPS = 4;
const MOST_ATTEMPTS = 5; // to cut rows that fit

// Items of a column at the places nearest to those they wish for, in order and apart: of blocks
// of items that touch, each as a whole stands where its items wish on average.
function settled(items) {
  const blocks = [];
  let offset = 0;
  items.forEach((item, at) => {
    if (at) offset += (items[at - 1].across + item.across) / 2 + apart(items[at - 1], item);
    item.offset = offset;
    blocks.push({items: [item], weight: item.weight, sum: (item.wish - offset) * item.weight});
    for (let k = blocks.length - 1; k > 0 && mean(blocks[k - 1]) > mean(blocks[k]); k--) {
      const [first, second] = blocks.splice(k - 1, 2);
      blocks.splice(k - 1, 0, {
        items: [...first.items, ...second.items],
        weight: first.weight + second.weight, sum: first.sum + second.sum,
      });
    }
  });
  for (const block of blocks) for (const item of block.items) item.at = mean(block) + item.offset;
}

const mean = block => block.sum / block.weight;
const apart = (one, other) => (one.id === null && other.id === null ? 0 : one.id === null || other.id === null ? 4 : BOX_GAP);

// One row: `nets` are tensors, each with what makes it (null: it comes in from before the row),
// its readers in the row, and whether it leaves at the end.
class RowLayout {
  constructor(ids, nets, boxes, labelRoom) {
    this.boxes = boxes;
    this.nets = nets;
    this.rank = this.ranks(ids, nets);
    this.count = Math.max(-1, ...this.rank.values()) + 1;
    this.columns = Array.from({length: this.count + 2}, () => []); // first: what enters, last: leaves
    this.boxItems = new Map();
    for (const id of ids) {
      const box = boxes.get(id);
      const item = {id, across: box.across, along: box.along, weight: 1, wish: 0, links: [[], []]};
      this.boxItems.set(id, item);
      this.columns[this.rank.get(id) + 1].push(item);
    }
    this.links = [];
    for (const net of nets) this.laid(net);
    this.order();
    this.place();
    this.measure(labelRoom);
  }

  ranks(ids, nets) {
    const rank = new Map(ids.map(id => [id, 0]));
    const into = new Map();
    for (const net of nets) for (const reader of net.readers) {
      if (net.from !== null) into.set(reader.to, [...(into.get(reader.to) || []), net.from]);
    }
    for (const id of ids) for (const from of into.get(id) || []) {
      rank.set(id, Math.max(rank.get(id), rank.get(from) + 1));
    }
    for (const net of nets) { // what reads nothing stands beside what reads it
      if (net.from === null || into.has(net.from) || nets.some(n => n.readers.some(r => r.to === net.from))) continue;
      const first = Math.min(...net.readers.map(reader => rank.get(reader.to)));
      if (first < Infinity && first > 0) rank.set(net.from, Math.max(rank.get(net.from), first - 1));
    }
    return rank;
  }

  // The lanes of a tensor, and its links from column to column.
  laid(net) {
    const start = net.from === null ? -1 : this.rank.get(net.from);
    const last = Math.max(...net.readers.map(reader => this.rank.get(reader.to)), net.leaves ? this.count : -1);
    let at = net.from === null ? this.lane(net, -1) : this.boxItems.get(net.from);
    if (net.from === null) net.left = at;
    for (let rank = start + 1; rank <= last; rank++) {
      for (const reader of net.readers) if (this.rank.get(reader.to) === rank) {
        this.link(net, at, this.boxItems.get(reader.to), reader);
      }
      if (rank === last && !(net.leaves && rank === this.count)) break;
      const lane = this.lane(net, rank);
      const behind = net.readers.filter(reader => this.rank.get(reader.to) > rank);
      this.link(net, at, lane, null, behind);
      at = lane;
    }
    if (net.leaves) net.right = at;
  }

  lane(net, rank) {
    const lane = {id: null, net, across: LANE, along: 0, weight: 1, wish: 0, links: [[], []]};
    this.columns[rank + 1].push(lane);
    return lane;
  }

  link(net, a, b, reader, behind = []) {
    const later = net.leaves ? readersOf(net.net).filter(r => !net.readers.includes(r)) : [];
    const link = {net, a, b, reader,
      mark: reader ? reader.mark : markOf([...behind, ...later]),
      aOff: a.id === null ? 0 : this.boxes.get(a.id).exit(net.value),
      bOff: b.id === null ? 0 : this.boxes.get(b.id).entry(net.value, reader.port),
      pull: a.id === null && b.id === null ? 8 : a.id === null || b.id === null ? 3 : 2};
    a.links[1].push(link);
    b.links[0].push(link);
    this.links.push(link);
  }

  order() {
    const placed = column => column.forEach((item, at) => { item.order = at; });
    this.columns.forEach(placed);
    const sort = (column, side) => {
      for (const item of column) {
        const links = item.links[side];
        const sum = links.reduce((total, link) => total + orderOf(link, side), 0);
        item.key = links.length ? sum / links.length : item.order;
      }
      column.sort((one, other) => one.key - other.key || one.order - other.order);
      placed(column);
    };
    const orderOf = (link, side) => side ? link.b.order + link.bOff / 1e4 : link.a.order + link.aOff / 1e4;
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      this.columns.slice(1).forEach(column => sort(column, 0));
      if (sweep < SWEEPS - 1) [...this.columns].reverse().slice(1).forEach(column => sort(column, 1));
    }
  }

  place() {
    for (const column of this.columns) settled(column);
    const wish = (column, sides) => {
      for (const item of column) {
        let sum = 0, weight = 0;
        for (const side of sides) for (const link of item.links[side]) {
          const [other, offset] = side ? [link.b, link.bOff - link.aOff] : [link.a, link.aOff - link.bOff];
          sum += (other.at + offset) * link.pull;
          weight += link.pull;
        }
        item.wish = weight ? sum / weight : item.at;
        item.weight = weight || 0.1;
      }
      settled(column);
    };
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      this.columns.forEach((column, at) => at && wish(column, [0]));
      [...this.columns].reverse().forEach((column, at) => at && wish(column, [1]));
    }
    this.columns.forEach(column => wish(column, [0, 1]));
    const tops = this.columns.flat().map(item => item.at - item.across / 2);
    const top = tops.length ? Math.min(...tops) : 0;
    for (const item of this.columns.flat()) item.at -= top;
    this.across = Math.max(0, ...this.columns.flat().map(item => item.at + item.across / 2));
  }

  // Where each column begins along the row, and the room behind it: shapes, then curves.
  measure(labelRoom) {
    let at = 0;
    this.starts = [];
    this.ends = [];
    this.bends = []; // where the links behind a column begin to bend
    this.columns.forEach((column, number) => {
      const along = Math.max(0, ...column.map(item => item.along));
      this.starts.push(at);
      this.ends.push(at + along);
      const isEnd = number === 0 || number >= this.columns.length - 1;
      const labels = column.flatMap(item => item.id === null ? [] : item.links[1].map(link => labelRoom(link.net)));
      const label = Math.max(0, ...labels);
      this.bends.push(at + along + label);
      const links = this.columns[number].flatMap(item => item.links[1]);
      const bent = links.filter(link => Math.abs(link.a.at + link.aOff - link.b.at - link.bOff) > 1).length;
      const gap = number === this.columns.length - 1 ? 0 : isEnd && !bent ? 10 : Math.min(COLUMN_GAP + 2 * bent, 60);
      at += along + label + gap;
    });
    this.along = at;
    this.columns.forEach((column, number) => column.forEach(item => {
      const middle = (this.starts[number] + this.ends[number] - item.along) / 2;
      item.start = item.id === null ? this.starts[number] : middle;
      item.column = number;
    }));
  }

  // [start, across there, where it bends, until where, end, across there], and the tensor.
  paths() {
    return this.links.map(link => {
      const {a, b} = link;
      return {
        net: link.net, mark: link.mark, reader: link.reader,
        points: [a.id === null ? a.start : a.start + a.along, a.at + link.aOff,
          this.bends[a.column], this.starts[b.column], b.start, b.at + link.bOff],
      };
    });
  }
}

// The tensors of a block as nets: what makes each, its readers, whether it leaves the block; and
// its `parts` in the rows, as they are laid.
function netsOf(wires) {
  const nets = new Map();
  for (const [from, to, value, port, mark = ""] of wires) {
    if (!nets.has(value)) nets.set(value, {from: from < 0 ? null : from, value, readers: [], isExit: false, parts: new Map()});
    if (to < 0) nets.get(value).isExit = true;
    else nets.get(value).readers.push({to, port, mark});
  }
  return [...nets.values()];
}

// All that reads a tensor; what is outside of the block has no mark here.
const readersOf = net => (net.isExit ? [...net.readers, {mark: ""}] : net.readers);

// The mark of a wire to some readers: theirs, where it is the same; those of a size only do not count.
function markOf(readers) {
  const marks = new Set(readers.map(reader => reader.mark));
  if (marks.size > 1) marks.delete("size");
  return marks.size === 1 ? [...marks][0] : "";
}

// The layout of a block's inside (or of the whole network): boxes, curves and runs of lines, and
// where tensors come in and go out, all in its own coordinates.
function arrangeRows(ids, wires, boxes, room, labelRoom) {
  const labels = new Map();
  for (const [from, , value] of wires) {
    if (from >= 0) labels.set(from, Math.max(labels.get(from) || 0, labelRoom({from, value})));
  }
  const lengthOf = id => boxes.get(id).along + (labels.get(id) || 0) + COLUMN_GAP + 4;
  // what several branches need beside each other shows only once they are laid: then cut shorter
  let least = null;
  for (let attempt = 0, tried = room - MARGINS; attempt < MOST_ATTEMPTS; attempt++) {
    const result = laidOut(cutRows(ids, wires, boxes, tried, lengthOf), wires, boxes, labelRoom);
    if (!least || result.ofMany < least.ofMany) least = result;
    if (result.ofMany <= room) break;
    tried -= Math.max(result.ofMany - room, tried * 0.05);
  }
  return least;
}

// The same for rows that are given.
function laidOut(rows, wires, boxes, labelRoom) {
  const rowOf = new Map(rows.flatMap((row, number) => row.map(id => [id, number])));
  const nets = netsOf(wires);
  const perRow = rows.map(() => []);
  for (const net of nets) {
    const home = net.from === null ? -1 : rowOf.get(net.from);
    const targets = new Set(net.readers.map(reader => rowOf.get(reader.to)));
    if (home >= 0) targets.add(home);
    if (home < 0 && net.isExit && !targets.size) targets.add(0);
    for (const row of [...targets].sort((a, b) => a - b)) {
      const readers = net.readers.filter(reader => rowOf.get(reader.to) === row);
      const leaves = (row === home && (net.isExit || [...targets].some(other => other > row))) ||
        (home < 0 && net.isExit && row === Math.min(...targets));
      if (!readers.length && !leaves) continue;
      const isHere = row === home;
      const part = {from: isHere ? net.from : null, value: net.value, readers, leaves, net};
      perRow[row].push(part);
      net.parts.set(row, part);
    }
  }
  const laid = rows.map((row, number) => new RowLayout(row, perRow[number], boxes, labelRoom));
  const result = stacked(laid, perRow, nets, rowOf);
  const around = result.along - Math.max(0, ...laid.map(row => row.along));
  const many = laid.filter((_, number) => rows[number].length > 1);
  result.ofMany = around + Math.max(0, ...many.map(row => row.along)); // a row of one can't be cut
  return result;
}

// Rows below each other, and what leads from one to a later one: out at the right, down, back to
// the left between two rows, down, and in.
function stacked(laid, perRow, nets, rowOf) {
  const jumps = [];
  for (const net of nets) {
    const home = net.from === null ? -1 : rowOf.get(net.from);
    const first = net.parts.keys().next().value;
    for (const [row, part] of net.parts) {
      if (row === home || !part.left) continue;
      if (home < 0 && row === first) continue; // comes in from outside just there
      jumps.push({net, home: home < 0 ? first : home, row, isOutside: home < 0, part});
    }
  }
  const gaps = laid.map(() => 0);
  const goesDown = new Map(); // where each tensor runs at the right: from its row to the last it enters
  for (const jump of jumps) {
    if (jump.isOutside) continue;
    jump.gap = gaps[jump.row]++;
    goesDown.set(jump.net, [jump.home, Math.max(jump.row - 1, (goesDown.get(jump.net) || [0, 0])[1])]);
  }
  const rights = tracks([...goesDown].map(([net, rows]) => ({key: net, rows})));
  const lefts = tracks(jumps.map(jump => ({key: jump, rows: jump.isOutside ? [jump.home, jump.row] : [jump.row - 0.5, jump.row]})));
  const leftRoom = lefts.count ? lefts.count * TRACK + 12 : 0;
  const tops = [];
  let top = 0;
  laid.forEach((row, number) => {
    if (number) top += ROW_GAP + gaps[number] * TRACK;
    tops.push(top);
    top += row.across;
  });
  const longest = Math.max(0, ...laid.map(row => row.along));
  const along = leftRoom + longest + (rights.count ? rights.count * TRACK + 12 : 0);
  const result = {along, across: top, boxes: [], paths: [], runs: [], entries: new Map(), exits: new Map()};
  laid.forEach((row, number) => {
    for (const [id, item] of row.boxItems) {
      result.boxes.push({id, along: leftRoom + item.start, across: tops[number] + item.at - item.across / 2});
    }
    for (const path of row.paths()) {
      const [s, sv, bend, until, e, ev] = path.points;
      result.paths.push({value: path.net.value, mark: path.mark, reader: path.reader, from: path.net.from,
        points: [s + leftRoom, sv + tops[number], bend + leftRoom, until + leftRoom, e + leftRoom, ev + tops[number]]});
    }
    for (const part of perRow[number]) {
      const {net} = part, at = lane => tops[number] + lane.at;
      if (net.from === null && part.left && !result.entries.has(net.value)) {
        result.entries.set(net.value, at(part.left));
        result.runs.push({value: net.value, mark: markOf(readersOf(net)), points: [[0, at(part.left)], [leftRoom, at(part.left)]]});
      }
      if (net.isExit && part.right && !result.exits.has(net.value)) {
        result.exits.set(net.value, at(part.right));
        result.runs.push({value: net.value, points: [[leftRoom + row.along, at(part.right)], [along, at(part.right)]]});
      }
    }
  });
  const begun = new Set();
  for (const jump of jumps) {
    const {net, home, row, isOutside, gap, part} = jump;
    const leftAt = 6 + lefts.of.get(jump) * TRACK, end = tops[row] + part.left.at;
    const source = net.parts.get(home);
    const run = [];
    if (isOutside) run.push([leftAt, result.entries.get(net.value)]);
    else {
      const rightAt = leftRoom + longest + 6 + rights.of.get(net) * TRACK;
      const between = tops[row] - ROW_GAP / 2 - gap * TRACK;
      if (!begun.has(net)) run.push([leftRoom + laid[home].along, tops[home] + source.right.at]);
      run.push([rightAt, tops[home] + source.right.at + (begun.has(net) ? CORNER : 0)], [rightAt, between], [leftAt, between]);
      begun.add(net);
    }
    result.runs.push({value: net.value, mark: markOf(part.readers), points: [...run, [leftAt, end], [leftRoom, end]]});
  }
  return result;
}

// Which track each run takes, so that those of the same rows lie beside each other.
function tracks(runs) {
  const ends = [], of = new Map();
  for (const {key, rows: [first, last]} of [...runs].sort((a, b) => a.rows[0] - b.rows[0])) {
    const free = ends.findIndex(end => end < first);
    const track = free < 0 ? ends.length : free;
    ends[track] = last;
    of.set(key, track);
  }
  return {of, count: ends.length};
}

// A whole network with some blocks open: `sizeOf(number, inner)` measures a box, or the frame
// around an inside, in real width and height.
class Arrangement {
  constructor(network, open, {sizeOf, labelOf, room, isDown}) {
    Object.assign(this, {network, open, sizeOf, labelOf, isDown});
    this.whole = this.inside(network.data.root, network.data.wires, isDown ? Infinity : room);
  }

  inside(ids, wires, room) {
    const ports = new Map(ids.map(id => [id, {entries: new Set(), exits: new Set()}]));
    for (const [from, to, value, port] of wires) {
      if (to >= 0) ports.get(to).entries.add(this.network.units[to].form === "strip" ? port : value);
      if (from >= 0) ports.get(from).exits.add(value);
    }
    const boxes = new Map(ids.map(id => [id, this.box(id, ports.get(id), room)]));
    const labelRoom = net => {
      const label = net.from !== null && !this.isOpen(net.from) ? this.labelOf(net.value) : 0;
      return label ? (this.isDown ? 18 : label + 18) : 0;
    };
    const result = arrangeRows(ids, wires, boxes, room, labelRoom);
    for (const box of result.boxes) Object.assign(box, {own: boxes.get(box.id)});
    return result;
  }

  isOpen(number) {
    return this.open.has(number) && this.network.isBlock(number);
  }

  box(number, ports, room) {
    const unit = this.network.units[number];
    const value = (unit.gives || [])[0];
    const stage = value === undefined ? "" : this.network.shape(value).slice(1).join("×");
    if (this.isOpen(number)) return {...this.frame(unit, number, room), stage};
    let {width, height} = this.sizeOf(number, null);
    const ends = unit.form === "circle" || unit.form === "strip" ? 0 : PORT_GAP * (Math.max(ports.entries.size, ports.exits.size) + 1);
    const widest = ports.exits.size > 1 ? Math.max(...[...ports.exits].map(v => this.labelOf(v))) + 12 : 0;
    if (this.isDown) width = Math.max(width, ends, widest * (ports.exits.size + 1));
    else height = Math.max(height, ends);
    const label = this.isDown && value !== undefined ? 2 * this.labelOf(value) + 16 : 0;
    const [along, across] = this.isDown ? [height, Math.max(width, label)] : [width, height];
    const extent = this.isDown ? width : height;
    const [entries, exits] = [[...ports.entries], [...ports.exits]];
    const spread = (list, item) => list.length < 2 || unit.form === "circle" ? 0 :
      extent * ((list.indexOf(item) + 1) / (list.length + 1) - 0.5);
    return {
      along, across, width, height, stage, inner: null,
      entry: (v, port) => unit.form === "strip" ? stripPort(unit.cut, port, extent) : spread(entries, v),
      exit: v => spread(exits, v),
    };
  }

  frame(unit, number, room) {
    const inner = this.inside(unit.parts, unit.wires, room - 2 * PAD);
    const [innerWidth, innerHeight] = this.isDown ? [inner.across, inner.along] : [inner.along, inner.across];
    const {width: head, height: title} = this.sizeOf(number, inner);
    const width = Math.max(innerWidth + 2 * PAD, head), height = innerHeight + title + 2 * PAD;
    const before = this.isDown ? (width - innerWidth) / 2 : title + PAD; // across, to the inside
    const [along, across] = this.isDown ? [height, width] : [width, height];
    return {
      along, across, width, height, inner, before, ahead: this.isDown ? title + PAD : PAD,
      entry: v => before + (inner.entries.get(v) ?? inner.across / 2) - across / 2,
      exit: v => before + (inner.exits.get(v) ?? inner.across / 2) - across / 2,
    };
  }

  // All that is drawn, at its place on the page.
  scene() {
    const scene = {units: [], wires: [], labels: [], width: 0, height: 0};
    this.collect(this.whole, 0, 0, -1, scene);
    [scene.width, scene.height] = this.isDown ? [this.whole.across, this.whole.along] : [this.whole.along, this.whole.across];
    return scene;
  }

  collect(inside, along, across, parent, scene) {
    const at = (u, v) => (this.isDown ? [across + v, along + u] : [along + u, across + v]);
    const line = points => polyline(points.map(([u, v]) => at(u, v)));
    const labelled = new Set();
    for (const {id, along: u, across: v, own} of inside.boxes) {
      const shift = this.isDown && !own.inner ? (own.across - own.width) / 2 : 0;
      const [x, y] = at(u, v + shift);
      scene.units.push({id, x, y, width: own.width, height: own.height, isOpen: !!own.inner, parent});
      if (own.inner) this.collect(own.inner, along + u + own.ahead, across + v + own.before, id, scene);
    }
    inside.paths.forEach((path, number) => {
      const [s, sv, bend, until, e, ev] = path.points, middle = (bend + until) / 2;
      const curve = Math.abs(sv - ev) < 0.5 ? line([[s, sv], [e, ev]]) :
        `${line([[s, sv], [bend, sv]])}C${[[middle, sv], [middle, ev], [until, ev]].map(([u, v]) => at(u, v).map(plainNumber).join(" ")).join(",")}${line([[until, ev], [e, ev]]).replace("M", "L")}`;
      scene.wires.push({key: `${parent}.${path.value}.${number}`, value: path.value, mark: path.mark, path: curve,
        to: path.reader ? path.reader.to : null, from: path.from, isArrow: !!path.reader && !this.isOpen(path.reader.to)});
      if (path.from !== null && !this.isOpen(path.from) && !labelled.has(path.value)) {
        labelled.add(path.value);
        const [x, y] = at(s, sv);
        const shift = !this.isDown && this.network.units[path.from].count > 1 ? 14 : 5; // beside cards
        scene.labels.push({key: `${parent}.${path.value}`, value: path.value, x: x + shift, y: y + (this.isDown ? 13 : -5)});
      }
    });
    inside.runs.forEach((run, number) => {
      scene.wires.push({key: `${parent}.${run.value}.r${number}`, value: run.value, mark: run.mark || "", path: line(run.points), to: null, from: null, isArrow: false});
    });
    if (parent >= 0) this.edges(inside, along, across, parent, scene, line);
  }

  // From the edge of an open block to its inside, and from there to its other edge.
  edges(inside, along, across, parent, scene, line) {
    const own = scene.units.find(unit => unit.id === parent);
    const ends = this.isDown ? [own.y - along, own.y + own.height - along] : [own.x - along, own.x + own.width - along];
    for (const [value, v] of inside.entries) {
      scene.wires.push({key: `${parent}.${value}.in`, value, mark: inside.runs.find(run => run.value === value)?.mark || "", path: line([[ends[0], v], [0, v]]), to: null, from: null, isArrow: false});
    }
    for (const [value, v] of inside.exits) {
      scene.wires.push({key: `${parent}.${value}.out`, value, mark: "", path: line([[inside.along, v], [ends[1], v]]), to: null, from: null, isArrow: false});
    }
  }
}

const plainNumber = number => Math.round(number * 10) / 10;

// A line through points whose corners are round.
function polyline(points) {
  const text = point => point.map(plainNumber).join(" ");
  let path = `M${text(points[0])}`;
  for (let at = 1; at < points.length; at++) {
    const [before, here, after] = [points[at - 1], points[at], points[at + 1]];
    const towards = (to, length) => here.map((n, axis) => n + (to[axis] - n) * Math.min(length / (Math.hypot(to[0] - here[0], to[1] - here[1]) || 1), 0.5));
    path += after ? `L${text(towards(before, CORNER))}Q${text(here)},${text(towards(after, CORNER))}` : `L${text(here)}`;
  }
  return path;
}

function stripPort(cut, port, extent) {
  const total = cut.reduce((sum, part) => sum + part, 0);
  const before = cut.slice(0, port).reduce((sum, part) => sum + part, 0);
  return extent * ((before + cut[port] / 2) / total - 0.5);
}
