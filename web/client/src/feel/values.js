// How values cross between Python and the isolate: JSON, with one-key objects for what JSON lacks.
//   {"@date": iso} {"@time": iso} {"@datetime": iso} {"@duration": iso} {"@months": n}
//   {"@range": [start, end, startIncluded, endIncluded]}   {"@context": [[key, value], …]} when a key begins with "@"
// engine/execution/feel/values.py is the other half.
import { FeelDate, FeelDateTime, FeelDuration, FeelTime, isFunction, isRange } from 'feelin';

import { BUILTINS } from './builtins.js';
import { rangeOf } from './ranges.js';
import { months, nanoseconds, ofMonths, textOf } from './temporal.js';

const reader = (name) => (text) => BUILTINS.get(name).fn(text);

const READERS = {
  '@date': reader('date'),
  '@time': reader('time'),
  '@datetime': reader('date and time'),
  '@duration': reader('duration'),
  '@months': ofMonths,
  '@range': ([start, end, startIncluded, endIncluded]) => rangeOf(decode(start), decode(end), startIncluded, endIncluded),
  '@context': (entries) => Object.fromEntries(entries.map(([key, value]) => [key, decode(value)])),
};

/** Turns what Python sent into FEEL values. */
export function decode(value) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(decode);
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0][0] === '@') return READERS[keys[0]](value[keys[0]]);
  return Object.fromEntries(keys.map((key) => [key, decode(value[key])]));
}

/** Turns a FEEL value into what Python reads. `lost` is told of each value that cannot leave. */
export function encode(value, lost) {
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case 'boolean': case 'string': return value;
    case 'number': return Number.isFinite(value) ? value + 0 : null;
    case 'function': lost('a function'); return null;
    default:
  }
  if (Array.isArray(value)) return value.map((item) => encode(item, lost));
  if (value instanceof FeelDate) return { '@date': textOf(value) };
  if (value instanceof FeelTime) return { '@time': textOf(value) };
  if (value instanceof FeelDateTime) return { '@datetime': textOf(value) };
  if (value instanceof FeelDuration) return encodeDuration(value);
  if (isRange(value)) {
    return { '@range': [encode(value.start, lost), encode(value.end, lost), value['start included'], value['end included']] };
  }
  if (isFunction(value)) { lost('a function'); return null; }
  if (Object.getPrototypeOf(value) !== Object.prototype) { lost('an unknown kind of value'); return null; }
  const entries = Object.keys(value).map((key) => [key, encode(value[key], lost)]);
  return entries.some(([key]) => key[0] === '@') ? { '@context': entries } : Object.fromEntries(entries);
}

function encodeDuration(value) {
  return value.yearsMonths ? { '@months': months(value) } : { '@duration': Number(nanoseconds(value)) / 1000 };
}
