// Ranges: membership, and the relations of DMN 10.3.2.3.2 between points and ranges.
import { FeelRange, isRange } from 'feelin';

import { order, typeOf } from './compare.js';

const BOUNDED = new Set(['number', 'string', 'date', 'time', 'date and time', 'days and time duration', 'years and months duration']);

/** A range of any bounds; null stands for no bound. Null when the bounds do not go together. */
export function rangeOf(start, end, startIncluded = true, endIncluded = true) {
  const types = [start, end].filter((bound) => bound !== null && bound !== undefined).map(typeOf);
  if (types.some((type) => !BOUNDED.has(type)) || (types.length === 2 && types[0] !== types[1])) return null;
  return new FeelRange({ start, end, 'start included': startIncluded, 'end included': endIncluded, valueType: types[0] ?? null });
}

const starts = (range) => range['start included'];
const ends = (range) => range['end included'];

/** Whether a point lies in a range; null when it cannot be said. A range that names null as a bound holds nothing for sure. */
export function contains(range, value) {
  if (value === null || value === undefined || range.unsure || (range.start === null && range.end === null)) return null;
  const low = range.start === null ? 1 : order(value, range.start);
  const high = range.end === null ? -1 : order(value, range.end);
  if (low === null || high === null) return null;
  return (low > 0 || (low === 0 && (range.start === null || starts(range)))) && (high < 0 || (high === 0 && (range.end === null || ends(range))));
}

/** Whether a range holds another range or a point. */
export function includes(range, value) {
  if (!isRange(value)) return contains(range, value);
  const low = bound(range.start, value.start, -1);
  const high = bound(range.end, value.end, 1);
  if (low === null || high === null) return null;
  return (low < 0 || (low === 0 && (starts(range) || !starts(value)))) && (high > 0 || (high === 0 && (ends(range) || !ends(value))));
}

/** Order of two bounds, where no bound is infinitely far to the given side. */
function bound(a, b, side) {
  if (a === null) return b === null ? 0 : side;
  return b === null ? -side : order(a, b);
}

const known = (test) => (a, b) => {
  const parts = [a, b].flatMap((one) => (isRange(one) ? [one.start, one.end] : [one])).filter((one) => one !== null);
  return parts.some((part) => order(part, parts[0]) === null) ? null : test(a, b);
};

/** The relations by their FEEL names. */
export const RELATIONS = {
  before: known((a, b) => {
    const [end, start] = [isRange(a) ? a.end : a, isRange(b) ? b.start : b];
    if (end === null || start === null) return false;
    const found = order(end, start);
    return found < 0 || (found === 0 && ((isRange(a) && !ends(a)) || (isRange(b) && !starts(b))));
  }),
  after: (a, b) => RELATIONS.before(b, a),
  meets: known((a, b) => same(a.end, b.start) && ends(a) && starts(b)),
  'met by': (a, b) => RELATIONS.meets(b, a),
  overlaps: known((a, b) => reaches(a, b) && reaches(b, a)),
  'overlaps before': known((a, b) => startsFirst(a, b) && reaches(a, b) && endsFirst(a, b)),
  'overlaps after': (a, b) => RELATIONS['overlaps before'](b, a),
  finishes: known((a, b) => (isRange(a)
    ? same(a.end, b.end) && ends(a) === ends(b) && startsNoEarlier(a, b)
    : same(a, b.end) && ends(b))),
  'finished by': (a, b) => RELATIONS.finishes(b, a),
  includes: known(includes),
  during: known((a, b) => includes(b, a)),
  starts: known((a, b) => (isRange(a)
    ? same(a.start, b.start) && starts(a) === starts(b) && endsNoLater(a, b)
    : same(a, b.start) && starts(b))),
  'started by': (a, b) => RELATIONS.starts(b, a),
  coincides: known((a, b) => (isRange(a) && isRange(b)
    ? same(a.start, b.start) && same(a.end, b.end) && starts(a) === starts(b) && ends(a) === ends(b)
    : !isRange(a) && !isRange(b) && order(a, b) === 0)),
};

const same = (a, b) => a !== null && b !== null && order(a, b) === 0;

/** Whether a's end is not before b's start. */
function reaches(a, b) {
  const found = a.end === null || b.start === null ? 1 : order(a.end, b.start);
  return found > 0 || (found === 0 && ends(a) && starts(b));
}

function startsFirst(a, b) {
  const found = bound(a.start, b.start, -1);
  return found < 0 || (found === 0 && starts(a) && !starts(b));
}

function endsFirst(a, b) {
  const found = bound(a.end, b.end, 1);
  return found < 0 || (found === 0 && (!ends(a) || ends(b)));
}

const startsNoEarlier = (a, b) => bound(a.start, b.start, -1) > 0 || (same(a.start, b.start) && (!starts(a) || starts(b)));
const endsNoLater = (a, b) => bound(a.end, b.end, 1) < 0 || (same(a.end, b.end) && (!ends(a) || ends(b)));
