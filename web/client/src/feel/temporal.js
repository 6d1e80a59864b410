// Dates, times and durations where feelin leaves something open: order across zones, exact durations, duration arithmetic.
import { evaluate, FeelDate, FeelDateTime, FeelDuration, FeelTime } from 'feelin';
import { Temporal } from 'temporal-polyfill';

const EPOCH = Temporal.PlainDate.from('1970-01-01');

/** Something that feelin does, as a function of values. */
export function feelins(parameters, text) {
  const { value, warnings } = evaluate(`function(${parameters}) ${text}`);
  warnings.push = () => 0; // nobody reads them, and they would pile up
  return value.fn;
}

const add = feelins('a, b', 'a + b');
const subtract = feelins('a, b', 'a - b');
const OFFSET = /^([+-])(\d\d):(\d\d)(?::(\d\d))?$/;

export const isTemporal = (value) => (
  value instanceof FeelDate || value instanceof FeelDateTime || value instanceof FeelTime || value instanceof FeelDuration
);

export const months = ({ value }) => value.years * 12 + value.months;
export const nanoseconds = ({ value }) => (
  BigInt(value.days) * 86_400_000_000_000n + BigInt(value.hours) * 3_600_000_000_000n + BigInt(value.minutes) * 60_000_000_000n
  + BigInt(value.seconds) * 1_000_000_000n + BigInt(value.milliseconds) * 1_000_000n
  + BigInt(value.microseconds) * 1000n + BigInt(value.nanoseconds)
);

/** A duration of feelin's without its constructor, which reckons from 1970 and so fails for long ones. */
function made(parts, yearsMonths) {
  const value = Temporal.Duration.from(parts);
  const duration = Object.create(FeelDuration.prototype, { value: { value } });
  return Object.assign(duration, { yearsMonths, iso: yearsMonths && value.sign === 0 ? 'P0M' : value.toString() });
}

export const ofMonths = (count) => made({ years: Math.trunc(count / 12) + 0, months: (count % 12) + 0 }, true);

export function ofNanoseconds(count) {
  const part = (unit, of) => Number((of ? count % of : count) / unit);
  return made({
    days: part(86_400_000_000_000n), hours: part(3_600_000_000_000n, 86_400_000_000_000n),
    minutes: part(60_000_000_000n, 3_600_000_000_000n), seconds: part(1_000_000_000n, 60_000_000_000n),
    milliseconds: part(1_000_000n, 1_000_000_000n), microseconds: part(1000n, 1_000_000n), nanoseconds: part(1n, 1000n),
  }, false);
}

const DURATION = /^(-)?P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{0,9})\d*)?S)?)?$/;

/** A duration from its text; null when it is none. Years and months do not go with days and time. */
export function readDuration(text) {
  const found = DURATION.exec(text);
  if (!found) return null;
  const [, minus, ...parts] = found;
  const sign = minus ? -1n : 1n;
  const [years, monthCount, days, hours, minutes, seconds] = parts.slice(0, 6).map((part) => BigInt(part ?? 0));
  const daysTime = parts.slice(2).some((part) => part !== undefined);
  try {
    if (!daysTime) return ofMonths(Number(sign * (years * 12n + monthCount)));
    if (parts[0] !== undefined || parts[1] !== undefined) return null;
    const fraction = BigInt((parts[6] ?? '').padEnd(9, '0'));
    return ofNanoseconds(sign * ((((days * 24n + hours) * 60n + minutes) * 60n + seconds) * 1_000_000_000n + fraction));
  } catch {
    return null; // longer than can be reckoned with
  }
}

/** Whole months between two dates. */
export function monthsBetween(from, to) {
  const day = ({ value }) => (value.toPlainDate ? value.toPlainDate() : value);
  return ofMonths(day(from).until(day(to), { largestUnit: 'month', smallestUnit: 'month' }).months);
}

/** Nanoseconds since 1970 of a date, date and time or time (of that day); without a zone as if in UTC. */
export function instant(value) {
  if (value instanceof FeelDate) return value.value.toZonedDateTime('UTC').epochNanoseconds;
  const local = value instanceof FeelTime ? EPOCH.toPlainDateTime(value.value) : value.value;
  const offset = OFFSET.exec(value.zone ?? '');
  if (!offset) return local.toZonedDateTime(value.zone ?? 'UTC').epochNanoseconds;
  const seconds = Number(offset[2]) * 3600 + Number(offset[3]) * 60 + Number(offset[4] ?? 0);
  return local.toZonedDateTime('UTC').epochNanoseconds - BigInt(offset[1] === '-' ? -seconds : seconds) * 1_000_000_000n;
}

/** -1, 0 or 1; null when the two cannot be compared. */
export function order(a, b) {
  if (a.constructor !== b.constructor) return null;
  if (a instanceof FeelDuration) {
    if (a.yearsMonths !== b.yearsMonths) return null;
    return a.yearsMonths ? Math.sign(months(a) - months(b)) : sign(nanoseconds(a) - nanoseconds(b));
  }
  return sign(instant(a) - instant(b));
}

const sign = (big) => (big < 0n ? -1 : big > 0n ? 1 : 0);

/** Whether two of the same kind are equal: one with a zone never equals one without. */
export function equalTemporals(a, b) {
  if (a.constructor !== b.constructor) return null;
  if (a instanceof FeelDuration) return order(a, b) === null ? false : order(a, b) === 0;
  if (((a.zone ?? null) === null) !== ((b.zone ?? null) === null)) return false;
  return order(a, b) === 0;
}

/** a + b, a - b; null when there is no such thing. */
export function plus(a, b) {
  if (a instanceof FeelDuration && b instanceof FeelDuration) return addDurations(a, b, 1);
  if (a instanceof FeelDuration) return b instanceof FeelDuration || !isTemporal(b) ? null : add(b, a);
  return b instanceof FeelDuration && isTemporal(a) ? moved(a, b, add) : null;
}

export function minus(a, b) {
  if (a instanceof FeelDuration) return b instanceof FeelDuration ? addDurations(a, b, -1) : null;
  if (b instanceof FeelDuration) return moved(a, b, subtract);
  if (a instanceof FeelTime || b instanceof FeelTime) {
    return a instanceof FeelTime && b instanceof FeelTime && zoned(a) === zoned(b) ? ofNanoseconds(instant(a) - instant(b)) : null;
  }
  return zoned(a) === zoned(b) || zoned(a) === undefined || zoned(b) === undefined ? ofNanoseconds(instant(a) - instant(b)) : null;
}

/** Whether a moment has a zone; undefined for dates, which take part with either. */
const zoned = (value) => (value instanceof FeelDate ? undefined : value.zone !== null);

function moved(a, duration, by) {
  if (a instanceof FeelTime && duration.yearsMonths) return null;
  return by(a, duration);
}

function addDurations(a, b, factor) {
  if (a.yearsMonths !== b.yearsMonths) return null;
  return a.yearsMonths ? ofMonths(months(a) + factor * months(b)) : ofNanoseconds(nanoseconds(a) + BigInt(factor) * nanoseconds(b));
}

/** A duration times a number. */
export function times(duration, factor) {
  if (duration.yearsMonths) return ofMonths(Math.trunc(months(duration) * factor));
  if (Number.isInteger(factor)) return ofNanoseconds(nanoseconds(duration) * BigInt(factor));
  return ofNanoseconds(BigInt(Math.round(Number(nanoseconds(duration)) * factor)));
}

/** A duration divided by a number, or by another of its kind. */
export function over(duration, divisor) {
  if (typeof divisor === 'number') return divisor === 0 ? null : times(duration, 1 / divisor);
  if (!(divisor instanceof FeelDuration) || divisor.yearsMonths !== duration.yearsMonths) return null;
  const amount = (one) => (one.yearsMonths ? months(one) : Number(nanoseconds(one)));
  return amount(divisor) === 0 ? null : amount(duration) / amount(divisor);
}

export const negated = (duration) => (duration.yearsMonths ? ofMonths(-months(duration)) : ofNanoseconds(-nanoseconds(duration)));

const PROPERTIES = {
  FeelDate: ['year', 'month', 'day', 'weekday'],
  FeelDateTime: ['year', 'month', 'day', 'weekday', 'hour', 'minute', 'second', 'time offset', 'timezone'],
  FeelTime: ['hour', 'minute', 'second', 'time offset', 'timezone'],
  FeelDuration: ['years', 'months', 'days', 'hours', 'minutes', 'seconds'],
};
const KINDS = { FeelDate, FeelDateTime, FeelTime, FeelDuration };

/** A part of a moment or duration, undefined when it has none of that name. */
export function property(value, name) {
  for (const [kind, names] of Object.entries(PROPERTIES)) {
    if (value instanceof KINDS[kind] && names.includes(name)) return value[name] ?? null;
  }
  return undefined;
}

/** The text of a moment or duration as FEEL writes it. */
export const textOf = (value) => value.iso.replace(/^([+-])0*(\d{4,})-/, (_, mark, year) => `${mark === '-' ? '-' : ''}${year}-`);
