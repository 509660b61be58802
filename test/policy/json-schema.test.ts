// The published schemas are made from the schemas that check. UPDATE_SCHEMAS=1 writes them anew.

import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import type { z } from 'zod';
import { chartFiles } from '../../scripts/chart-files.ts';
import { gatewayConfigSchema } from '../../src/gateway/config/config-schema.ts';
import { parseGatewayConfig } from '../../src/gateway/config/config.ts';
import { jsonSchemaOf } from '../../src/policy/json-schema.ts';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import { policySchema } from '../../src/policy/policy-schema.ts';
import { formatProblem } from '../../src/policy/problem.ts';
import { keysOf } from './schema-keys.ts';

const root = new URL('../../', import.meta.url);
const published: readonly [string, z.ZodType, string][] = [
  ['schema/policy.schema.json', policySchema, 'Policy of upstreamproxy'],
  ['schema/gateway.schema.json', gatewayConfigSchema, 'Configuration of the gateway of upstreamproxy'],
];

describe('a published schema is the one that checks', () => {
  for (const [path, schema, title] of published) {
    test(path, () => {
      const file = new URL(path, root);
      const made = jsonSchemaOf(schema, { title, id: basename(path) });
      if (process.env['UPDATE_SCHEMAS'] === '1') writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`);
      assert.deepEqual(
        JSON.parse(readFileSync(file, 'utf8')),
        structuredClone(made),
        'write it anew: UPDATE_SCHEMAS=1 node --test test/policy/json-schema.test.ts',
      );
    });
  }
});

test('the values of the Helm chart are checked by the schema of the gateway', () => {
  const made = chartFiles(fileURLToPath(root)).get('values.schema.json') ?? '';
  const file = new URL('deploy/chart/values.schema.json', root);
  if (process.env['UPDATE_SCHEMAS'] === '1') writeFileSync(file, made);
  assert.ok(
    readFileSync(file, 'utf8') === made,
    'write it anew: UPDATE_SCHEMAS=1 node --test test/policy/json-schema.test.ts',
  );
});

test('every map in the schemas is closed', () => {
  const open: string[] = [];
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    if ('properties' in node && !('additionalProperties' in node && node.additionalProperties === false))
      open.push(path);
    for (const [key, value] of Object.entries(node)) walk(value, `${path}/${key}`);
  };
  for (const [path, schema, title] of published) walk(jsonSchemaOf(schema, { title, id: path }), path);
  assert.deepEqual(open, []);
});

describe('an example is sound and names its schema', () => {
  const discovered = new Map(['npm', 'pip'].map((tool) => [tool, [`${tool}.example.com`]]));
  const files = globSync('examples/{policy,gateway}*.yaml', { cwd: fileURLToPath(root) }).toSorted();
  assert.ok(files.length >= 4, `only ${files.length} examples`);
  for (const path of files) {
    test(path, () => {
      const text = readFileSync(new URL(path, root), 'utf8');
      const kind = basename(path).startsWith('policy') ? 'policy' : 'gateway';
      assert.match(
        text,
        new RegExp(`^# yaml-language-server: \\$schema=\\.\\./schema/${kind}\\.schema\\.json$`, 'm'),
      );
      const result =
        kind === 'policy'
          ? parsePolicy([{ file: path, text }], { discovered })
          : parseGatewayConfig({ file: path, text }, dirname(fileURLToPath(new URL(path, root))));
      if ('problems' in result) assert.fail(result.problems.map(formatProblem).join('\n'));
      if ('warnings' in result) assert.deepEqual(result.warnings.map(formatProblem), []);
    });
  }
});

test('the references describe every key that exists, and no other', () => {
  const rows = (file: string): readonly string[] =>
    [
      ...readFileSync(new URL(`docs/reference/${file}`, root), 'utf8').matchAll(
        /^\| `([A-Za-z][\w.[\]<>]*)` \|/gm,
      ),
    ].map(([, key = '']) => key);
  assert.deepEqual(rows('policy.md').toSorted(), keysOf(policySchema).toSorted());
  assert.deepEqual(rows('configuration.md').toSorted(), keysOf(gatewayConfigSchema).toSorted());
});
