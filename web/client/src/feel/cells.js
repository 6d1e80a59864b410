// What a decision table's cells say when they hold constants only: so that overlaps and gaps can be found before any case does.
import { isRange } from 'feelin';

import { interpret } from './interpret.js';
import { namesOf, syntaxErrors, tree } from './parsing.js';
import { encode } from './values.js';

const NONE = namesOf({});
const VARYING = new Set(['VariableName', '?', 'FunctionInvocation', 'FunctionDefinition', 'ForExpression', 'QuantifiedExpression', 'Comparison']);

/** The tests of a cell as {negate, tests}, each a value or a range; null when they are not all constants. */
export function constantTests(text) {
  if (text === '' || text === '-') return { negate: false, tests: null };
  if (syntaxErrors('UnaryTests', text, NONE).length) return null;
  const root = tree('UnaryTests', text, NONE).topNode;
  let varying = false;
  root.cursor().iterate((node) => {
    if (VARYING.has(node.name) || (node.name === 'CompareOp' && '=!'.includes(text[node.from]))) varying = true;
  });
  if (varying) return null;
  const negate = root.getChild('not') !== null;
  const list = root.getChild('PositiveUnaryTests');
  if (!list) return null;
  const values = interpret(list, text)(Object.create(null)).flat();
  if (values.some((value) => isRange(value) && value.unsure)) return null;
  return { negate, tests: values.map((value) => encode(value, () => {})) };
}
