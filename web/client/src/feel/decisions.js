// Decision requirement graphs: which values a decision, a business knowledge model or a decision service needs, and its result.
import { FeelFunction } from 'feelin';

import { isComplaint } from './builtins.js';
import { boxed, DecisionError, functionOf, Scope } from './boxed.js';
import { declareTypes } from './instance.js';
import { define } from './names.js';
import { prepareTable } from './tables.js';
import { MISFIT, Types } from './types.js';

const LIMIT = 200;
const DEPTH = 400;
const models = new Map();

/** Keeps a compiled set of models under its key. */
export function keep(key, set) {
  if (models.size >= LIMIT) models.delete(models.keys().next().value);
  const tables = (node) => {
    if (node === null || typeof node !== 'object') return;
    if (node.kind === 'table') prepareTable(node, new Scope({}));
    Object.values(node).forEach(tables);
  };
  tables(set.nodes);
  models.set(key, { ...set, types: new Types(set.types, set.imports) });
}

/** Whether a set of models is kept. */
export const isKept = (key) => models.has(key);

/** Evaluates a node of a kept set: {value, hits, warnings}. */
export function decide(key, node, inputs) {
  const set = models.get(key);
  const evaluation = new Evaluation(set, inputs);
  declareTypes((name, value) => set.types.declares(name, value));
  const target = set.nodes[node];
  try {
    const value = target.kind === 'decision' ? evaluation.value(node) : evaluation.invoke(node, inputs);
    return { value, hits: evaluation.hits, warnings: evaluation.warnings };
  } finally {
    declareTypes(() => null);
  }
}

class Evaluation {
  constructor(set, inputs, given = new Map(), outer = null) {
    this.set = set;
    this.inputs = inputs;
    this.values = given;
    this.hits = outer?.hits ?? [];
    this.warnings = outer?.warnings ?? [];
    this.depth = outer?.depth ?? { now: 0 };
  }

  value(key) {
    if (this.values.has(key)) return this.values.get(key);
    const node = this.set.nodes[key];
    const value = this.nested(() => VALUES[node.kind](this, node), node);
    this.values.set(key, value);
    return value;
  }

  nested(work, node = null) {
    if (++this.depth.now > DEPTH) throw new DecisionError('it requires itself or calls itself without end', { element: node?.id });
    try {
      return work();
    } finally {
      this.depth.now--;
    }
  }

  scope(node) {
    const values = node.open ? { ...this.inputs } : {};
    const shapes = {};
    for (const { key, alias } of node.requires) {
      const required = this.set.nodes[key];
      place(values, alias, required, this.value(key));
      place(shapes, alias, required, this.set.types.shape(required.type, required.namespace));
    }
    return new Scope(values, shapes);
  }

  /** What boxed expressions need to know besides their scope. */
  run(node) {
    const { types } = this.set;
    const { namespace } = node;
    return {
      types, namespace,
      shape: (type) => types.shape(type, namespace),
      nested: (work) => this.nested(work, node),
      hit: (rule) => this.hits.push({ decision: node.id, rule: rule.id, number: rule.number }),
      warn: (type, message, element) => this.warnings.push({ type, message, element: element ?? node.id }),
      fit: (value, type, element) => {
        const fitted = type ? types.fit(value, type, namespace) : value;
        if (fitted !== MISFIT) return fitted;
        this.warnings.push({ type: 'INVALID_TYPE', message: `A value does not conform to ${type} and became null`, element: element ?? node.id });
        return null;
      },
    };
  }

  invoke(key, inputs) {
    const node = this.set.nodes[key];
    const target = this.value(key);
    const { types, nodes } = this.set;
    const given = node.parameters.map(({ name, key: of, type }) => (
      types.read(inputs[name] ?? null, type ?? nodes[of]?.type, nodes[of]?.namespace ?? node.namespace)
    ));
    const result = target.invoke(given);
    if (!isComplaint(result)) return result;
    this.run(node).warn(result.warning, result.template);
    return null;
  }

  /** A decision service as a function: its inputs replace what the graph would find. */
  service(node) {
    return new FeelFunction((...given) => {
      const run = this.run(node);
      const values = new Map();
      for (const [at, { key }] of node.parameters.entries()) {
        const required = this.set.nodes[key];
        const fitted = this.set.types.fit(given[at] ?? null, required.type, required.namespace);
        if (given[at] === undefined || fitted === MISFIT) {
          run.warn('INVALID_ARGUMENTS', `The argument ${required.name} is missing or no ${required.type}`);
          return null;
        }
        values.set(key, fitted);
      }
      const inner = new Evaluation(this.set, {}, values, this);
      const results = node.outputs.map((key) => [this.set.nodes[key].name, inner.value(key)]);
      return run.fit(results.length === 1 ? results[0][1] : Object.fromEntries(results), node.type);
    }, node.parameters.map(({ name }) => name));
  }
}

const VALUES = {
  input: (evaluation, node) => {
    const given = evaluation.set.types.read(inputOf(evaluation.inputs, node) ?? null, node.type, node.namespace);
    return evaluation.run(node).fit(given, node.type);
  },
  decision: (evaluation, node) => {
    const run = evaluation.run(node);
    return run.fit(boxed(node.expression, evaluation.scope(node), run), node.type);
  },
  knowledge: (evaluation, node) => {
    const run = evaluation.run(node);
    const made = functionOf(node.function, (values, shapes) => evaluation.scope(node).with(values, shapes), run);
    return new FeelFunction((...given) => run.fit(made.fn(...given), node.type), made.parameterNames);
  },
  service: (evaluation, node) => evaluation.service(node),
};

/** Input data by its name; that of an imported model also below the import's name. */
function inputOf(inputs, { name, path }) {
  if (path.length) {
    const holder = path.reduce((found, alias) => found?.[alias], inputs);
    if (holder !== null && typeof holder === 'object' && Object.hasOwn(holder, name)) return holder[name];
    const dotted = [...path, name].join('.');
    if (Object.hasOwn(inputs, dotted)) return inputs[dotted];
  }
  return Object.hasOwn(inputs, name) ? inputs[name] : null;
}

function place(target, alias, { name, id, open }, value) {
  const names = open ? [name, id] : [name];
  if (!alias) {
    for (const one of names) define(target, one, value);
    return;
  }
  if (!Object.hasOwn(target, alias)) define(target, alias, {});
  define(target[alias], name, value);
}
