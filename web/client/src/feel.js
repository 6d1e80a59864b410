// FEEL and DMN inside the server's V8 isolate. Python calls `carelane(request)` with JSON text and gets JSON text.
import { setClock } from './feel/clock.js';
import { compile } from './feel/compiling.js';
import { know, syntaxErrors, variablesOf } from './feel/parsing.js';
import { decode, encode } from './feel/values.js';

const actions = {
  evaluate: ({ expressions, context }) => {
    const variables = prepared(context);
    return expressions.map((text) => outcome('Expression', text, variables));
  },
  test: ({ test, value, context }) => {
    const variables = prepared({ ...context, '?': value });
    return outcome('UnaryTests', test, variables, (matches) => matches(variables['?']));
  },
  syntax: ({ text, top, known }) => {
    know(Object.fromEntries(known.map((name) => [name, 1])));
    return { errors: syntaxErrors(top, text), names: variablesOf(top, text) };
  },
};

function prepared(context) {
  const variables = decode(context);
  know(variables);
  return variables;
}

function outcome(top, text, variables, finish = (value) => value) {
  try {
    const { run, warnings } = compile(top, text, Object.keys(variables));
    warnings.length = 0;
    const lost = [];
    const value = encode(finish(run(variables)), (what) => lost.push(what));
    return { value, lost, warnings: warnings.map(({ type, message, position }) => [type, message, position.from, position.to]) };
  } catch (error) {
    return { error: String(error.message ?? error), from: error.position?.from ?? null, to: error.position?.to ?? null };
  }
}

globalThis.carelane = (text) => {
  const request = JSON.parse(text);
  setClock(request.now);
  return JSON.stringify(actions[request.action](request));
};
