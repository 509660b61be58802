import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { exchangeTable } from '../../../src/cli/operator/exchange-table.ts';

const event: AuditEvent = {
  v: 1,
  id: '1',
  time: '2026-01-01T10:20:30.456Z',
  kind: 'exchange',
  traceId: 't',
  verdict: 'allow',
  rule: 'packages',
  method: 'GET',
  scheme: 'https',
  host: 'packages.example.com',
  port: 443,
  path: '/is-number',
  status: 200,
  requestBytes: 0,
  responseBytes: 20_000,
  durationMs: 12.4,
};

test('an exchange is one line with what, verdict, status, rule and sizes', () => {
  const table = exchangeTable([event], { title: true });
  assert.equal(
    table,
    'time          verdict  what                                        status  rule      credential  sent  received  ms\n' +
      '10:20:30.456  allow    GET https://packages.example.com/is-number  200     packages  -           0 B   20 kB     12\n',
  );
});

test('a port is shown where it is not the usual one, and an error code in place of a missing status', () => {
  const { status: _status, ...rest } = event;
  const table = exchangeTable([{ ...rest, port: 8443, verdict: 'error', errorCode: 'timeout' }], {
    title: false,
  });
  assert.match(table, /https:\/\/packages\.example\.com:8443\/is-number +timeout/);
});

test('control characters and very long paths of a workload cannot disturb a terminal', () => {
  const table = exchangeTable([{ ...event, path: `/\x1b[31m${'x'.repeat(500)}` }], { title: false });
  assert.ok(!table.includes('\x1b'));
  assert.ok(table.includes('\\u{1b}[31m'));
  assert.ok(table.length < 250);
});

test('no field of an event can disturb a terminal, whatever wrote it', () => {
  const hostile = 'x\u001b[2J\r\n\u009b31m\u0000\u007f\u202e';
  const fields = [
    'time',
    'verdict',
    'method',
    'host',
    'path',
    'rule',
    'errorCode',
    'scheme',
    'kind',
    'action',
  ];
  for (const field of [...fields, 'message', 'injected']) {
    for (const kind of ['exchange', 'alarm'] as const) {
      const { status: _, ...rest } = event;
      const value = field === 'injected' ? [hostile] : field === 'time' ? `2026-01-01T${hostile}` : hostile;
      // A file or a store may hold what the type does not allow.
      const told = { ...rest, kind, [field]: value } as AuditEvent;
      assert.match(exchangeTable([told], { title: false }), /^[\x20-\x7e]*\n$/, field);
    }
  }
});

test('no events give no rows', () => {
  assert.equal(exchangeTable([], { title: false }), '');
});

test('the beginning of a path is not shown as the whole', () => {
  const cut = { path: { bytes: 5000, sha256: '0'.repeat(64) } };
  assert.match(exchangeTable([{ ...event, cut }], { title: false }), /\[cut: 5000 bytes in all\]/);
});
