import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { streamReserveBytes } from '../../src/protocol/flow-window.ts';
import { defaultLimits, type LimitName, limitTable } from '../../src/protocol/limits.ts';
import { assertDocsTable, markdownTable } from './docs-table.ts';

/** Bytes and milliseconds as a person would say them, where that loses nothing. */
function readable(name: string, value: number): string {
  if (/Bytes|Octets/.test(name)) {
    for (const [unit, size] of [
      ['MiB', 1024 ** 2],
      ['KiB', 1024],
    ] as const) {
      if (value % size === 0) return `${value / size} ${unit}`;
    }
  }
  if (name.includes('Ms')) return value % 1000 === 0 ? `${value / 1000} s` : `${value} ms`;
  return `${value}`;
}

describe('the limits', () => {
  test('are positive, frozen, and each has a reason', () => {
    assert.ok(Object.isFrozen(defaultLimits));
    for (const [name, { value, reason }] of Object.entries(limitTable)) {
      assert.ok(Number.isSafeInteger(value) && value > 0, name);
      assert.match(reason, /^[A-Z].*\.$/, name);
    }
  });

  test('fit each other', () => {
    const limits = defaultLimits;
    assert.ok(limits.frameBytesMax + 8 <= limits.messageBytesMax);
    assert.ok(limits.controlFrameBytesMax <= limits.frameBytesMax);
    assert.ok(streamReserveBytes <= limits.windowBytesInitial);
    assert.ok(limits.windowBytesInitial <= limits.windowBytesMax);
    assert.ok(
      limits.windowBytesMax * 4 <= limits.connectionWindowBytes,
      'one stream alone reaches the largest window',
    );
    assert.ok(limits.pingTimeoutMs > 2 * limits.pingIntervalMs, 'two pings may be missed');
    assert.ok(limits.resumablePingTimeoutMs > 2 * limits.resumablePingIntervalMs, 'two pings may be missed');
    assert.ok(limits.resumablePingIntervalMs < limits.pingTimeoutMs, 'a gateway hears of each agent in time');
  });

  test('are fixed where the code reads nothing but the default', () => {
    const cwd = fileURLToPath(new URL('../../src', import.meta.url));
    const files = globSync('{gateway,policy,net,http,intercept,store}/**/*.ts', { cwd });
    assert.ok(files.length > 100);
    for (const file of files) {
      const code = readFileSync(`${cwd}/${file}`, 'utf8');
      const dotted = [...code.matchAll(/\bdefaultLimits\.(\w+)/g)].map(([, name = '']) => name);
      const taken = [...code.matchAll(/\{ ([^}]*) \} = defaultLimits/g)].flatMap(([, list = '']) =>
        list.split(', ').map((one) => one.replace(/:.*/, '')),
      );
      for (const name of [...dotted, ...taken])
        assert.equal(limitTable[name as LimitName].isFixed, true, `${file}: ${name}`);
    }
  });

  test('are the table of docs/reference/limits.md', () => {
    const table = markdownTable(
      ['limit', 'value', 'error', 'reason'],
      Object.entries(limitTable).map(([name, { value, code, reason, isFixed }]) => [
        `\`${name}\``,
        isFixed === true ? `${readable(name, value)}, fixed` : readable(name, value),
        `\`${code}\``,
        reason,
      ]),
    );
    assertDocsTable('limits.md', 'limits', table);
  });
});
