// The published form of an event is the one that checks. UPDATE_SCHEMAS=1 and UPDATE_DOCS=1 write schema and table anew.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { auditEventSchema } from '../../src/api/audit-event.ts';
import { jsonSchemaOf } from '../../src/policy/json-schema.ts';
import { assertDocsTable, markdownTable } from '../protocol/docs-table.ts';

/** What is looked at of a JSON Schema. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly additionalProperties?: Node;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

const made = structuredClone(
  jsonSchemaOf(auditEventSchema, { title: 'Audit event of upstreamproxy', id: 'audit-event.schema.json' }),
) as Node;

test('the published schema is the one that checks', () => {
  const file = new URL('../../schema/audit-event.schema.json', import.meta.url);
  if (process.env['UPDATE_SCHEMAS'] === '1') writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`);
  assert.deepEqual(
    JSON.parse(readFileSync(file, 'utf8')),
    made,
    'write it anew: UPDATE_SCHEMAS=1 node --test test/api/audit-event.test.ts',
  );
});

test('the reference has every field, and each has its meaning', () => {
  const rows = rowsOf(made);
  assert.ok(rows.length > 40, `only ${rows.length} fields`);
  for (const [name, , meaning = ''] of rows) assert.notEqual(meaning, '', String(name));
  assertDocsTable('audit.md', 'audit-event', markdownTable(['field', 'type', 'meaning'], rows));
});

test('a field that is not known yet is no fault, so that events can get more of them', () => {
  const event = {
    v: 1,
    id: '1',
    time: '2026-01-01T00:00:00.000Z',
    kind: 'exchange',
    traceId: 't',
    verdict: 'allow',
  };
  assert.ok(auditEventSchema.safeParse({ ...event, later: true }).success);
  assert.equal(auditEventSchema.safeParse({ ...event, v: 2 }).success, false);
  assert.equal(auditEventSchema.safeParse({ ...event, verdict: 'maybe' }).success, false);
});

function rowsOf(node: Node, prefix = ''): string[][] {
  return Object.entries(node.properties ?? {}).flatMap(([name, field]) => {
    const isArray = field.items !== undefined;
    const path = `${prefix}${name}`;
    const of = field.items ?? field.additionalProperties;
    const inner = rowsOf(of ?? field, `${path}${isArray ? '[]' : of === undefined ? '' : '.*'}.`);
    const meaning = (field.description ?? '').replaceAll('|', '\\|');
    return [[`\`${path}\``, typeOf(field), meaning]].concat(inner);
  });
}

function typeOf(node: Node): string {
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.items !== undefined) return `list of ${typeOf(node.items)}`;
  return node.type ?? 'any';
}
