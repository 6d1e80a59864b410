// Parsing: trees are kept, because a model's expressions are few and evaluated for ever.
import { parser, trackVariables } from 'lezer-feel';

const LIMIT = 2000;
const PLAIN_NAME = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;
const OWN = { 'get or else': 1 }; // a function of ours whose name would fall apart into operators
const trees = new Map();

/** The syntax tree of a text that may read the given names (see `namesOf`). */
export function tree(top, text, names) {
  const key = `${top}\n${names.odd ? names.key : ''}\n${text}`;
  const known = trees.get(key);
  if (known) return known;
  const made = parser.configure({ top, contextTracker: trackVariables(names.odd ? { ...names.shape, ...OWN } : OWN) }).parse(text);
  if (trees.size >= LIMIT) trees.clear();
  trees.set(key, made);
  return made;
}

/**
 * What the parser and the compiler must know of variables: their names, and the names inside them. Only names with spaces or
 * signs change how a text is read. `shapes` tells of names in variables that are null now but have a declared type.
 */
export function namesOf(values, shapes = {}) {
  const odd = { found: false };
  const shape = shapeOf(values, odd);
  for (const [name, declared] of Object.entries(shapes)) shape[name] = merged(declared, shape[name], odd);
  const list = Object.keys(values);
  return { list, shape, odd: odd.found, key: odd.found ? `${list.join('\n')}\n${JSON.stringify(shape)}` : list.join('\n') };
}

function merged(declared, seen, odd) {
  if (declared === 1) return seen ?? 1;
  for (const name of Object.keys(declared)) if (!PLAIN_NAME.test(name)) odd.found = true;
  if (seen === 1 || seen === undefined) return declared;
  const all = { ...declared, ...seen };
  return Object.fromEntries(Object.keys(all).map((key) => [key, merged(declared[key] ?? 1, seen[key], odd)]));
}

function shapeOf(value, odd) {
  if (Array.isArray(value)) return Object.assign({}, ...value.map((item) => shapeOf(item, odd)).filter((item) => item !== 1));
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return 1;
  return Object.fromEntries(Object.keys(value).map((key) => {
    if (!PLAIN_NAME.test(key)) odd.found = true;
    return [key, shapeOf(value[key], odd)];
  }));
}

/** The syntax errors of a text as [from, to, message]; empty when it parses. */
export function syntaxErrors(top, text, names) {
  const found = [];
  tree(top, text, names).iterate({
    enter(ref) {
      if (!ref.type.isError) return;
      const parent = ref.node.parent?.name ?? 'expression';
      const piece = text.slice(ref.from, ref.to);
      found.push([ref.from, ref.to, piece ? `${piece} is not expected in ${spell(parent)}` : `${spell(parent)} is not finished`]);
    },
  });
  return found;
}

function spell(node) {
  return `the ${node.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()}`;
}

const BINDERS = { InExpression: 'Name', FormalParameter: 'ParameterName', ContextEntry: 'Key' };

/**
 * The variables that a text reads and does not itself bind, in order of appearance. Those that stand in a filter come apart:
 * they may be the items' own.
 */
export function variablesOf(top, text, names) {
  const [read, filtered] = [new Set(), new Set()];
  const bound = new Set(['?', 'item', 'partial']);
  const root = tree(top, text, names);
  const clean = (ref) => text.slice(ref.from, ref.to).replace(/\s+/g, ' ').trim();
  let filters = 0;
  root.iterate({
    enter(ref) {
      const name = BINDERS[ref.name] && ref.node.getChild(BINDERS[ref.name]);
      if (name) bound.add(clean(name).replace(/^"|"$/g, ''));
      return ref.name !== 'Type';
    },
  });
  root.iterate({
    enter(ref) {
      if (ref.name === 'Type') return false;
      if (ref.name === '[' && ref.node.parent.name === 'FilterExpression') filters++;
      if (ref.name === ']' && ref.node.parent.name === 'FilterExpression') filters--;
      if (ref.name === 'VariableName' && !bound.has(clean(ref))) (filters ? filtered : read).add(clean(ref));
      return true;
    },
  });
  return [[...read], [...filtered].filter((name) => !read.has(name))];
}
