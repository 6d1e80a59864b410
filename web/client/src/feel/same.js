// Whether two FEEL values are the same value, for ANY, for priorities and for distinct values: no conversions.
import { FeelDate, FeelDateTime, FeelDuration, FeelTime, isRange } from 'feelin';

const ISO = [FeelDate, FeelDateTime, FeelTime, FeelDuration];

export function same(a, b) {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, at) => same(item, b[at]));
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (ISO.some((kind) => a instanceof kind)) return a.iso === b.iso;
  if (!isRange(a) && Object.getPrototypeOf(a) !== Object.prototype) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}
