// Item definitions: whether a value conforms to a declared type, and the conversions that DMN allows (10.3.2.9.4).
import { FeelDate, FeelDateTime, FeelDuration, FeelTime, isFunction, isRange } from 'feelin';
import { Temporal } from 'temporal-polyfill';

import { BUILTINS, isComplaint } from './builtins.js';
import { compile } from './compiling.js';
import { namesOf } from './parsing.js';

/** Stands for a value that does not conform. */
export const MISFIT = Symbol('misfit');

const isContext = (value) => typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

const BUILT_IN = {
  Any: () => true,
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  date: (value) => value instanceof FeelDate,
  time: (value) => value instanceof FeelTime,
  'date and time': (value) => value instanceof FeelDateTime,
  'days and time duration': (value) => value instanceof FeelDuration && !value.yearsMonths,
  'years and months duration': (value) => value instanceof FeelDuration && value.yearsMonths,
  duration: (value) => value instanceof FeelDuration,
  context: isContext,
  list: Array.isArray,
  range: isRange,
  function: (value) => isFunction(value) || typeof value === 'function',
};

const ALIASES = {
  dateTime: 'date and time', dayTimeDuration: 'days and time duration', yearMonthDuration: 'years and months duration',
  any: 'Any', integer: 'number', long: 'number', double: 'number',
};

/** The types of a set of models: `byNamespace[namespace][name]`, with `imports[namespace][alias] = namespace`. */
export class Types {
  constructor(byNamespace, imports) {
    this.byNamespace = byNamespace;
    this.imports = imports;
  }

  /** The definition behind a type's name: a built-in's name, a definition, or null when there is none. */
  find(reference, namespace) {
    if (!reference) return null;
    const name = reference.replace(/^feel:/, '');
    const own = this.byNamespace[namespace]?.[name];
    if (own) return { definition: own, namespace };
    const builtIn = ALIASES[name] ?? name;
    if (Object.hasOwn(BUILT_IN, builtIn)) return { builtIn };
    const dot = name.indexOf('.');
    if (dot < 0) return null;
    const [first, rest] = [name.slice(0, dot), name.slice(dot + 1)];
    const imported = this.imports[namespace]?.[first];
    if (imported) return this.find(rest, imported);
    const part = this.byNamespace[namespace]?.[first]?.components?.find((component) => component.name === rest);
    return part ? { definition: part, namespace } : null;
  }

  /** The value as the type wants it, or MISFIT. An unknown or missing type takes anything. */
  fit(value, reference, namespace) {
    const found = this.find(reference, namespace);
    return found === null ? value : this.fitFound(value, found);
  }

  fitFound(value, { builtIn, definition, namespace }) {
    if (value === null || value === undefined) return null;
    return builtIn ? fitBuiltIn(value, builtIn) : this.fitDefinition(value, definition, namespace);
  }

  fitDefinition(value, definition, namespace) {
    if (definition.collection) return this.fitCollection(value, definition, namespace);
    const single = Array.isArray(value) && value.length === 1 && !this.isList(definition, namespace) ? value[0] : value;
    const fitted = this.fitSingle(single, definition, namespace);
    if (fitted === MISFIT || !allowed(fitted, definition.allowed)) return MISFIT;
    return allowed(fitted, definition.constraint) ? fitted : MISFIT;
  }

  fitCollection(value, definition, namespace) {
    const fitted = (Array.isArray(value) ? value : [value]).map((item) => (
      item === null ? null : this.fitSingle(item, definition, namespace)
    ));
    if (fitted.some((item) => item === MISFIT || !allowed(item, definition.allowed))) return MISFIT;
    return allowed(fitted, definition.constraint) ? fitted : MISFIT;
  }

  fitSingle(value, definition, namespace) {
    if (definition.function) return BUILT_IN.function(value) ? value : MISFIT;
    if (!definition.components?.length) return this.fit(value, definition.base, namespace);
    if (!isContext(value)) return MISFIT;
    const fitted = { ...value };
    for (const component of definition.components) {
      if (!Object.hasOwn(value, component.name)) return MISFIT;
      const part = value[component.name] === null ? null : this.fitDefinition(value[component.name], component, namespace);
      if (part === MISFIT) return MISFIT;
      fitted[component.name] = part;
    }
    return fitted;
  }

  isList(definition, namespace) {
    if (definition.collection || definition.base === 'list') return true;
    const base = this.find(definition.base, namespace);
    return Boolean(base?.definition && this.isList(base.definition, base.namespace)) || base?.builtIn === 'Any';
  }

  /** Whether a value is of a type that some model declares; null when none declares it. */
  declares(reference, value) {
    for (const namespace of Object.keys(this.byNamespace)) {
      const found = this.find(reference, namespace);
      if (!found?.definition) continue;
      if (Array.isArray(value) !== this.isList(found.definition, found.namespace)) return false;
      return this.fitFound(value, found) !== MISFIT;
    }
    return null;
  }

  /** A value from outside with its dates, times and durations read from text, for JSON has no others. */
  read(value, reference, namespace) {
    const found = this.find(reference, namespace);
    if (found === null || value === null || value === undefined) return value;
    if (found.builtIn) return typeof value === 'string' ? readText(value, found.builtIn) : value;
    return this.readDefined(value, found.definition, found.namespace);
  }

  readDefined(value, definition, namespace) {
    if (Array.isArray(value)) return value.map((item) => this.readDefined(item, definition, namespace));
    if (!definition.components?.length) return this.read(value, definition.base, namespace);
    if (!isContext(value)) return value;
    const known = new Map(definition.components.map((part) => [part.name, part]));
    return Object.fromEntries(Object.entries(value).map(([key, item]) => (
      [key, known.has(key) ? this.readDefined(item, known.get(key), namespace) : item]
    )));
  }

  /** The names inside a type, for the parser. */
  shape(reference, namespace, depth = 0) {
    const found = this.find(reference, namespace);
    return found?.definition && depth < 8 ? this.shapeOf(found.definition, found.namespace, depth) : 1;
  }

  shapeOf(definition, namespace, depth) {
    if (!definition.components?.length) return this.shape(definition.base, namespace, depth + 1);
    return Object.fromEntries(definition.components.map((part) => [part.name, this.shapeOf(part, namespace, depth + 1)]));
  }
}

const READERS = {
  date: 'date', time: 'time', 'date and time': 'date and time', duration: 'duration',
  'days and time duration': 'duration', 'years and months duration': 'duration',
};

function readText(text, type) {
  const made = READERS[type] ? BUILTINS.get(READERS[type]).fn(text) : text;
  return made === null || isComplaint(made) ? text : made;
}

function fitBuiltIn(value, name) {
  const fits = BUILT_IN[name];
  if (fits(value)) return value;
  if (name === 'list') return [value];
  if (Array.isArray(value)) return value.length === 1 && !Array.isArray(value[0]) ? fitBuiltIn(value[0], name) : MISFIT;
  if (name === 'date and time' && value instanceof FeelDate) {
    return new FeelDateTime(value.value.toPlainDateTime(new Temporal.PlainTime()), 'UTC');
  }
  return MISFIT;
}

/** Whether a value passes unary tests given as text; no text allows all. */
export function allowed(value, tests) {
  if (!tests || value === null || value === undefined) return true;
  const variables = { '?': value };
  return compile('UnaryTests', tests, namesOf(variables))(variables)(value) === true;
}
