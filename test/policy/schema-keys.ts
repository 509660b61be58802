// The keys of a schema, as the references name them.

import assert from 'node:assert/strict';
import type { z } from 'zod';
import { jsonSchemaOf } from '../../src/policy/json-schema.ts';

/** Maps that are described at one place for all: conditions, and sources of secrets beside `source`. */
const describedOnce = new Set([
  'for',
  'arguments',
  'from',
  'refreshToken',
  'accessKeyId',
  'sessionToken',
  'tokenSource',
  'secretIdSource',
  'keyEncryptionKey',
  'nextKeyEncryptionKey',
  'passphrase',
  'secretAccessKey',
  'accessToken',
  'pin',
]);

/** `rules[].limits.bodyBytes`, `credentials.<name>.kind`: every key of the maps below a schema. */
export function keysOf(schema: z.ZodType): readonly string[] {
  interface Node {
    readonly properties?: Readonly<Record<string, Node>>;
    readonly additionalProperties?: Node | false;
    readonly items?: Node;
    readonly anyOf?: readonly Node[];
    readonly oneOf?: readonly Node[];
    readonly $ref?: string;
    readonly $defs?: Readonly<Record<string, Node>>;
  }
  const keys = new Set<string>();
  // The schema of a map is a map.
  const root = jsonSchemaOf(schema, { title: '', id: '' }) as Node;
  const walk = (node: Node, path: string): void => {
    const [, shared] = /^#\/\$defs\/(.+)$/.exec(node.$ref ?? '') ?? [];
    if (shared !== undefined) walk(root.$defs?.[shared] ?? assert.fail(`no definition ${shared}`), path);
    for (const [key, value] of Object.entries(node.properties ?? {})) {
      const name = path === '' ? key : `${path}.${key}`;
      keys.add(name);
      // An entry of the catalogue has a page of its own, and its parts have the keys of rules.
      if (!describedOnce.has(key) && name !== 'catalog') walk(value, name);
    }
    if (typeof node.additionalProperties === 'object') walk(node.additionalProperties, `${path}.<name>`);
    if (node.items !== undefined) walk(node.items, `${path}[]`);
    for (const one of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) walk(one, path);
  };
  walk(root, '');
  return [...keys].filter((key) => !key.startsWith('limits.'));
}
