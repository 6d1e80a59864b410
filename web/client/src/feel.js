// FEEL and DMN inside the server's V8 isolate. Python calls `carelane(request)` with JSON text and gets JSON text.
import { BUILTINS } from './feel/builtins.js';
import { constantTests } from './feel/cells.js';
import { setClock } from './feel/clock.js';
import { compile } from './feel/compiling.js';
import { decide, isKept, keep } from './feel/decisions.js';
import { takeWarnings } from './feel/interpret.js';
import { lockDown } from './feel/lockdown.js';
import { namesOf, syntaxErrors, variablesOf } from './feel/parsing.js';
import './feel/rangetext.js';
import { decode, encode } from './feel/values.js';

const actions = {
  evaluate: ({ expressions, context }) => {
    const variables = decode(context);
    const names = namesOf(variables);
    return expressions.map((text) => outcome(() => compile('Expression', text, names)(variables)));
  },
  test: ({ test, value, context }) => {
    const variables = { ...decode(context), '?': decode(value) };
    return outcome(() => compile('UnaryTests', test, namesOf(variables))(variables)(variables['?']));
  },
  syntax: ({ text, top, known }) => {
    const names = namesOf(Object.fromEntries(known.map((name) => [name, 1])));
    const errors = syntaxErrors(top, text, names);
    const [read, filtered] = variablesOf(top, text, names).map((list) => list.filter((name) => !BUILTINS.has(name)));
    return { errors, names: read, filtered };
  },
  constants: ({ cells }) => cells.map((text) => constantTests(text)),
  decide: ({ key, models, node, inputs }) => {
    if (models) keep(key, models);
    if (!isKept(key)) return { unknown: true };
    let extra = {};
    const result = outcome(() => {
      const { value, hits, warnings } = decide(key, node, decode(inputs));
      extra = { hits, notes: warnings };
      return value;
    });
    return { ...result, ...extra };
  },
};

function outcome(run) {
  takeWarnings();
  try {
    const lost = [];
    const value = encode(run(), (what) => lost.push(what));
    return { value, lost, warnings: takeWarnings() };
  } catch (error) {
    return {
      error: String(error.message ?? error), from: error.position?.from ?? null, to: error.position?.to ?? null,
      element: error.element ?? null, text: error.text ?? null,
    };
  }
}

globalThis.carelane = (text) => {
  const request = JSON.parse(text);
  setClock(request.now);
  return JSON.stringify(actions[request.action](request));
};

lockDown('carelane');
