// Compiled texts, kept by what they are and which variables there are: a model's expressions are few and evaluated for ever.
import { interpret } from './interpret.js';
import { scopeOf } from './names.js';
import { syntaxErrors, tree } from './parsing.js';

const LIMIT = 4000;
const compiled = { Expression: new Map(), UnaryTests: new Map() };
let size = 0;

/** A text that does not parse. */
export class SyntaxProblem extends Error {
  constructor([from, to, message]) {
    super(message);
    this.position = { from, to };
  }
}

/** The compiled text: a function from variables (with the names given here) to the value, or to the test of a value. */
export function compile(top, text, names) {
  const key = names.odd ? names.key : '';
  let texts = compiled[top].get(key);
  if (!texts) compiled[top].set(key, texts = new Map());
  let run = texts.get(text);
  if (run) return run;
  run = compileAnew(top, text, names);
  if (++size > LIMIT) {
    Object.values(compiled).forEach((known) => known.clear());
    size = 1;
  }
  texts.set(text, run);
  return run;
}

function compileAnew(top, text, names) {
  const [error] = syntaxErrors(top, text, names);
  if (error) throw new SyntaxProblem(error);
  const run = interpret(tree(top, text, names).topNode, text);
  return (variables) => run(scopeOf(variables));
}
