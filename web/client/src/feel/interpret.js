// From syntax tree to closure. A text is compiled once: the closure takes a scope and gives a value. The tree is lezer-feel's
// (the grammar of the editors), values and most built-in functions are feelin's; feelin's own interpreter is not used because
// it builds its closures anew for each evaluation, which costs twenty times as much, and filters outside the item's scope.
import { FeelFunction, isFunction, isRange } from 'feelin';

import { OPERATORS } from './arithmetic.js';
import { BUILTINS, isComplaint } from './builtins.js';
import { order, typeOf } from './compare.js';
import { typeTest } from './instance.js';
import { compileIterations, iterate } from './iterations.js';
import { define, entry, inner } from './names.js';
import { partsOf } from './nodes.js';
import { rangeOf } from './ranges.js';
import { property } from './temporal.js';
import { compare, compileUnaryTests, holds, isIn, simpleTest, Test } from './unary.js';
import { escaped } from './text.js';

let noted = [];

/** What was swallowed since the last call: [type, message, from, to, text]. */
export function takeWarnings() {
  const taken = noted;
  noted = [];
  return taken;
}

/** The closure of a tree of `top` Expression or UnaryTests. */
export function interpret(root, text) {
  return new Compilation(text).compile(root);
}

class Compilation {
  constructor(text) {
    this.text = text;
  }

  compile(node) {
    const compiler = COMPILERS[node.name];
    if (!compiler) throw new Error(`${node.name} is not understood`);
    return compiler.call(this, partsOf(node), node);
  }

  textOf(node) {
    return this.text.slice(node.from, node.to);
  }

  /** A name's parts with one space between them. */
  nameOf(node) {
    return partsOf(node).map((part) => this.textOf(part)).join(' ') || this.textOf(node);
  }

  warn(node, type, message) {
    if (noted.length < 100) noted.push([type, message, node.from, node.to, this.text]);
    return null;
  }

  /** The value, or null with a warning when it is a built-in's complaint. */
  settled(value, node) {
    if (value === undefined) return null;
    if (!isComplaint(value)) return value;
    return this.warn(node, value.warning, value.template.replace(/\{(\w+)\}/g, (found, key) => (Object.hasOwn(value.values, key) ? shown(value.values[key]) : found)));
  }
}

function shown(value) {
  return typeof value === 'string' ? `"${value}"` : ['number', 'boolean'].includes(typeof value) ? String(value) : typeOf(value);
}

const COMPILERS = {
  Expression([body]) {
    return this.compile(body);
  },
  ParenthesizedExpression([, body]) {
    return this.compile(body);
  },
  null: () => () => null,
  NumericLiteral(_, node) {
    const value = Number(this.textOf(node).replace(/\s+/g, '')); // the grammar takes `- 1` for one literal
    return () => value;
  },
  BooleanLiteral(_, node) {
    const value = this.textOf(node) === 'true';
    return () => value;
  },
  StringLiteral(_, node) {
    const value = escaped(this.textOf(node).slice(1, -1));
    return () => value;
  },
  '?': () => (scope) => ('?' in scope ? scope['?'] ?? null : null),
  VariableName(_, node) {
    const name = this.nameOf(node);
    const builtin = BUILTINS.get(name);
    return (scope) => {
      if (name in scope && scope[name] !== undefined) return scope[name];
      return builtin ?? this.warn(node, 'NO_VARIABLE_FOUND', `Variable '${name}' not found`);
    };
  },
  SpecialFunctionName(_, node) {
    const builtin = BUILTINS.get(this.textOf(node).replace(/\s+/g, ' '));
    return () => builtin ?? null;
  },
  List(parts) {
    const items = parts.slice(1, -1).map((part) => this.compile(part));
    return (scope) => items.map((item) => item(scope));
  },
  Context: compileContext,
  PathExpression: compilePath,
  FilterExpression: compileFilter,
  FunctionInvocation([called, , given], node) {
    const target = this.compile(called);
    const parameters = given?.name.endsWith('Parameters') ? this.compile(given) : () => [];
    return (scope) => invoke(this, node, target(scope), parameters(scope));
  },
  PositionalParameters(parts) {
    const values = parts.map((part) => this.compile(part));
    return (scope) => values.map((value) => value(scope));
  },
  NamedParameters(parts) {
    const named = parts.map((part) => {
      const [name, value] = partsOf(part);
      return [this.nameOf(partsOf(name)[0] ?? name), this.compile(value)];
    });
    return (scope) => Object.fromEntries(named.map(([name, value]) => [name, value(scope)]));
  },
  DateTimeLiteral([first, , given], node) {
    if (first.name === 'AtLiteral') {
      const literal = this.compile(partsOf(first)[0]);
      return (scope) => this.settled(BUILTINS.get('@').invoke([literal(scope)]), node);
    }
    const target = BUILTINS.get(this.textOf(first).replace(/\s+/g, ' '));
    const parameters = given?.name.endsWith('Parameters') ? this.compile(given) : () => [];
    return (scope) => invoke(this, node, target, parameters(scope));
  },
  FunctionDefinition: compileFunction,
  FunctionBody([body]) {
    return this.compile(body);
  },
  IfExpression([, condition, , then, , otherwise]) {
    const [test, yes, no] = [this.compile(condition), this.compile(then), otherwise ? this.compile(otherwise) : () => null];
    return (scope) => (test(scope) === true ? yes(scope) : no(scope));
  },
  ForExpression: compileFor,
  QuantifiedExpression: compileQuantified,
  Disjunction: junction(true),
  Conjunction: junction(false),
  Comparison: compileComparison,
  ArithmeticExpression: compileArithmetic,
  InstanceOfExpression([value, , , type]) {
    const [subject, test] = [this.compile(value), typeTest(type, this.text)];
    return (scope) => test(subject(scope));
  },
  SimplePositiveUnaryTest(parts, node) {
    if (parts.length === 1) return this.compile(parts[0]);
    const [operator, operand] = [this.textOf(parts[0]), this.compile(parts[1])];
    return (scope) => simpleTest(this, node, operator, operand(scope));
  },
  Interval([open, low, , high, close], node) {
    const [start, end] = [this.compile(low), this.compile(high)];
    const [startIncluded, endIncluded] = [this.textOf(open) === '[', this.textOf(close) === ']'];
    return (scope) => {
      const [from, to] = [start(scope), end(scope)];
      const range = rangeOf(from, to, from !== null && startIncluded, to !== null && endIncluded);
      if (range === null) return this.warn(node, 'INVALID_TYPE', 'The ends of the range do not go together');
      if (from === null || to === null) Object.defineProperty(range, 'unsure', { value: true });
      return range;
    };
  },
  PositiveUnaryTest([test]) {
    return this.compile(test);
  },
  PositiveUnaryTests(parts) {
    const tests = parts.map((part) => this.compile(part));
    return (scope) => tests.map((test) => test(scope));
  },
  UnaryTests: compileUnaryTests,
  Wildcard: () => () => true,
};

function compileContext(parts) {
  const entries = parts.slice(1, -1).map((part) => {
    const [key, value] = partsOf(part);
    const named = partsOf(key)[0] ?? key;
    const name = named.name === 'StringLiteral' ? escaped(this.textOf(named).slice(1, -1)) : this.nameOf(named);
    return [name, this.compile(value), key];
  });
  return (scope) => {
    const result = {};
    const nested = inner(scope);
    for (const [name, value, node] of entries) {
      if (Object.hasOwn(result, name)) return this.warn(node, 'INVALID_ARGUMENTS', `The entry '${name}' is there twice`);
      const given = value(nested);
      define(result, name, given);
      Object.assign(nested, { [name]: given });
    }
    return result;
  };
}

function compilePath([target, , path], node) {
  const value = this.compile(target);
  const name = this.nameOf(path);
  const one = (holder) => {
    const found = member(holder, name);
    if (found !== undefined) return found;
    return typeOf(holder) === 'context'
      ? this.warn(node, 'NO_CONTEXT_ENTRY_FOUND', `Key '${name}' not found`)
      : this.warn(node, 'NO_PROPERTY_FOUND', `Property '${name}' not found in ${typeOf(holder)}`);
  };
  return (scope) => {
    const holder = value(scope);
    return Array.isArray(holder) ? holder.map(one) : one(holder);
  };
}

const RANGE_PARTS = ['start', 'end', 'start included', 'end included'];

function member(holder, name) {
  const type = typeOf(holder);
  if (type === 'context') return entry(holder, name);
  if (type === 'range') return RANGE_PARTS.includes(name) ? holder[name] : undefined;
  return type === 'null' ? undefined : property(holder, name);
}

function compileFilter([target, , filter]) {
  const [value, test] = [this.compile(target), this.compile(filter)];
  return (scope) => {
    const found = value(scope);
    if (found === null) return null;
    const items = Array.isArray(found) ? found : [found];
    if (!items.length) return typeof test(inner(scope, { item: null })) === 'number' ? null : [];
    const kept = [];
    for (const item of items) {
      const result = test(inner(scope, typeOf(item) === 'context' ? { item, ...item } : { item }));
      if (typeof result === 'number') return items[result < 0 ? items.length + result : result - 1] ?? null;
      if (result === true || ((result instanceof Test || isRange(result)) && holds(result, item) === true)) kept.push(item);
    }
    return kept;
  };
}

function invoke(compilation, node, target, given) {
  if (isFunction(target)) return compilation.settled(target.invoke(given), node);
  return compilation.warn(node, 'NO_FUNCTION_FOUND', 'What is called is not a function');
}

function compileFunction(parts, node) {
  const formal = parts.find((part) => part.name === 'FormalParameters');
  const parameters = (formal ? partsOf(formal) : []).map((part) => {
    const [name, type] = partsOf(part);
    return { name: this.nameOf(partsOf(name)[0] ?? name), fits: type ? typeTest(type, this.text) : null };
  });
  const names = parameters.map(({ name }) => name);
  if (parts.some((part) => part.name === 'external')) {
    return () => new FeelFunction(() => this.warn(node, 'UNSUPPORTED', 'Functions outside FEEL are not evaluated'), names);
  }
  const body = this.compile(parts.at(-1));
  return (scope) => new FeelFunction((...given) => {
    if (given.length < names.length || given.includes(undefined)) {
      return this.warn(node, 'FUNCTION_INVOCATION_FAILURE', `The function takes ${names.length} arguments`);
    }
    const values = parameters.map(({ fits }, at) => (fits ? converted(given[at], fits) : given[at]));
    const misfit = values.indexOf(undefined);
    if (misfit >= 0) return this.warn(node, 'INVALID_TYPE', `The argument ${names[misfit]} is of another type`);
    return body(inner(scope, Object.fromEntries(names.map((name, at) => [name, values[at]]))));
  }, names);
}

/** A value as a type wants it: itself, the only item of a list, or a list of itself; undefined when none fits. */
function converted(value, fits) {
  if (value === null || fits(value)) return value;
  if (Array.isArray(value)) return value.length === 1 && fits(value[0]) ? value[0] : undefined;
  return fits([value]) ? [value] : undefined;
}

function compileFor([, clause, , body]) {
  const iterations = compileIterations(this, clause);
  const result = this.compile(body);
  return (scope) => {
    const partial = [];
    const done = iterate(iterations, inner(scope, { partial }), (nested) => {
      partial.push(result(nested));
      return false;
    });
    return done === null ? null : partial;
  };
}

function compileQuantified([quantifier, clause, , condition]) {
  const wanted = quantifier.name === 'some';
  const iterations = compileIterations(this, clause);
  const test = this.compile(condition);
  return (scope) => {
    let unknown = false;
    const done = iterate(iterations, scope, (nested) => {
      const result = test(nested);
      if (typeof result !== 'boolean') unknown = true;
      return result === wanted;
    });
    if (done === null) return null;
    return done ? wanted : unknown ? null : !wanted;
  };
}

/** Three-valued `or` (decided by true) and `and` (decided by false). */
function junction(decisive) {
  return function compileJunction([left, , right]) {
    const [a, b] = [this.compile(left), this.compile(right)];
    return (scope) => {
      const first = a(scope);
      if (first === decisive) return decisive;
      const second = b(scope);
      if (second === decisive) return decisive;
      return first === !decisive && second === !decisive ? !decisive : null;
    };
  };
}

function compileComparison(parts, node) {
  const value = this.compile(parts[0]);
  const operator = this.textOf(parts[1]);
  if (operator === 'between') {
    const [low, high] = [this.compile(parts[2]), this.compile(parts[4])];
    return (scope) => {
      const [a, b, c] = [value(scope), order(value(scope), low(scope)), order(value(scope), high(scope))];
      return a === null || b === null || c === null ? null : b >= 0 && c <= 0;
    };
  }
  if (operator === 'in') {
    const single = parts[2].name !== '(';
    const tests = this.compile(single ? parts[2] : parts[3]);
    return (scope) => isIn(value(scope), single ? [tests(scope)] : tests(scope));
  }
  const right = this.compile(parts[2]);
  return (scope) => compare(this, node, operator, value(scope), right(scope));
}

function compileArithmetic(parts, node) {
  const complain = (values) => this.warn(node, 'INVALID_TYPE', `${values.map(typeOf).join(' and ')} do not go with ${this.textOf(node)}`);
  if (parts.length === 2) {
    const operand = this.compile(parts[1]);
    return (scope) => {
      const value = operand(scope);
      const result = OPERATORS.negate(value);
      return result === undefined ? complain([value]) : result;
    };
  }
  const [left, right, operator] = [this.compile(parts[0]), this.compile(parts[2]), OPERATORS[this.textOf(parts[1])]];
  return (scope) => {
    const [a, b] = [left(scope), right(scope)];
    const result = operator(a, b);
    return result === undefined ? complain([a, b]) : result;
  };
}
