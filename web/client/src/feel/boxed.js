// Boxed expressions: literal, context, list, relation, invocation, function, conditional, filter, iterator, decision table.
import { FeelFunction, isFunction } from 'feelin';

import { isComplaint } from './builtins.js';
import { compile } from './compiling.js';
import { itemsOf } from './iterations.js';
import { define } from './names.js';
import { namesOf } from './parsing.js';
import { decisionTable } from './tables.js';
import { MISFIT } from './types.js';

/** An evaluation that cannot go on; says where. */
export class DecisionError extends Error {
  constructor(message, { element = null, text = null } = {}) {
    super(message);
    Object.assign(this, { element, text });
  }
}

/** The variables that an expression sees. */
export class Scope {
  constructor(values, shapes = {}) {
    this.values = values;
    this.shapes = shapes;
    this.known = null;
  }

  get names() {
    return this.known ??= namesOf(this.values, this.shapes);
  }

  with(values, shapes = {}) {
    return new Scope({ ...this.values, ...values }, { ...this.shapes, ...shapes });
  }
}

/** The value of a boxed expression, as its declared type wants it. `run` carries types, namespace, hits and warnings. */
export function boxed(expression, scope, run) {
  if (!expression) return null;
  const value = KINDS[expression.kind](expression, scope, run);
  return run.fit(value ?? null, expression.type, expression.id);
}

/** The value of a FEEL text. */
export function literal(text, scope, element) {
  return evaluated(() => compile('Expression', text, scope.names)(scope.values), text, element) ?? null;
}

/** Whether a value passes a cell. */
export function passes(text, value, scope, element) {
  return evaluated(() => compile('UnaryTests', text, scope.names)(scope.values)(value), text, element) === true;
}

function evaluated(work, text, element) {
  try {
    return work();
  } catch (error) {
    if (error instanceof DecisionError) throw error;
    const where = error.position ? ` at character ${error.position.from + 1}` : '';
    throw new DecisionError(`${error.message}${where}`, { element, text });
  }
}

const KINDS = {
  literal: ({ text, id }, scope) => (text.trim() ? literal(text, scope, id) : null),
  context: boxedContext,
  list: ({ items }, scope, run) => items.map((item) => boxed(item, scope, run)),
  relation: ({ columns, rows }, scope, run) => rows.map((row) => (
    Object.fromEntries(columns.map(({ name, type }, at) => [name, run.fit(boxed(row[at], scope, run), type)]))
  )),
  invocation: boxedInvocation,
  function: (expression, scope, run) => functionOf(expression, (values, shapes) => scope.with(values, shapes), run),
  conditional: (e, scope, run) => boxed(boxed(e.if, scope, run) === true ? e.then : e.else, scope, run),
  filter: boxedFilter,
  for: boxedFor,
  some: (e, scope, run) => quantified(e, scope, run, true),
  every: (e, scope, run) => quantified(e, scope, run, false),
  table: (expression, scope, run) => decisionTable(expression, scope, run),
};

function boxedContext({ entries }, scope, run) {
  const result = {};
  let inner = scope;
  for (const { name, type, expression } of entries) {
    const value = run.fit(boxed(expression, inner, run), type, expression?.id);
    if (name === null) return value;
    define(result, name, value);
    inner = inner.with({ [name]: value }, { [name]: run.shape(type) });
  }
  return result;
}

function boxedInvocation({ called, bindings, id }, scope, run) {
  const target = boxed(called, scope, run);
  const bound = Object.fromEntries(bindings.map(({ name, expression }) => [name, boxed(expression, scope, run)]));
  if (!isFunction(target)) {
    run.warn('NO_FUNCTION_FOUND', 'What is invoked is not a function', id);
    return null;
  }
  const unknown = Object.keys(bound).find((name) => !target.parameterNames.includes(name));
  if (unknown === undefined) return settled(target.invoke(bound), run, id);
  run.warn('FUNCTION_INVOCATION_FAILURE', `The function has no parameter ${unknown}`, id);
  return null;
}

function settled(value, run, id) {
  if (!isComplaint(value)) return value;
  run.warn(value.warning, value.template, id);
  return null;
}

/** A FEEL function of a boxed function's body. Arguments that do not fit their parameter's type make the result null. */
export function functionOf({ parameters, language, body, id }, scopeOf, run) {
  const names = parameters.map(({ name }) => name);
  return new FeelFunction((...given) => {
    if (language !== 'FEEL') {
      run.warn('UNSUPPORTED', `Functions in ${language} are not evaluated`, id);
      return null;
    }
    const values = {};
    const shapes = {};
    for (const [at, { name, type }] of parameters.entries()) {
      if (given[at] === undefined) {
        run.warn('FUNCTION_INVOCATION_FAILURE', `The argument ${name} is missing`, id);
        return null;
      }
      const value = run.types.fit(given[at], type, run.namespace);
      if (value === MISFIT) {
        run.warn('INVALID_TYPE', `The argument ${name} is no ${type}`, id);
        return null;
      }
      define(values, name, value);
      define(shapes, name, run.shape(type));
    }
    return run.nested(() => boxed(body, scopeOf(values, shapes), run));
  }, names);
}

function boxedFilter({ in: source, match }, scope, run) {
  const value = boxed(source, scope, run);
  if (value === null) return null;
  const items = Array.isArray(value) ? value : [value];
  const kept = [];
  for (const item of items) {
    const own = item !== null && typeof item === 'object' && Object.getPrototypeOf(item) === Object.prototype ? item : {};
    const result = boxed(match, scope.with({ item, ...own }), run);
    if (typeof result === 'number') return items[result < 0 ? items.length + result : result - 1] ?? null;
    if (result === true) kept.push(item);
  }
  return kept;
}

/** A literal `a..b` stands for a range here, as it does in FEEL's own `for`. */
function collection(source) {
  const open = source?.kind === 'literal' && /^[^[\](){}"]*\.\.[^[\](){}"]*$/.test(source.text);
  return open ? { ...source, text: `[${source.text}]` } : source;
}

function boxedFor({ variable, in: source, return: body }, scope, run) {
  const value = boxed(collection(source), scope, run);
  if (value === null) return null;
  const partial = [];
  for (const item of itemsOf(value) ?? []) partial.push(boxed(body, scope.with({ [variable]: item, partial }), run));
  return partial;
}

function quantified({ variable, in: source, satisfies }, scope, run, wanted) {
  const value = boxed(collection(source), scope, run);
  if (value === null) return null;
  let unknown = false;
  for (const item of itemsOf(value) ?? []) {
    const result = boxed(satisfies, scope.with({ [variable]: item }), run);
    if (result === wanted) return wanted;
    if (typeof result !== 'boolean') unknown = true;
  }
  return unknown ? null : !wanted;
}
