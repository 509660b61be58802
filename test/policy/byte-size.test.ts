import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseByteSize } from '../../src/policy/byte-size.ts';

test('units of a thousand and of 1024 are told apart', () => {
  const rows: readonly [number | string, number][] = [
    [5, 5],
    ['7 B', 7],
    ['2kB', 2000],
    ['2 KiB', 2048],
    ['3 MB', 3e6],
    ['1 MiB', 1_048_576],
    ['1 GiB', 1_073_741_824],
  ];
  for (const [text, expected] of rows) assert.equal(parseByteSize(text), expected);
});
