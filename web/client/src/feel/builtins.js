// The built-in functions: feelin's where they are right, ours where the standard says otherwise or feelin has none.
import { isRange } from 'feelin';

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
  'string join', 'count', 'all', 'any', 'append', 'concatenate', 'reverse', 'flatten', 'abs', 'sqrt', 'log', 'exp', 'odd', 'even',
  'get value', 'get entries', 'context merge', 'context put',
];
ADOPTED.forEach(adopt);

const POINTS = { before: 'ab', after: 'ab', finishes: 'b', 'finished by': 'a', includes: 'a', during: 'b', starts: 'b', 'started by': 'a', coincides: 'ab' };

for (const [name, relation] of Object.entries(RELATIONS)) {
  const points = POINTS[name] ?? '';
  const first = points.includes('b') ? 'point' : 'range1';
  define(name, `${first === 'point' ? 'point' : 'range1'}: any!, ${points === 'a' ? 'point' : 'range2'}: any!`, (a, b) => {
    if (!points && !(isRange(a) && isRange(b))) return complain(`${name}: two ranges are needed`);
    if (points === 'a' && !isRange(a)) return complain(`${name}: the first must be a range`);
    if (points === 'b' && !isRange(b)) return complain(`${name}: the second must be a range`);
    return relation(a, b) ?? complain(`${name}: ${typeOf(a)} and ${typeOf(b)} do not go together`);
  });
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
