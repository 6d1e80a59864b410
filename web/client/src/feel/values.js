// How values cross between Python and the isolate: JSON, with one-key objects for what JSON lacks.
//   {"@date": iso} {"@time": iso} {"@datetime": iso} {"@duration": iso} {"@months": n}
//   {"@range": [start, end, startIncluded, endIncluded]}   {"@context": [[key, value], …]} when a key begins with "@"
// engine/execution/feel/values.py is the other half.
import { duration, FeelRange, isFunction, isRange, parseDate, parseDateTime, parseTime } from 'feelin';
import { FeelDate, FeelDateTime, FeelDuration, FeelTime } from 'feelin';
import { Temporal } from 'temporal-polyfill';

const REFERENCE = Temporal.PlainDate.from('1970-01-01');

const READERS = {
  '@date': parseDate,
  '@time': parseTime,
  '@datetime': parseDateTime,
  '@duration': duration,
  '@months': (months) => new FeelDuration(Temporal.Duration.from({ months }), true),
  '@range': ([start, end, startIncluded, endIncluded]) => rangeOf(decode(start), decode(end), startIncluded, endIncluded),
  '@context': (entries) => Object.fromEntries(entries.map(([key, value]) => [key, decode(value)])),
};

/** A FEEL range of any bounds; null stands for no bound. */
export function rangeOf(start, end, startIncluded = true, endIncluded = true) {
  return new FeelRange({
    start, end, 'start included': startIncluded, 'end included': endIncluded, valueType: typeOf(start ?? end),
  });
}

/** The name that feelin gives the value's type inside ranges. */
export function typeOf(value) {
  if (typeof value === 'number' || typeof value === 'string') return typeof value;
  if (value instanceof FeelDate) return 'date';
  if (value instanceof FeelTime) return 'time';
  if (value instanceof FeelDateTime) return 'date time';
  if (value instanceof FeelDuration) return 'duration';
  return null;
}

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
  if (value instanceof FeelDate) return { '@date': value.iso };
  if (value instanceof FeelTime) return { '@time': value.iso };
  if (value instanceof FeelDateTime) return { '@datetime': value.iso };
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
  if (value.yearsMonths) return { '@months': Math.trunc(value.value.total({ unit: 'month', relativeTo: REFERENCE })) };
  return { '@duration': value.value.total({ unit: 'microsecond', relativeTo: REFERENCE }) };
}
