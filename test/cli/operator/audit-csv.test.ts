import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvLine, csvTitle } from '../../../src/cli/operator/audit-csv.ts';
import { exchange } from '../policy-events.ts';

const columnsOf = (line: string): readonly string[] => {
  assert.ok(line.endsWith('\r\n'));
  const cells = [...line.slice(0, -2).matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)];
  return cells.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
};

const rowOf = (fields: Parameters<typeof exchange>[0]): Readonly<Record<string, string | undefined>> => {
  const line = csvLine(exchange(fields));
  assert.equal(line.indexOf('\n'), line.length - 1, 'one event is one line');
  const cells = columnsOf(line);
  const names = columnsOf(csvTitle);
  assert.equal(cells.length, names.length);
  return Object.fromEntries(names.map((name, at) => [name, cells[at]]));
};

test('fields stand below their names, what is absent is empty, and what has fields of its own is JSON', () => {
  const row = rowOf({ path: '/a?b="c",d', status: 200, injected: ['x', 'y'], details: { operator: 'root' } });
  assert.deepEqual(
    [row['host'], row['path'], row['status'], row['injected'], row['details'], row['message']],
    ['a.example.com', '/a?b="c",d', '200', '["x","y"]', '{"operator":"root"}', ''],
  );
});

test('no cell begins as a formula does, whatever stands before the sign', () => {
  for (const text of [
    '=HYPERLINK("https://evil.example")',
    '+1',
    '-2+3',
    '@SUM(A1)',
    '|cmd',
    '%0A',
    '  =1+1',
    '\u00a0=1',
    '\uff1d1+1',
    '"=1+1',
    "'=1+1",
  ]) {
    const { method, path } = rowOf({ method: text, path: text });
    assert.equal(method, `'${text}`, text);
    assert.equal(path, `'${text}`, text);
  }
  // What is written out begins no formula.
  for (const text of ['\t=1', '\r=1', '\n=1', '\u200b=1'])
    assert.match(rowOf({ message: text })['message'] ?? '', /^\\u\{[0-9a-d]+\}=1$/);
  assert.equal(rowOf({ path: '/=1' })['path'], '/=1');
});

test('no part of a cell behind a separator of another place begins as a formula does', () => {
  for (const [text, shown] of [
    ['/x;=1+1;=HYPERLINK(A1)', "/x;'=1+1;'=HYPERLINK(A1)"],
    ['/x; "\'@SUM(A1)', "/x;' \"'@SUM(A1)"],
    ['/x,-1', "/x,'-1"],
    ['/x;;\uff1d1;', "/x;;'\uff1d1;"],
    ['=1;+1', "'=1;'+1"],
    // No sign is at the front.
    ['/x;a=1;b', '/x;a=1;b'],
  ] as const)
    assert.equal(rowOf({ path: text })['path'], shown);
});

test('nothing in a cell acts on a terminal or turns letters around', () => {
  const { message } = rowOf({ message: 'a\u001b[2J\u009b\u202ab\r\nc' });
  assert.equal(message, 'a\\u{1b}[2J\\u{9b}\\u{202a}b\\u{d}\\u{a}c');
});
