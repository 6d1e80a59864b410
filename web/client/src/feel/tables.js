// Decision tables: all hit policies of DMN (8.2.11).
import { boxed, DecisionError, literal, passes } from './boxed.js';
import { equal } from './compare.js';
import { allowed } from './types.js';

const same = (a, b) => equal(a, b) === true;

/** The result of a decision table. */
export function decisionTable(table, scope, run) {
  const inputs = inputValues(table, scope, run);
  if (inputs === null) return null;
  const hits = table.rules.filter((rule) => rule.cells.every((cell, at) => (
    cell === '' || cell === '-' || passes(cell, inputs[at].value, inputs[at].scope, rule.id)
  )));
  if (!hits.length) return defaultOutput(table, scope, run);
  const outputs = (rules) => rules.map((rule) => output(table, rule, scope, run));
  return POLICIES[table.policy](hits, outputs, table, run);
}

function inputValues(table, scope, run) {
  const values = [];
  for (const input of table.inputs) {
    const value = run.fit(input.text.trim() ? literal(input.text, scope, input.id) : null, input.type, input.id);
    if (!allowed(value, input.allowed)) {
      run.warn('INPUT_NOT_ALLOWED', `${input.text} is not among the values that the table allows: ${input.allowed}`, input.id);
      return null;
    }
    values.push({ value, scope: scope.with({ '?': value }, { '?': run.shape(input.type) }) });
  }
  return values;
}

function output(table, rule, scope, run) {
  const values = table.outputs.map(({ type }, at) => (
    run.fit(rule.outputs[at].trim() ? literal(rule.outputs[at], scope, rule.id) : null, type, rule.id)
  ));
  return shaped(table, values);
}

function shaped(table, values) {
  return values.length === 1 ? values[0] : Object.fromEntries(table.outputs.map(({ name }, at) => [name, values[at]]));
}

function defaultOutput(table, scope, run) {
  if (!table.outputs.some((one) => one.default)) return null;
  return shaped(table, table.outputs.map((one) => (one.default ? literal(one.default, scope, one.id) : null)));
}

const POLICIES = {
  UNIQUE(hits, outputs, table, run) {
    if (hits.length > 1) {
      throw new DecisionError(`the hit policy is UNIQUE, but the rules ${named(hits)} apply together`, { element: table.id });
    }
    return only(hits[0], outputs, run);
  },
  FIRST: (hits, outputs, table, run) => only(hits[0], outputs, run),
  ANY(hits, outputs, table, run) {
    const results = outputs(hits);
    if (results.some((result) => !same(result, results[0]))) {
      throw new DecisionError(`the hit policy is ANY, but the rules ${named(hits)} differ in their results`, { element: table.id });
    }
    hits.forEach((rule) => run.hit(rule));
    return results[0];
  },
  PRIORITY(hits, outputs, table, run) {
    const [first] = ranked(hits, outputs(hits), table);
    run.hit(first.rule);
    return first.result;
  },
  'OUTPUT ORDER': (hits, outputs, table, run) => ranked(hits, outputs(hits), table).map(({ rule, result }) => {
    run.hit(rule);
    return result;
  }),
  'RULE ORDER': (hits, outputs, table, run) => all(hits, outputs, run),
  COLLECT(hits, outputs, table, run) {
    const results = all(hits, outputs, run);
    return table.aggregation ? AGGREGATIONS[table.aggregation](results) : results;
  },
};

const numbers = (results, combine) => (results.every((result) => typeof result === 'number') ? results.reduce(combine) : null);

const AGGREGATIONS = {
  SUM: (results) => numbers(results, (a, b) => a + b),
  MIN: (results) => numbers(results, (a, b) => Math.min(a, b)),
  MAX: (results) => numbers(results, (a, b) => Math.max(a, b)),
  COUNT: (results) => results.length,
};

function only(rule, outputs, run) {
  run.hit(rule);
  return outputs([rule])[0];
}

function all(hits, outputs, run) {
  hits.forEach((rule) => run.hit(rule));
  return outputs(hits);
}

/** Hits by the place of their results in the outputs' value lists, first output first; rule order breaks ties. */
function ranked(hits, results, table) {
  const orders = table.outputs.map((one) => one.order);
  const places = (result) => orders.map((order, at) => {
    const value = table.outputs.length === 1 ? result : result[table.outputs[at].name];
    const place = order.findIndex((candidate) => same(candidate, value));
    return place < 0 ? order.length : place;
  });
  return hits.map((rule, at) => ({ rule, result: results[at], places: places(results[at]), at })).sort((a, b) => {
    const differing = a.places.findIndex((place, at) => place !== b.places[at]);
    return differing < 0 ? a.at - b.at : a.places[differing] - b.places[differing];
  });
}

const named = (rules) => rules.map(({ number, id }) => (id ? `${number} (${id})` : number)).join(', ');

/** Fills in what is constant in a table: the ranking of output values. */
export function prepareTable(table, scope) {
  for (const one of table.outputs) {
    const value = one.allowed ? literal(`[${one.allowed}]`, scope, one.id) : [];
    Object.defineProperty(one, 'order', { value: Array.isArray(value) ? value : [] });
  }
}
