// List functions.
import { FeelFunction, isFunction } from 'feelin';

import { number } from './arithmetic.js';
import { equal, order, typeOf } from './compare.js';
import { BUILTINS, complain, define, defineOfList } from './signature.js';

const allNumbers = (list) => list.every((item) => typeof item === 'number');

function best(name, sign) {
  defineOfList(name, (list) => {
    if (!list.length) return null;
    let found = list[0];
    if (order(found, found) === null) return complain(`${name}: there is no order among values like ${typeOf(found)}`);
    for (const item of list) {
      const way = order(item, found);
      if (way === null) return complain(`${name}: ${typeOf(item)} and ${typeOf(found)} cannot be compared`);
      if (way === sign) found = item;
    }
    return found;
  });
}

best('min', -1);
best('max', 1);

function ofNumbers(name, work) {
  defineOfList(name, (list) => (allNumbers(list) ? work(list) : complain(`${name}: the list holds other things than numbers`)));
}

const sum = (list) => list.reduce((total, item) => number(total + item), 0);
const ascending = (list) => [...list].sort((a, b) => a - b);

ofNumbers('sum', (list) => (list.length ? sum(list) : null));
ofNumbers('mean', (list) => (list.length ? number(sum(list) / list.length) : null));
ofNumbers('product', (list) => (list.length ? list.reduce((total, item) => number(total * item), 1) : null));
ofNumbers('median', (list) => {
  const sorted = ascending(list);
  const middle = sorted.length >> 1;
  if (!sorted.length) return null;
  return sorted.length % 2 ? sorted[middle] : number((sorted[middle - 1] + sorted[middle]) / 2);
});
ofNumbers('stddev', (list) => {
  if (list.length < 2) return null;
  const mean = sum(list) / list.length;
  return number(Math.sqrt(list.reduce((total, item) => total + (item - mean) ** 2, 0) / (list.length - 1)));
});
ofNumbers('mode', (list) => {
  const counts = new Map();
  for (const item of list) counts.set(item, (counts.get(item) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return ascending([...counts.keys()].filter((item) => counts.get(item) === most));
});

define('list contains', 'list: list, element: any', (list, element) => list.some((item) => equal(item, element) === true));
define('index of', 'list: list, match: any', (list, match) => (
  list.flatMap((item, at) => (equal(item, match) === true ? [at + 1] : []))
));
define('distinct values', 'list: list', distinct);
defineOfList('union', (lists) => distinct(lists.flatMap((list) => (Array.isArray(list) ? list : [list]))));
define('duplicate values', 'list: list', (list) => distinct(list.filter((item, at) => list.some((other, place) => place !== at && equal(item, other) === true))));
define('is empty', 'list: list', (list) => list.length === 0);

BUILTINS.set('concatenate', new FeelFunction((...lists) => {
  if (!lists.length || lists.includes(null)) return complain('concatenate: lists are needed');
  return lists.flatMap((list) => (Array.isArray(list) ? list : [list]));
}, ['...list']));

/** Equal values once, in order; what can be hashed is. */
function distinct(list) {
  const seen = new Set();
  const kept = [];
  for (const item of list) {
    const simple = item === null || typeof item !== 'object';
    if (simple ? seen.has(item) : kept.some((other) => equal(other, item) === true)) continue;
    if (simple) seen.add(item);
    kept.push(item);
  }
  return kept;
}

/** A FEEL position as an index; null when the list has none there. */
function place(list, position) {
  const at = Math.trunc(position);
  if (at === 0 || Math.abs(at) > list.length) return null;
  return at < 0 ? list.length + at : at - 1;
}

const nowhere = (name, position) => complain(`${name}: the list has no position ${position}`);

define('sublist', 'list: list, start position: number, length: number?', (list, start, length) => {
  const from = place(list, start);
  if (from === null) return nowhere('sublist', start);
  if (length === null || length < 1) return complain('sublist: the length must be at least 1');
  const to = length === undefined ? list.length : from + Math.trunc(length);
  return to > list.length ? complain(`sublist: there are fewer than ${length} from there`) : list.slice(from, to);
});
define('insert before', 'list: list, position: number, newItem: any', (list, position, item) => {
  const at = place(list, position);
  return at === null ? nowhere('insert before', position) : [...list.slice(0, at), item, ...list.slice(at)];
});
define('remove', 'list: list, position: number', (list, position) => {
  const at = place(list, position);
  return at === null ? nowhere('remove', position) : [...list.slice(0, at), ...list.slice(at + 1)];
});
define('list replace', 'list: list, position: any?, newItem: any, match: any?', (list, position, item, match) => {
  const chosen = position ?? match;
  if (typeof chosen === 'number') {
    const at = place(list, chosen);
    return at === null ? nowhere('list replace', chosen) : [...list.slice(0, at), item, ...list.slice(at + 1)];
  }
  if (!isFunction(chosen) || chosen.parameterNames.length !== 2) return complain('list replace: a position or a function of two values is needed');
  const results = list.map((old) => chosen.fn(old, item));
  if (results.some((result) => typeof result !== 'boolean')) return complain('list replace: the function does not give true or false');
  return list.map((old, at) => (results[at] ? item : old));
});
define('sort', 'list: list, precedes: function', (list, precedes) => {
  if (precedes.parameterNames.length !== 2) return complain('sort: a function of two values is needed');
  return [...list].sort((a, b) => (precedes.fn(a, b) === true ? -1 : precedes.fn(b, a) === true ? 1 : 0));
});
define('partition', 'list: list, size: number', (list, size) => {
  if (size < 1) return complain('partition: the size must be at least 1');
  return Array.from({ length: Math.ceil(list.length / Math.trunc(size)) }, (_, at) => list.slice(at * size, (at + 1) * size));
});
