import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { segmentKind } from '../../../src/cli/policy/segment-kind.ts';

/** What each kind is, as expressions: shorter to read, and slow on what a workload could choose. */
const expressions: readonly (readonly [name: string, form: RegExp])[] = [
  ['uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i],
  ['id', /^\d+$/],
  ['hash', /^(?:sha\d+[:-])?(?=[0-9a-f]*\d)[0-9a-f]{7,128}$/i],
  ['version', /^v?\d+(?:\.\d+)+(?:[-+.][\w.+-]*)?$/],
  ['date', /^\d{4}-\d{2}(?:-\d{2})?$/],
  ['token', /^(?=(?:.*\d){3})(?=.*[A-Za-z])[\w-]{20,}$/],
  ['file', /[-_]v?\d+\.\d+[\w.+-]*\.[A-Za-z][A-Za-z0-9]{0,9}$/],
];

test('a segment is what it looks like', () => {
  const rows: readonly [segment: string, kind: string | undefined][] = [
    ['17', 'id'],
    ['9F86D081884C7D65', 'hash'],
    ['sha256:9f86d081884c7d65', 'hash'],
    ['v1.2.3-rc.1', 'version'],
    ['2026-01-31', 'date'],
    ['7b0c8e6a-1c1f-4a53-9c43-1f4b2d3a9e11', 'uuid'],
    ['ghp_1234567890abcdefghij', 'token'],
    ['left-pad-1.3.0.tgz', 'file'],
    ['issues', undefined],
    ['left-pad', undefined],
  ];
  for (const [segment, kind] of rows) assert.equal(segmentKind(segment), kind, segment);
});

test('each kind is what its expression says', () => {
  const piece = fc.constantFrom('a', 'v', '1', '2', '.', '-', '_', '+', 'x', 'sha', '%', '1.2', 'tgz', '0f');
  fc.assert(
    fc.property(fc.string({ unit: piece, maxLength: 30 }), (segment) => {
      assert.equal(segmentKind(segment), expressions.find(([, form]) => form.test(segment))?.[0]);
    }),
    { numRuns: 20_000, seed: 8 },
  );
});
