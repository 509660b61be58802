import assert from 'node:assert/strict';
import { test } from 'node:test';

import { gatewayLog } from '../../../src/cli/gateway/gateway-log.ts';

function written(format: 'text' | 'json', message: string): string {
  const lines: string[] = [];
  gatewayLog({ level: 'info', format }, { write: (line) => lines.push(line) })('warn', message);
  assert.equal(lines.length, 1);
  return lines[0] ?? '';
}

const hostile = 'a\r\nb\u001b[2Jc\u009b31md\u0000e\u007ff\u2028g\u202eh\ti';

test('no control character of a message acts on a terminal or makes a second line, in either form', () => {
  for (const format of ['text', 'json'] as const) {
    const line = written(format, hostile);
    assert.match(line, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*\n$/u, JSON.stringify(line));
  }
  assert.match(written('text', hostile), / warn a; b\\u\{1b\}\[2Jc\\u\{9b\}31md\\u\{0\}e/);
});

test('JSON gives the message back as it was, and text keeps letters of every language', () => {
  // The line is JSON of our own.
  assert.equal((JSON.parse(written('json', hostile)) as { message: string }).message, hostile);
  assert.match(written('text', 'größe 東京'), / warn größe 東京\n$/);
});

test('a flood of lines is bounded, and what was left out is counted once there is room', () => {
  const lines: string[] = [];
  let nowMs = 0;
  const options = { write: (line: string) => lines.push(line), clock: () => nowMs, linesPerSecondMax: 10 };
  const log = gatewayLog({ level: 'info', format: 'text' }, options);
  for (let i = 0; i < 1000; i += 1) log('error', `fault ${i}`);
  assert.equal(lines.length, 10);
  nowMs = 1000;
  log('error', 'later');
  assert.match(lines[10] ?? '', / warn 990 log lines were left out \(logLinesPerSecondMax\)\n$/);
  assert.match(lines[11] ?? '', / error later\n$/);
  log('info', 'and again');
  assert.equal(lines.length, 13);
});
