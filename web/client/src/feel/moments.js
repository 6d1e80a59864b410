// Functions that make dates, times and durations, by FEEL's own grammar (stricter than ISO 8601, and with years beyond 9999).
import { FeelDate, FeelDateTime, FeelDuration, FeelFunction, FeelTime } from 'feelin';
import { Temporal } from 'temporal-polyfill';

import { adopt, BUILTINS, complain, define } from './signature.js';
import { feelins, monthsBetween, readDuration } from './temporal.js';

const DATE = /^(-?(?:[1-9]\d{4,}|\d{4}))-(\d\d)-(\d\d)$/;
const TIME = /^T?(\d\d:\d\d:\d\d(?:\.\d+)?)(?:(Z|z)|([+-]\d\d:\d\d(?::\d\d)?)|@([\w/+-]+))?$/;
const timeOf = feelins('a', 'time(a)');
const timeOfParts = feelins('a, b, c, d', 'time(a, b, c, d)');
const dateOf = feelins('a', 'date(a)');
const joined = feelins('a, b', 'date and time(a, b)');

function readDate(text) {
  const found = DATE.exec(text);
  return found && dateOfParts(Number(found[1]), Number(found[2]), Number(found[3]));
}

function dateOfParts(year, month, day) {
  try {
    return new FeelDate(Temporal.PlainDate.from({ year, month, day }, { overflow: 'reject' }));
  } catch {
    return null; // no such day, or beyond what can be reckoned with
  }
}

function readTime(text) {
  const found = TIME.exec(text);
  if (!found || Number(found[3]?.slice(1, 3) ?? 0) > 18) return null;
  return timeOf(text.replace(/^T/, ''));
}

function readDateTime(text) {
  const split = text.indexOf('T');
  const day = readDate(split < 0 ? text : text.slice(0, split));
  if (!day) return null;
  const hour = readTime(split < 0 ? '00:00:00' : text.slice(split + 1));
  return hour && new FeelDateTime(day.value.toPlainDateTime(hour.value), hour.zone);
}

const numbers = (...values) => values.every((value) => typeof value === 'number');

/** Functions that take one value, `from`, or several parts; `from` is also the last of the named parameters. */
function maker(name, parts, fromOne, fromParts) {
  BUILTINS.set(name, new FeelFunction((...given) => {
    const values = given.filter((value) => value !== undefined);
    const [only] = values;
    const made = values.length === 1 ? fromOne(Array.isArray(only) && only.length === 1 ? only[0] : only) : fromParts(...given);
    return made ?? complain(`${name}: ${values.length === 1 && typeof only === 'string' ? only : 'what is given'} makes none`);
  }, [...parts, 'from']));
}

maker('date', ['year', 'month', 'day'], (from) => {
  if (typeof from === 'string') return readDate(from);
  return from instanceof FeelDate || from instanceof FeelDateTime ? dateOf(from) : null;
}, (year, month, day, from) => (from === undefined && numbers(year, month, day) ? dateOfParts(year, month, day) : null));

maker('time', ['hour', 'minute', 'second', 'offset'], (from) => {
  if (typeof from === 'string') return readTime(from);
  return from instanceof FeelDate || from instanceof FeelDateTime || from instanceof FeelTime ? timeOf(from) : null;
}, (hour, minute, second, offset = null, from = undefined) => {
  if (from !== undefined || !numbers(hour, minute, second)) return null;
  return offset === null || offset instanceof FeelDuration ? timeOfParts(hour, minute, second, offset) : null;
});

maker('date and time', ['date', 'time', 'timezone'], (from) => {
  if (typeof from === 'string') return readDateTime(from);
  if (from instanceof FeelDate) return new FeelDateTime(from.value.toPlainDateTime(new Temporal.PlainTime()), null);
  return from instanceof FeelDateTime ? from : null;
}, (date, time, zone, from) => (
  from === undefined && zone === undefined && (date instanceof FeelDate || date instanceof FeelDateTime) && time instanceof FeelTime ? joined(date, time) : null
));

define('duration', 'from: string', (text) => readDuration(text) ?? complain(`duration: ${text} is none`));
define('@', 'from: string', (text) => {
  const value = readDuration(text) ?? readDate(text) ?? (text.includes('T') && !text.startsWith('T') ? readDateTime(text) : readTime(text));
  return value ?? complain(`${text} is no date, time or duration`);
});
define('last day of month', 'date: date|date and time', ({ value }) => (
  new FeelDate(Temporal.PlainDate.from({ year: value.year, month: value.month, day: value.daysInMonth }))
));
define('years and months duration', 'from: date|date and time, to: date|date and time', monthsBetween);
for (const name of ['now', 'today', 'day of year', 'day of week', 'month of year', 'week of year']) adopt(name);
