// The built-in functions: feelin's where they are right, ours where the standard says otherwise or feelin has none.
import { FeelFunction, isRange } from 'feelin';

import { equal, typeOf } from './compare.js';
import './lists.js';
import './moments.js';
import './numbers.js';
import { RELATIONS } from './ranges.js';
import { define as own } from './names.js';
import { adopt, BUILTINS, complain, define, defineOfList, isComplaint } from './signature.js';
import './strings.js';
import { isTemporal } from './temporal.js';

export { BUILTINS, isComplaint };

const ADOPTED = [
  'not', 'string length', 'upper case', 'lower case', 'substring before', 'substring after', 'contains', 'starts with', 'ends with',
  'string join', 'count', 'all', 'any', 'append', 'reverse', 'flatten', 'abs', 'sqrt', 'log', 'exp', 'odd', 'even',
  'get value', 'get entries', 'context merge', 'context put',
];
ADOPTED.forEach(adopt);

/** Which of a relation's two may be a point: first, second, or both. */
const POINTS = { before: 'ab', after: 'ab', finishes: 'a', 'finished by': 'b', includes: 'b', during: 'a', starts: 'a', 'started by': 'b', coincides: 'ab' };
const NAMES = ['point', 'point1', 'point2', 'range', 'range1', 'range2', 'value'];

/** A relation's parameters have other names for points and for ranges; numbers, else kinds, else order say which is which. */
class Relation extends FeelFunction {
  invoke(given) {
    if (Array.isArray(given)) return super.invoke(given);
    const keys = Object.keys(given);
    if (keys.length !== 2 || keys.some((key) => !NAMES.includes(key))) return complain('two points or ranges are needed');
    const pointLast = POINTS[this.parameterNames.relation] === 'b';
    const rank = (key) => (/2$/.test(key) ? 1 : 0) + (key === (pointLast ? 'point' : 'range') && keys.includes(pointLast ? 'range' : 'point') ? 0.5 : 0);
    const sorted = POINTS[this.parameterNames.relation] === 'ab' && !/\d/.test(keys.join('')) ? keys : [...keys].sort((a, b) => rank(a) - rank(b));
    return this.fn(...sorted.map((key) => given[key]));
  }
}

for (const [name, relation] of Object.entries(RELATIONS)) {
  const points = POINTS[name] ?? '';
  const work = (a, b) => {
    if (a === null || b === null || a === undefined || b === undefined) return complain(`${name}: two points or ranges are needed`);
    if ((!points.includes('a') && !isRange(a)) || (!points.includes('b') && !isRange(b))) return complain(`${name}: a range is needed`);
    return relation(a, b) ?? complain(`${name}: ${typeOf(a)} and ${typeOf(b)} do not go together`);
  };
  BUILTINS.set(name, new Relation(work, Object.assign(['first', 'second'], { relation: name })));
}

define('is', 'value1: any, value2: any', (a, b) => {
  if (typeOf(a) !== typeOf(b)) return false;
  if (isTemporal(a) && (a.zone ?? null) !== (b.zone ?? null)) return BUILTINS.get('string').fn(a) === BUILTINS.get('string').fn(b);
  return equal(a, b) === true;
});
define('is defined', 'value: any?', (value) => value !== null && value !== undefined);
define('get or else', 'value: any?, default: any?', (value, otherwise) => value ?? otherwise ?? null);

defineOfList('context', (entries) => {
  const context = {};
  for (const one of entries) {
    if (typeOf(one) !== 'context' || typeof one.key !== 'string' || !Object.hasOwn(one, 'value')) return complain('context: entries need a key and a value');
    if (Object.hasOwn(context, one.key)) return complain(`context: the key ${one.key} is there twice`);
    own(context, one.key, one.value);
  }
  return context;
}, 'entries');
