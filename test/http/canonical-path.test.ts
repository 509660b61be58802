import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';
import { canonicalPath } from '../../src/http/canonical-path.ts';
import { pathFeatures, readingsFor, readPath } from '../../src/http/path-reading.ts';
import { Fault, modelFeatures, modelPath, modelReading } from './support/path-model.ts';

const pieces = [
  '/',
  '//',
  '.',
  '..',
  '/.',
  '/..',
  ';',
  ';v=1',
  '%',
  '%2',
  '%2F',
  '%2f',
  '%252F',
  '%252e',
  '%2e',
  '%5C',
  '\\',
  '%3B',
  '%253B',
  '%40',
  '%2540',
  '%3F',
  '%23',
  '%25',
  '%00',
  '%7F',
  '%1f',
  '%255C',
  '%2500',
  '"',
  '{',
  '^',
  '%C3%A9',
  '%c3',
  '%A9',
  '\xc3\xa9',
  '\xff',
  '%E0%80%80',
  '%ED%A0%80',
  '%F4%90%80%80',
  '%F0%9F%98%80',
  'a',
  'Z-',
  '~',
];
const path = fc
  .array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...pieces) }, { weight: 1, arbitrary: octet() }), {
    maxLength: 14,
  })
  .map((all) => `/${all.join('')}`);

function octet(): fc.Arbitrary<string> {
  return fc
    .integer({ min: 0x21, max: 0xff })
    .filter((code) => (code < 0x7f || code >= 0x80) && code !== 0x23 && code !== 0x3f)
    .map((code) => String.fromCharCode(code));
}

function model(text: string): ReturnType<typeof canonicalPath> {
  try {
    return { path: modelPath(text) };
  } catch (error) {
    assert.ok(error instanceof Fault, String(error));
    return { fault: error.message };
  }
}

test('a path is made canonical, or refused, as the slow model says, and so is each of its readings', () => {
  const seen = { refused: 0, kept: 0, read: 0 };
  fc.assert(
    fc.property(path, (text) => {
      const canonical = canonicalPath(text);
      assert.deepEqual(canonical, model(text));
      if ('fault' in canonical) {
        seen.refused++;
        return;
      }
      seen.kept++;
      assert.deepEqual(canonicalPath(canonical.path), canonical);
      const features = pathFeatures(canonical.path);
      assert.equal(features, modelFeatures(canonical.path));
      for (const reading of readingsFor(features)) {
        seen.read++;
        assert.equal(readPath(canonical.path, reading), modelReading(canonical.path, reading));
      }
    }),
    { seed: 1406, numRuns: 20_000 },
  );
  assert.ok(Math.min(seen.refused, seen.kept, seen.read) > 1000, JSON.stringify(seen));
});

test('every pair of octets, plain and encoded, is read as the model reads it', () => {
  const forms = Array.from({ length: 256 }, (_, code) => {
    const hex = code.toString(16).padStart(2, '0');
    const isWritten = code > 0x20 && code !== 0x7f && code !== 0x23 && code !== 0x3f;
    return isWritten ? [String.fromCharCode(code), `%${hex}`] : [`%${hex}`];
  }).flat();
  for (const first of forms)
    for (const second of ['', '/', ';', '.', '%2e', '%2F', '%a9', 'a', '%25'])
      for (const text of [`/${first}${second}`, `/x/${second}${first}/..`])
        assert.deepEqual(canonicalPath(text), model(text), text);
});
