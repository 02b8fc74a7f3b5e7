// Sizes as exact whole numbers: the formulas of the network, worked out with BigInt.

const bigMax = (a, b) => (a > b ? a : b);

function floorDiv(a, b) {
  const whole = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? whole - 1n : whole;
}

const COMPARED = {
  "==": (a, b) => a === b, "!=": (a, b) => a !== b, "<": (a, b) => a < b,
  "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
};

class Exact {
  // `formulas` is the list that the page holds; what an entry uses stands before it.
  constructor(formulas, sizes) {
    this.formulas = formulas;
    this.numbers = [];
    for (const entry of formulas) this.numbers.push(this.entry(entry, sizes));
  }

  entry([kind, ...parts], sizes) {
    if (kind === "symbol") return BigInt(sizes[parts[0]]);
    if (kind === "max") return bigMax(this.value(parts[0]), this.value(parts[1]));
    if (kind === "floor") return floorDiv(this.value(parts[0]), this.value(parts[1]));
    if (kind === "quotient") return floorDiv(this.value(parts[0]), bigMax(this.value(parts[1]), 1n));
    const [, constant, ...terms] = parts;
    let sum = this.value(constant);
    for (const [factor, ...atoms] of terms) {
      sum += atoms.reduce((product, atom) => product * this.numbers[atom], this.value(factor));
    }
    return sum;
  }

  // A size as the page writes it: 3, "9007199254740993", or "#4" for formula 4.
  value(size) {
    if (typeof size === "number" || size[0] !== "#") return BigInt(size);
    return this.numbers[Number(size.slice(1))];
  }

  holds(condition) {
    if (typeof condition === "boolean") return condition;
    const [operator, ...parts] = condition;
    if (operator === "all") return parts.every(part => this.holds(part));
    if (operator === "any") return parts.some(part => this.holds(part));
    return COMPARED[operator](this.value(parts[0]), this.value(parts[1]));
  }

  // The formula in words; nothing for a number, or where it is too long to read.
  text(size) {
    if (typeof size === "number" || size[0] !== "#") return "";
    const entry = this.formulas[Number(size.slice(1))];
    return entry[0] === "sum" ? entry[1] : "";
  }
}

// 1234567n as "1,234,567".
function commas(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

// Three digits: "70.4 k", "1.50 G"; small numbers in full.
function rough(number) {
  if (number < 10000n) return commas(number);
  const value = Number(number);
  for (const [letter, size] of [["k", 1e3], ["M", 1e6], ["G", 1e9], ["T", 1e12]]) {
    if (value < 999.5 * size || letter === "T") {
      const scaled = value / size;
      const digits = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
      return `${commas(scaled.toFixed(digits).split(".")[0])}${digits ? "." + scaled.toFixed(digits).split(".")[1] : ""} ${letter}`;
    }
  }
}
