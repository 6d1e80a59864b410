// Comparisons and unary tests: what `in`, filters and decision tables' cells ask of a value.
import { isRange } from 'feelin';

import { equal, order, typeOf } from './compare.js';
import { mentionsValue, partsOf } from './nodes.js';
import { contains, includes, rangeOf } from './ranges.js';

/** A unary test that is no range: `= 5`, `!= 5`. */
export class Test {
  constructor(holds) {
    this.holds = holds;
  }
}

const COMPARISONS = {
  '<': (found) => found < 0, '<=': (found) => found <= 0, '>': (found) => found > 0, '>=': (found) => found >= 0,
};

export function compare(compilation, node, operator, a, b) {
  if (operator === '=' || operator === '!=') {
    const result = equal(a, b);
    if (result === null) compilation.warn(node, 'NOT_COMPARABLE', `${typeOf(a)} and ${typeOf(b)} cannot be compared`);
    return result === null ? null : result === (operator === '=');
  }
  const found = order(a, b);
  if (found !== null) return COMPARISONS[operator](found);
  return compilation.warn(node, 'NOT_COMPARABLE', `${typeOf(a)} and ${typeOf(b)} cannot be compared`);
}

/** Three-valued membership: one that holds decides, else one that cannot be said leaves it unknown. */
export function isIn(value, tests) {
  let unknown = false;
  for (const test of tests) {
    if (test === null && value !== null && tests.length === 1) return null;
    const result = holds(test, value);
    if (result === true) return true;
    if (result === null && (test instanceof Test || isRange(test) || Array.isArray(test))) unknown = true;
  }
  return unknown ? null : false;
}

/** Whether a value meets a test: a range, a unary test, a list that holds it, or an equal value. */
export function holds(test, value) {
  if (test instanceof Test) return test.holds(value);
  if (isRange(test)) return isRange(value) ? equal(test, value) === true || includes(test, value) === true : contains(test, value);
  if (!Array.isArray(test)) return equal(test, value);
  if (equal(test, value) === true) return true;
  return isIn(value, test.map((item) => (Array.isArray(item) ? new Test((given) => equal(item, given) === true) : item)));
}

export function simpleTest(compilation, node, operator, operand) {
  if (operator === '=' || operator === '!=') return new Test((value) => compare(compilation, node, operator, value, operand));
  if (operand === null) return new Test(() => null);
  const range = operator[0] === '<'
    ? rangeOf(null, operand, false, operator === '<=')
    : rangeOf(operand, null, operator === '>=', false);
  return range ?? compilation.warn(node, 'INVALID_TYPE', `There is no order among values like ${typeOf(operand)}`);
}

/** A cell: any of its tests holds. A test that speaks of `?` holds when it is true, others are compared with the value. */
export function compileUnaryTests(parts) {
  const negate = parts[0].name === 'not';
  const list = negate ? parts[2] : parts[0];
  if (list.name === 'Wildcard') return () => () => true;
  const tests = partsOf(list).map((part) => [this.compile(part), mentionsValue(part), partsOf(part)[0]?.name === 'BooleanLiteral']);
  return (scope) => (value) => {
    const met = tests.some(([test, own, constant]) => {
      const result = test(scope);
      if (own || (!constant && typeof result === 'boolean' && typeof value !== 'boolean')) return result === true || (own && isTestOf(result, value));
      return holds(result, value) === true;
    });
    return met !== negate;
  };
}

const isTestOf = (result, value) => (result instanceof Test || isRange(result)) && holds(result, value) === true;
