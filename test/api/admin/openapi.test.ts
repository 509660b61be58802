// The published OpenAPI document is made from the table that checks. UPDATE_SCHEMAS=1 and UPDATE_DOCS=1 write it and the reference anew.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type OpenApiDocument, pythonOperations } from '../../../scripts/python/python-operations.ts';
import { adminOpenApi } from '../../../src/api/admin/openapi.ts';
import type { AdminRoute } from '../../../src/api/admin/route.ts';
import { adminRoutes } from '../../../src/api/admin/routes.ts';
import { adminRoles, coversRole } from '../../../src/api/admin/roles.ts';
import { packageVersion } from '../../../src/system/package-version.ts';
import { assertDocsTable, markdownTable } from '../../protocol/docs-table.ts';

interface Operation {
  readonly operationId: string;
  readonly 'x-role': string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, object>> }>>;
}

const made = structuredClone(adminOpenApi(packageVersion())) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
const operations = Object.values(made.paths).flatMap((of) => Object.values(of));

test('the published document is the one that is served', () => {
  const file = new URL('../../../schema/admin.openapi.json', import.meta.url);
  if (process.env['UPDATE_SCHEMAS'] === '1') writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`);
  assert.deepEqual(
    JSON.parse(readFileSync(file, 'utf8')),
    made,
    'write it anew: UPDATE_SCHEMAS=1 node --test test/api/admin/openapi.test.ts',
  );
});

test('the operations and types of the Python client are to the octet what the document makes', () => {
  const file = new URL('../../../sdk/python/src/upstreamproxy_admin/operations.py', import.meta.url);
  // It is made above, of this form.
  const document = JSON.parse(JSON.stringify(made)) as OpenApiDocument;
  const text = pythonOperations(document);
  assert.equal(text, pythonOperations(structuredClone(document)));
  if (process.env['UPDATE_SCHEMAS'] === '1') writeFileSync(file, text);
  assert.ok(
    readFileSync(file, 'utf8') === text,
    'write it anew: UPDATE_SCHEMAS=1 node --test test/api/admin/openapi.test.ts, or npm run build:python-sdk',
  );
  for (const { operationId } of operations) {
    const name = operationId.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    // `follow` is written by hand.
    assert.equal(text.includes(`    def ${name}(\n`), operationId !== 'follow', name);
  }
});

test('the document has every operation once, with its role, and every part of a path', () => {
  assert.deepEqual(
    operations.map(({ operationId }) => operationId).toSorted(),
    Object.keys(adminRoutes).toSorted(),
  );
  for (const [path, of] of Object.entries(made.paths))
    for (const { operationId, parameters = [], 'x-role': role } of Object.values(of)) {
      const named = parameters.filter((one) => one.in === 'path').map(({ name }) => `{${name}}`);
      assert.deepEqual(path.match(/\{\w+\}/g) ?? [], named, operationId);
      assert.ok(adminRoles.some((one) => one === role));
    }
});

test('a parameter that is a number once it is read is a number in the document', () => {
  const list = operations.find(({ operationId }) => operationId === 'exchanges');
  const count = list?.parameters?.find(({ name }) => name === 'count');
  assert.deepEqual(count?.schema, { type: 'integer', minimum: 1, maximum: 1000 });
});

test('each role may do what the one before it may', () => {
  for (const [i, held] of adminRoles.entries())
    for (const [j, needed] of adminRoles.entries()) assert.equal(coversRole(held, needed), i >= j);
});

test('the reference has every operation', () => {
  const rows = Object.values<AdminRoute>(adminRoutes).map(({ method, path, role, summary }) => [
    `\`${method} ${path}\``,
    role,
    summary,
  ]);
  assertDocsTable('admin-api.md', 'operations', markdownTable(['operation', 'role', 'what it does'], rows));
});
