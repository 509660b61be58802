// Lists of what a server of MCP has, without what a client may not use. What is not about a name stays as it is.

import { JsonObject, type JsonValue, memberOf, UnreadableBody } from './json-value.ts';
import type { McpTarget } from './mcp-message.ts';
import { isList } from './write-json.ts';

/** What a list names, by its member of the result and the member of each item that says it. */
const lists = [
  ['tools', 'tool', 'name'],
  ['prompts', 'prompt', 'name'],
  ['resources', 'resource', 'uri'],
  ['resourceTemplates', 'resource', 'uriTemplate'],
] as const satisfies readonly (readonly [string, McpTarget['kind'], string])[];

/** Methods whose response is a list. */
export const listMethods: ReadonlySet<string> = new Set([
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
]);

/** One name of a list, and all that the list says of it. */
export interface ListedName {
  readonly kind: McpTarget['kind'];
  readonly name: string;
  readonly definition: JsonValue;
}

/** A message without items that are not shown. `hidden`: how many. */
export interface ShownMessage {
  readonly value: JsonValue;
  readonly hidden: number;
}

/** How many items the lists of a message have. */
export function listedCount(message: JsonValue): number {
  const result = resultOf(message);
  return lists.reduce((sum, [list]) => {
    const items = result?.members.get(list);
    return sum + (isList(items) ? items.length : 0);
  }, 0);
}

/**
 * The response of a server with the items that are shown. An item that says no name is not shown: nobody can tell what it is. A list that was
 * made for one client is for no other, so that is what it says.
 */
export function showLists(message: JsonValue, isShown: (item: ListedName) => boolean): ShownMessage {
  const result = resultOf(message);
  if (result === undefined || !(message instanceof JsonObject)) return { value: message, hidden: 0 };
  const members = new Map(result.members);
  let hidden = 0;
  let hasList = false;
  for (const [list, kind, key] of lists) {
    const items = members.get(list);
    if (!isList(items)) continue;
    hasList = true;
    const shown = items.filter((item) => {
      const name = item instanceof JsonObject ? item.members.get(key) : undefined;
      return typeof name === 'string' && isShown({ kind, name, definition: item });
    });
    hidden += items.length - shown.length;
    members.set(list, shown);
  }
  if (!hasList) return { value: message, hidden: 0 };
  if (members.has('cacheScope')) members.set('cacheScope', 'private');
  const value = new JsonObject(new Map(message.members).set('result', new JsonObject(members)));
  return { value, hidden };
}

/** Undefined: it is no response with a result. */
function resultOf(message: JsonValue): JsonObject | undefined {
  const result = message instanceof JsonObject ? message.members.get('result') : undefined;
  return result instanceof JsonObject ? result : undefined;
}

/** Why a message is one in which clients could see a list that is not seen here. */
export function listProblem(message: JsonValue): UnreadableBody | undefined {
  if (isList(message)) return new UnreadableBody('is an array of messages');
  if (!(message instanceof JsonObject)) return new UnreadableBody('is no message');
  const result = memberOf(message, 'result');
  if (result instanceof UnreadableBody) return result;
  if (!(result instanceof JsonObject)) return undefined;
  for (const [list, , key] of lists) {
    const items = memberOf(result, list);
    if (items instanceof UnreadableBody) return items;
    if (!isList(items)) continue;
    for (const item of items) {
      const name = item instanceof JsonObject ? memberOf(item, key) : undefined;
      if (name instanceof UnreadableBody) return name;
    }
  }
  return undefined;
}
