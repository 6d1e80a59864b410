// Built-in functions: their parameters' types, the conversions DMN allows, and their complaints.
import { evaluate, FeelFunction } from 'feelin';

import { typeOf } from './compare.js';

/** The class of feelin's complaints: a function returns one instead of a value, which becomes null with a warning. */
const Complaint = evaluate('sqrt').value(-1).constructor;

export const isComplaint = (value) => value instanceof Complaint;
export const complain = (message) => new Complaint('INVALID_ARGUMENTS', message, {});

export const BUILTINS = new Map();

/** Takes over a function of feelin as it is. */
export function adopt(name) {
  const { value } = evaluate(name);
  BUILTINS.set(name, new FeelFunction(value, value.$args));
}

/**
 * Defines a function. `parameters` reads like `string: string, start position: number, length: number?`; a `?` may be left
 * out or null, `any` takes everything, `any!` everything but null. A list of one counts as its item, an item as a list of one.
 */
export function define(name, parameters, work) {
  const list = parameters === '' ? [] : parameters.split(', ').map((text) => text.split(': '));
  const checks = list.map(([, type]) => checkOf(type));
  BUILTINS.set(name, new FeelFunction((...given) => {
    const values = [];
    for (let at = 0; at < checks.length; at++) {
      const value = checks[at](given[at]);
      if (value === MISFIT) return complain(`${name}: ${list[at][0]} must be ${article(list[at][1])}, not ${typeOf(given[at])}`);
      values.push(value);
    }
    return work(...values);
  }, list.map(([parameter]) => parameter)));
}

/** Defines a function of any number of values, or of one list of them. */
export function defineOfList(name, work, parameter = 'list') {
  BUILTINS.set(name, new FeelFunction((...given) => {
    if (!given.length) return complain(`${name}: something to work on is missing`);
    if (given.length === 1 && given[0] === null) return null;
    return work(given.length === 1 && Array.isArray(given[0]) ? given[0] : given);
  }, [`...${parameter}`]));
}

const MISFIT = Symbol('misfit');
const article = (type) => `a ${type.replace(/[?!]$/, '')}`;

function checkOf(declared) {
  const optional = declared.endsWith('?');
  const type = declared.replace(/[?!]$/, '');
  const types = type.split('|');
  return (value) => {
    if (value === undefined) return optional ? undefined : MISFIT;
    if (value === null) return optional || declared === 'any' ? null : MISFIT;
    if (type === 'any') return value;
    if (type === 'list') return Array.isArray(value) ? value : [value];
    if (types.includes(typeOf(value))) return value;
    return Array.isArray(value) && value.length === 1 && types.includes(typeOf(value[0])) ? value[0] : MISFIT;
  };
}
