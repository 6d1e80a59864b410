// Equality and order of FEEL values (DMN 10.3.2.13), three-valued: null when two values cannot be compared.
import { FeelDate, FeelDateTime, FeelDuration, FeelTime, isFunction, isRange } from 'feelin';

import { equalTemporals, isTemporal, order as temporalOrder } from './temporal.js';

/** The FEEL type of a value. */
export function typeOf(value) {
  if (value === null || value === undefined) return 'null';
  const kind = typeof value;
  if (kind !== 'object') return kind;
  if (Array.isArray(value)) return 'list';
  if (Object.getPrototypeOf(value) === Object.prototype) return 'context';
  if (value instanceof FeelDate) return 'date';
  if (value instanceof FeelDateTime) return 'date and time';
  if (value instanceof FeelTime) return 'time';
  if (value instanceof FeelDuration) return value.yearsMonths ? 'years and months duration' : 'days and time duration';
  if (isRange(value)) return 'range';
  return isFunction(value) ? 'function' : 'unknown';
}

/** Whether a equals b; null when they are of different types. */
export function equal(a, b) {
  if (a === null || a === undefined) return b === null || b === undefined;
  if (b === null || b === undefined) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return equalAlone(a, b);
  const type = typeOf(a);
  if (type !== typeOf(b)) return null;
  if (isTemporal(a)) return equalTemporals(a, b);
  if (type === 'list') return a.length === b.length && every(a, (item, at) => equal(item, b[at]));
  if (type === 'context') return equalContexts(a, b);
  if (type === 'range') return equalRanges(a, b);
  return a === b;
}

/** A list of one equals its item (10.3.2.9.4). */
function equalAlone(a, b) {
  const [list, item] = Array.isArray(a) ? [a, b] : [b, a];
  return list.length === 1 ? equal(list[0], item) : null;
}

function every(items, test) {
  return items.every((item, at) => test(item, at) === true);
}

function equalContexts(a, b) {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && every(keys, (key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

function equalRanges(a, b) {
  return a['start included'] === b['start included'] && a['end included'] === b['end included']
    && equal(a.start, b.start) === true && equal(a.end, b.end) === true;
}

/** -1, 0 or 1; null when there is no order between the two. */
export function order(a, b) {
  const type = typeOf(a);
  if (type !== typeOf(b)) return null;
  if (type === 'number' || type === 'string') return a < b ? -1 : a > b ? 1 : 0;
  return isTemporal(a) ? temporalOrder(a, b) : null;
}
