// What `for`, `some` and `every` go through.
import { isRange } from 'feelin';

import { order, typeOf } from './compare.js';
import { inner } from './names.js';
import { partsOf } from './nodes.js';

/** Iterations nest from left to right, each seeing the variables before it. */
export function compileIterations(compilation, clause) {
  return partsOf(clause).map((part) => {
    const [name, , context] = partsOf(part);
    const [first, , last] = partsOf(context).map((bound) => (bound.name === '..' ? null : compilation.compile(bound)));
    return { name: compilation.nameOf(name), items: last ? (scope) => steps(first(scope), last(scope)) : (scope) => itemsOf(first(scope)) };
  });
}

/** What a value gives to iterate over: a list's items, a range's steps, or the value alone; null when there is nothing. */
export function itemsOf(value) {
  if (Array.isArray(value)) return value;
  if (value === null) return null;
  if (!isRange(value)) return [value];
  const items = steps(value.start, value.end);
  if (items === null) return null;
  if (!value['end included']) items.pop();
  return value['start included'] ? items : items.slice(1);
}

function steps(start, end) {
  const items = [];
  if (Number.isInteger(start) && Number.isInteger(end)) {
    for (let at = start; start <= end ? at <= end : at >= end; at += start <= end ? 1 : -1) items.push(at);
    return items;
  }
  const way = typeOf(start) === 'date' ? order(start, end) : null;
  if (way === null) return null;
  for (let at = start; order(at, end) !== -way || way === 0; at = new start.constructor(at.value.add({ days: -way }))) {
    items.push(at);
    if (way === 0) break;
  }
  return items;
}

/** Calls `visit` with each combination's scope until it returns true; null when there is nothing to iterate over. */
export function iterate(iterations, scope, visit, at = 0) {
  if (at === iterations.length) return visit(scope);
  const items = iterations[at].items(scope);
  if (items === null) return null;
  for (const item of items) {
    const done = iterate(iterations, inner(scope, { [iterations[at].name]: item }), visit, at + 1);
    if (done !== false) return done;
  }
  return false;
}
