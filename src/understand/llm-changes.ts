// What is set in a request to a model, so that it is bounded and says what it took. The rest stays as it was.

import { JsonObject, type JsonValue } from './json-value.ts';
import type { LlmRequest } from './llm-request.ts';

/** Values to set, by the members that lead to them. */
export interface LlmChange {
  readonly value: JsonValue;
  /** Where, as it is told. */
  readonly set: readonly string[];
}

const usagePath = ['stream_options', 'include_usage'] as const;

/** `cap`: of the output, where none is asked for. `tells`: a stream has to say what was used. Undefined: nothing is to be set. */
export function changedRequest(
  value: JsonValue,
  request: LlmRequest,
  { cap, tells }: { readonly cap: number | undefined; readonly tells: boolean },
): LlmChange | undefined {
  if (!(value instanceof JsonObject)) return undefined;
  const set: string[] = [];
  let changed = value;
  const put = (path: readonly string[], member: JsonValue): void => {
    changed = withMember(changed, path, member);
    set.push(path.join('.'));
  };
  if (cap !== undefined && request.outputTokens === undefined) put(request.capPath, cap);
  if (tells && request.streams && !request.tellsUsage) put(usagePath, true);
  return set.length === 0 ? undefined : { value: changed, set };
}

function withMember(object: JsonObject, path: readonly string[], value: JsonValue): JsonObject {
  const [name = '', ...rest] = path;
  const key = spelledIn(object, name);
  const inner = object.members.get(key);
  const next =
    rest.length === 0
      ? value
      : withMember(inner instanceof JsonObject ? inner : new JsonObject(new Map()), rest, value);
  return new JsonObject(new Map(object.members).set(key, next));
}

/** Protobuf's JSON knows a second spelling. */
function spelledIn({ members }: JsonObject, name: string): string {
  const other = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return !members.has(name) && members.has(other) ? other : name;
}
