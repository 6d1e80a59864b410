// Parsing: trees are kept, because a model's expressions are few and evaluated for ever.
import { parser, trackVariables } from 'lezer-feel';

const LIMIT = 2000;
const PLAIN_NAME = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;
const trees = new Map();
const configure = parser.configure.bind(parser);
let names = { shape: {}, key: '' };

/** Stands for the names that `know` was last told, as far as they change how a text is read. */
export const namesKey = () => names.key;

/** The syntax tree of a text, for the variables last given to `know`. */
export function tree(top, text) {
  const key = `${top}\n${names.key}\n${text}`;
  const known = trees.get(key);
  if (known) return known;
  const made = configure({ top, contextTracker: trackVariables(names.shape) }).parse(text);
  if (trees.size >= LIMIT) trees.delete(trees.keys().next().value);
  trees.set(key, made);
  return made;
}

/** Tells the parser which variables exist: only names with spaces or signs change how a text is read. */
export function know(context) {
  const odd = { found: false };
  const shape = shapeOf(context, odd);
  names = odd.found ? { shape, key: JSON.stringify(shape) } : { shape: {}, key: '' };
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
export function syntaxErrors(top, text) {
  const found = [];
  tree(top, text).iterate({
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

/** The variables that a text reads and does not itself bind, in order of appearance. */
export function variablesOf(top, text) {
  const read = new Set();
  const bound = new Set(['?', 'item', 'partial']);
  const root = tree(top, text);
  const clean = (ref) => text.slice(ref.from, ref.to).replace(/`/g, '').replace(/\s+/g, ' ').trim();
  root.iterate({
    enter(ref) {
      const name = BINDERS[ref.name] && ref.node.getChild(BINDERS[ref.name]);
      if (name) bound.add(clean(name).replace(/^"|"$/g, ''));
    },
  });
  root.iterate({ enter(ref) { if (ref.name === 'VariableName' && !bound.has(clean(ref))) read.add(clean(ref)); } });
  return [...read];
}
