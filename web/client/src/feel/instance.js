// `x instance of T`, and the types of a function's parameters.
import { FeelDuration } from 'feelin';

import { typeOf } from './compare.js';
import { entry } from './names.js';

const NAMED = {
  Any: (value) => value !== null,
  any: (value) => value !== null,
  Null: (value) => value === null,
  duration: (value) => value instanceof FeelDuration,
};
const TYPES = new Set([
  'string', 'number', 'boolean', 'date', 'time', 'date and time', 'days and time duration', 'years and months duration', 'list',
  'context', 'range', 'function',
]);

let declared = () => null;

/** Tells which types a model declares: a function of a name and a value, null for an unknown name. */
export function declareTypes(test) {
  declared = test;
}

/** A test of a value for a Type node. */
export function typeTest(node, text) {
  const type = node.name === 'Type' ? node.firstChild : node;
  const types = (parent) => parent.getChildren('Type').map((one) => typeTest(one, text));
  if (type.name === 'ListType') {
    const [item] = types(type);
    return (value) => Array.isArray(value) && value.every((one) => one === null || item(one));
  }
  if (type.name === 'ContextType') return contextTest(type, text);
  if (type.name === 'FunctionType') return (value) => typeOf(value) === 'function';
  const name = text.slice(type.from, type.to).replace(/\s+/g, ' ').trim();
  if (NAMED[name]) return NAMED[name];
  if (TYPES.has(name)) return (value) => typeOf(value) === name;
  return (value) => value !== null && declared(name, value) === true;
}

function contextTest(type, text) {
  const entries = type.getChild('ContextEntryTypes')?.getChildren('ContextEntryType') ?? [];
  const tests = entries.map((one) => {
    const name = one.firstChild;
    return [text.slice(name.from, name.to).replace(/\s+/g, ' '), typeTest(one.getChild('Type'), text)];
  });
  return (value) => typeOf(value) === 'context' && tests.every(([name, test]) => {
    const found = entry(value, name);
    return found !== undefined && (found === null || test(found));
  });
}
