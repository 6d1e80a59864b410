// Compiling: feelin rebuilds its closures at each evaluation. A FEEL function, though, keeps them. So each expression is
// handed to feelin once, as the body of a function whose parameters are the variables; the function is kept and called.
// feelin's own parser seam (`parser.configure`) is where the wrapped tree is slipped in; nothing in feelin is changed.
import { evaluate } from 'feelin';
import { parser } from 'lezer-feel';

import { namesKey, tree } from './parsing.js';

const LIMIT = 2000;
const NO_FLAGS = { isError: false, isSkipped: false };
const compiled = new Map();
let wrapped = null;

parser.configure = ({ top }) => ({ parse: (text) => wrapped ?? tree(top, text) });

/** The compiled text: call `run(variables)`; `warnings` holds what feelin had to say since it was last emptied. */
export function compile(top, text, parameters) {
  const key = `${top}\n${namesKey()}\n${parameters.join('\n')}\n\n${text}`;
  const known = compiled.get(key);
  if (known) return known;
  const made = compileAnew(top, text, parameters);
  if (compiled.size >= LIMIT) compiled.delete(compiled.keys().next().value);
  compiled.set(key, made);
  return made;
}

function compileAnew(top, text, parameters) {
  // The parameters' names stand behind the text, so that positions in the text stay what they are.
  const spots = [];
  let source = text;
  for (const name of parameters) {
    spots.push([source.length + 1, source.length + 1 + name.length]);
    source += `\n${name}`;
  }
  const body = tree(top, text);
  wrapped = { iterate: (visitor) => visitFunction(visitor, body, spots, text.length) };
  try {
    const { value, warnings } = evaluate(source, {});
    return { run: (variables) => value.fn(...parameters.map((name) => variables[name])), warnings };
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
