// How values are written.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bytesText,
  countText,
  durationText,
  hostParts,
  middleCut,
  portSuffix,
  sessionName,
  shortId,
} from '../../../src/console/model/display.ts';

test('sizes, durations and counts have three digits, and what is not known is no 0', () => {
  for (const [bytes, text] of [
    [undefined, '–'],
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [18_640, '18.6 kB'],
    [999_600, '1.00 MB'],
    [6_310_000, '6.31 MB'],
    [-1, '–'],
  ] as const)
    assert.equal(bytesText(bytes), text);
  for (const [ms, text] of [
    [undefined, '–'],
    [0, '0 ms'],
    [0.04, '< 0.1 ms'],
    [0.4, '0.4 ms'],
    [9.96, '10 ms'],
    [41, '41 ms'],
    [1920, '1.92 s'],
    [59_960, '1 min'],
    [184_000, '3 min 4 s'],
    [3_600_000, '1 h'],
    [90_000_000, '1 d 1 h'],
    [Number.NaN, '–'],
  ] as const)
    assert.equal(durationText(ms), text);
  for (const [count, text] of [
    [undefined, '–'],
    [0, '0'],
    [18_204, '18,204'],
    [100_000, '100 k'],
    [2_220_000, '2.22 M'],
    [999_600, '1.00 M'],
  ] as const)
    assert.equal(countText(count), text);
});

test('of a host the registered name is told from what stands before it', () => {
  for (const [host, below, domain] of [
    ['api.example.com', 'api.', 'example.com'],
    ['example.com', '', 'example.com'],
    ['a.b.shop.co.uk', 'a.b.', 'shop.co.uk'],
    ['localhost', '', 'localhost'],
    ['169.254.169.254', '', '169.254.169.254'],
    ['[::1]', '', '[::1]'],
    ['example.com.evil.test', 'example.com.', 'evil.test'],
  ] as const)
    assert.deepEqual(hostParts(host), { below, domain }, host);
  assert.equal(portSuffix('https', 443), '');
  assert.equal(portSuffix('http', 8080), ':8080');
});

test('what is shortened keeps both ends', () => {
  assert.equal(shortId('c94b760cc90d7ac63d2afa2e91721192'), 'c94b760c…1192');
  assert.equal(sessionName('agent-4c1f'), 'agent-4c1f');
  assert.equal(sessionName('7d298840-0969-4922-ace2-fc4c3d771eb0'), '7d298840');
  const cut = middleCut(`/a/${'b'.repeat(100)}/last`, 30);
  assert.equal(cut.length, 30);
  assert.ok(cut.startsWith('/a/b') && cut.endsWith('/last'));
});
