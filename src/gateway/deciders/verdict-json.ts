// What deciders say in JSON. It is read as bodies are: what two parsers could read in two ways says nothing.

import { defaultLimits } from '../../protocol/limits.ts';
import { JsonObject, type JsonValue, memberOf, UnreadableBody } from '../../understand/json-value.ts';
import { readJson } from '../../understand/read-json.ts';
import { DeciderFault, type Verdict } from './decider.ts';

/** OPA's REST API: only a plain `true` allows. A document that is not defined has no result. @throws DeciderFault */
export function opaVerdict(octets: Uint8Array): Verdict {
  const said = readObject(octets);
  const result = member(said, 'result');
  const id = member(said, 'decision_id');
  const outcome = outcomeOf(result);
  return {
    outcome,
    ...(outcome === 'denied' && result !== false ? { said: 'the result is not true or false' } : {}),
    ...(typeof id === 'string' ? { decisionId: id } : {}),
    set: [],
    removed: [],
  };
}

const known: ReadonlySet<string> = new Set(['allow', 'reason', 'id', 'fields']);
const knownFields: ReadonlySet<string> = new Set(['set', 'remove']);

/** `{ "allow": true, "reason": …, "id": …, "fields": { "set": { … }, "remove": [ … ] } }`. @throws DeciderFault */
export function webhookVerdict(octets: Uint8Array): Verdict {
  const said = readObject(octets);
  refuseOthers(said, known);
  const [reason, id] = [member(said, 'reason'), member(said, 'id')];
  return {
    outcome: outcomeOf(member(said, 'allow')),
    ...(typeof reason === 'string' ? { said: reason } : {}),
    ...(typeof id === 'string' ? { decisionId: id } : {}),
    ...fieldsOf(member(said, 'fields')),
  };
}

function outcomeOf(value: JsonValue | undefined): Verdict['outcome'] {
  if (value === undefined || value === null) return 'undefined';
  return value === true ? 'allowed' : 'denied';
}

function fieldsOf(value: JsonValue | undefined): Pick<Verdict, 'set' | 'removed'> {
  if (value === undefined) return { set: [], removed: [] };
  if (!(value instanceof JsonObject)) throw new DeciderFault('"fields" is not an object');
  refuseOthers(value, knownFields);
  const [set, remove] = [member(value, 'set'), member(value, 'remove')];
  if (set !== undefined && !(set instanceof JsonObject)) throw new DeciderFault('"set" is not an object');
  if (remove !== undefined && !Array.isArray(remove)) throw new DeciderFault('"remove" is not a list');
  return {
    set: [...(set?.members ?? [])].map(([name, text]) => [name, textIn(text)] as const),
    removed: (remove ?? []).map(textIn),
  };
}

function textIn(value: JsonValue): string {
  if (typeof value !== 'string') throw new DeciderFault('a field is not a text');
  return value;
}

function readObject(octets: Uint8Array): JsonObject {
  const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
  const text = readJson(octets, { depthMax, valuesMax });
  if (text instanceof UnreadableBody) throw new DeciderFault(`its response ${text.reason}`);
  if (!(text.value instanceof JsonObject)) throw new DeciderFault('its response is not an object');
  return text.value;
}

function member(object: JsonObject, name: string): JsonValue | undefined {
  const value = memberOf(object, name);
  if (value instanceof UnreadableBody) throw new DeciderFault(`its response ${value.reason}`);
  return value;
}

/** What is not known could be meant to narrow what is allowed. */
function refuseOthers({ members }: JsonObject, names: ReadonlySet<string>): void {
  for (const name of members.keys())
    if (!names.has(name))
      throw new DeciderFault(`its response has ${JSON.stringify(name.slice(0, 40))}, which is not known`);
}
