// The operators + - * / ** and unary minus.
import { FeelDuration } from 'feelin';

import { isTemporal, minus, negated, over, plus, times } from './temporal.js';

/**
 * FEEL's numbers are decimal, V8's are binary: 0.1 + 0.2 must be 0.3. Fifteen digits are exact in both, so results are
 * rounded to those; whole numbers are exact anyway. No number (division by zero, overflow) is null.
 */
export function number(value) {
  if (Number.isInteger(value)) return value;
  return Number.isFinite(value) ? Number(value.toPrecision(15)) : null;
}

const numbers = (a, b) => typeof a === 'number' && typeof b === 'number';

/** Each operator gives undefined for types that it does not know. */
export const OPERATORS = {
  '+': (a, b) => {
    if (numbers(a, b)) return number(a + b);
    if (typeof a === 'string' && typeof b === 'string') return a + b;
    return isTemporal(a) && isTemporal(b) ? plus(a, b) ?? undefined : undefined;
  },
  '-': (a, b) => {
    if (numbers(a, b)) return number(a - b);
    return isTemporal(a) && isTemporal(b) ? minus(a, b) ?? undefined : undefined;
  },
  '*': (a, b) => {
    if (numbers(a, b)) return number(a * b);
    if (a instanceof FeelDuration && typeof b === 'number') return times(a, b);
    return b instanceof FeelDuration && typeof a === 'number' ? times(b, a) : undefined;
  },
  '/': (a, b) => {
    if (numbers(a, b)) return b === 0 ? null : number(a / b);
    return a instanceof FeelDuration ? over(a, b) ?? undefined : undefined;
  },
  '**': (a, b) => (numbers(a, b) ? number(a ** b) : undefined),
  negate: (a) => {
    if (typeof a === 'number') return -a;
    return a instanceof FeelDuration ? negated(a) : undefined;
  },
};
OPERATORS['^'] = OPERATORS['**'];
