// One convolution with other settings: its sizes, its links, the products of one sum.

class Lesson {
  // Lists have an entry for each axis of the map.
  constructor({kernel, stride, padding, dilation, sizes, channels, filters, groups, bias}) {
    Object.assign(this, {kernel, stride, padding, dilation, sizes, channels, filters, groups, bias});
  }

  with(changes) {
    return new Lesson({...this, ...changes});
  }

  // How far a window reaches along an axis.
  span(axis) {
    return this.dilation[axis] * (this.kernel[axis] - 1) + 1;
  }

  // Why no window fits; empty where one does.
  refusal() {
    for (let axis = 0; axis < this.sizes.length; axis++) {
      const padded = this.sizes[axis] + 2 * this.padding[axis];
      if (padded < this.span(axis)) {
        return `the window spans ${this.span(axis)} cells, and the padded ${this.axisName(axis)} is ${padded}`;
      }
    }
    return "";
  }

  axisName(axis) {
    return this.sizes.length === 1 ? "length" : ["height", "width"][axis];
  }

  size(axis) {
    return Math.floor((this.sizes[axis] + 2 * this.padding[axis] - this.span(axis)) / this.stride[axis]) + 1;
  }

  formula(axis) {
    const [k, s, p, d] = [this.kernel, this.stride, this.padding, this.dilation].map(list => list[axis]);
    const span = d === 1 ? k : `(${d}*(${k} - 1) + 1)`;
    return `floor((${this.sizes[axis]} + 2*${p} - ${span})/${s}) + 1 = ${this.size(axis)}`;
  }

  get result() {
    return this.sizes.map((_, axis) => this.size(axis));
  }

  get planes() {
    return this.channels / this.groups;
  }

  get weightsOfFilter() {
    return this.kernel.reduce((product, k) => product * k, this.planes);
  }

  get parameters() {
    return BigInt(this.filters) * BigInt(this.weightsOfFilter) + (this.bias ? BigInt(this.filters) : 0n);
  }

  get neurons() {
    return this.result.reduce((product, n) => product * BigInt(n), BigInt(this.filters));
  }

  get multiplyAdds() {
    return this.neurons * BigInt(this.weightsOfFilter);
  }

  // Along an axis: for each tap of the window the cell that output `index` reads; null: padding.
  taps(axis, index) {
    return Array.from({length: this.kernel[axis]}, (_, tap) => {
      const cell = index * this.stride[axis] - this.padding[axis] + tap * this.dilation[axis];
      return cell >= 0 && cell < this.sizes[axis] ? cell : null;
    });
  }

  // The products of a neuron in one plane: cells with their weights, row by row.
  products(index) {
    const lists = this.sizes.map((_, axis) => this.taps(axis, index[axis]));
    const pairs = (axis, cell, weight) => axis === lists.length ? [{cell, weight}] :
      lists[axis].flatMap((c, tap) => c === null ? [] : pairs(axis + 1, [...cell, c], [...weight, tap]));
    return pairs(0, [], []);
  }

  // The neurons of one map that use a weight on a cell, each with that cell.
  users(weight) {
    const along = this.sizes.map((_, axis) => Array.from({length: this.size(axis)}, (_, i) => [i, this.taps(axis, i)[weight[axis]]]).filter(([, cell]) => cell !== null));
    const pairs = (axis, neuron, cell) => axis === along.length ? [{neuron, cell}] :
      along[axis].flatMap(([i, c]) => pairs(axis + 1, [...neuron, i], [...cell, c]));
    return pairs(0, [], []);
  }
}

// Numbers to calculate with where there are no trained ones: small, and not all alike.
const exampleValue = cell => (cell.reduce((sum, at, axis) => sum + at * (axis ? 3 : 5), 0) % 7);
const exampleWeight = tap => (tap.reduce((sum, at, axis) => sum + at * (axis ? 1 : 2), 0) % 3) - 1;
