// The clinic's data dictionary as variables of every process: FEEL fields and variable pickers offer its names with their meaning.
const KINDS = {
  text: 'String', phone: 'String', id_card: 'String', code: 'String', date: 'Date', datetime: 'Date Time', boolean: 'Boolean',
  integer: 'Number', number: 'Number', quantity: 'Number', money: 'Number', list: 'List', object: 'Context',
};

/** A bpmn-js module that offers `fields`, as /governance/dictionary.json gives them. */
export function dictionaryModule(fields) {
  class Dictionary {
    constructor(variableResolver) {
      variableResolver.registerProvider(this);
    }

    getVariables(element) {
      if (element.$type !== 'bpmn:Process') return undefined;
      return fields.map((field) => ({ name: field.name, type: KINDS[field.type], isList: field.type === 'list', info: described(field), scope: element }));
    }
  }
  Dictionary.$inject = ['variableResolver'];
  return { __init__: ['clinicDictionary'], clinicDictionary: ['type', Dictionary] };
}

function described({ label, meaning, unit, codes }) {
  return [label, meaning, unit, codes].filter(Boolean).join(' · ');
}
