// Compiling: feelin rebuilds its closures at each evaluation. A FEEL function, though, keeps them. So each expression is
// handed to feelin once, as the body of a function whose parameters are the variables; the function is kept and called.
// feelin's own parser seam (`parser.configure`) is where the wrapped tree is slipped in; nothing in feelin is changed.
import { evaluate } from 'feelin';
import { parser } from 'lezer-feel';

import { tree } from './parsing.js';

const LIMIT = 4000;
const NO_FLAGS = { isError: false, isSkipped: false };
const compiled = { Expression: new Map(), UnaryTests: new Map() };
let size = 0;
let wrapped = null;
let warned = [];

parser.configure = () => ({ parse: () => wrapped });

/** The compiled text: a function from variables (with the names given here) to the value, or to the test of a value. */
export function compile(top, text, names) {
  let texts = compiled[top].get(names.key);
  if (!texts) compiled[top].set(names.key, texts = new Map());
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

/** What feelin warned of since the last call. */
export function takeWarnings() {
  const taken = warned;
  warned = [];
  return taken;
}

function compileAnew(top, text, names) {
  // The parameters' names stand behind the text, so that positions in the text stay what they are.
  const spots = [];
  let source = text;
  for (const name of names.list) {
    spots.push([source.length + 1, source.length + 1 + name.length]);
    source += `\n${name}`;
  }
  const body = tree(top, text, names);
  wrapped = { iterate: (visitor) => visitFunction(visitor, body, spots, text.length) };
  try {
    const { value, warnings } = evaluate(source, {});
    warnings.push = ({ type, message, position }) => warned.push([type, message, position.from, position.to, text]);
    return (variables) => value.fn(...names.list.map((name) => variables[name]));
  } finally {
    wrapped = null;
  }
}

/** Walks `function(…spots) body` as lezer would. */
function visitFunction({ enter, leave }, body, spots, end) {
  const node = (name, inside = () => {}, [from, to] = [0, end]) => {
    const ref = { name, from, to, type: NO_FLAGS };
    enter(ref);
    inside();
    leave(ref);
  };
  const parameter = (spot) => node('FormalParameter', () => node('ParameterName', () => node('Name', undefined, spot)));
  node('Expression', () => node('FunctionDefinition', () => {
    node('function');
    node('(');
    node('FormalParameters', () => spots.forEach(parameter));
    node(')');
    node('FunctionBody', () => body.iterate({ enter, leave }));
  }));
}
