import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import { messageOf } from '../../../../src/gateway/databases/postgres/message.ts';
import { StatementGuard } from '../../../../src/gateway/databases/postgres/statement-guard.ts';
import type { StatementReading } from '../../../../src/gateway/databases/postgres/sql/parse-statement.ts';
import type { StatementReader } from '../../../../src/gateway/databases/postgres/sql/statement-reader.ts';
import { ProxyError } from '../../../../src/protocol/error.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { query } from '../../../protocol-ends/support/raw-client.ts';

/** `drop` is a statement of that kind, and all else a SELECT. */
const reader: Pick<StatementReader, 'read'> = {
  read: (owner, bytes): Promise<StatementReading> => {
    assert.equal(owner, 'one');
    const kinds = Buffer.from(bytes).toString().startsWith('drop')
      ? (['drop'] as const)
      : (['select'] as const);
    return Promise.resolve({ kind: 'read', kinds, marks: [], fingerprint: 'f'.repeat(16) });
  },
};

function open({ holdMax = 1e6 } = {}) {
  let held = 0;
  const guard = new StatementGuard({
    connection: {
      rule: 'orders-db',
      ownerId: 'one',
      limits: { ...defaultLimits, databaseStatementBytesMax: 1000 },
      hold: (octets) => {
        if (held + octets > holdMax) throw new ProxyError('limit_exceeded', 'no room');
        held += octets;
        return { octets, release: () => void (held -= octets) };
      },
    },
    statements: { allowed: ['select'], isReadOnly: false },
    // The guard asks it for nothing else.
    reader: reader as StatementReader,
    settings: new Map([
      ['standard_conforming_strings', 'on'],
      ['client_encoding', 'UTF8'],
    ]),
  });
  const sent = { server: '', client: '' };
  guard.throughClient.on('data', (bytes: Buffer) => (sent.server += bytes.toString('latin1')));
  guard.throughServer.on('data', (bytes: Buffer) => (sent.client += bytes.toString('latin1')));
  return {
    guard,
    sent,
    held: () => held,
    client: async (...messages: readonly Uint8Array[]): Promise<void> => {
      for (const message of messages) guard.throughClient.write(message);
      await settled();
    },
    server: async (...messages: readonly Uint8Array[]): Promise<void> => {
      for (const message of messages) guard.throughServer.write(message);
      await settled();
    },
  };
}

/** All that can be done without more input is. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await turn();
}

const ready = messageOf('Z', 'I');
const setting = (name: string, value: string): Uint8Array => messageOf('S', `${name}\0${value}\0`);

test('what may be read in two ways waits until the server owes nothing', async () => {
  const { sent, client, server, held } = open();
  await client(query('select 1'), query("select 'ä'"));
  assert.match(sent.server, /select 1/);
  assert.doesNotMatch(sent.server, /select '/);
  assert.ok(held() > 0);
  await server(ready);
  assert.match(sent.server, /select '/);
  assert.equal(held(), 0);
});

test('a setting that changed meanwhile refuses it, also one that is too long to be looked at', async () => {
  for (const told of [
    setting('standard_conforming_strings', 'off'),
    setting('client_encoding', 'SJIS'),
    setting('x', 'y'.repeat(2000)),
  ]) {
    const { sent, client, server } = open();
    await client(query('select 1'), query(String.raw`select '\'`));
    await server(told, ready);
    assert.match(sent.server, /upstreamproxy_refuses_reading_[0-9a-f]{24}\0/);
    assert.doesNotMatch(sent.server, /select '/);
  }
});

test('behind something that runs in the same batch, and behind COPY in a batch, it is refused at once', async () => {
  const parse = (sql: string): Uint8Array => messageOf('P', `\0${sql}\0\0\0`);
  const batch = open();
  await batch.client(parse('select 1'), messageOf('B', '\0\0\0\0\0\0\0\0'), parse("select 'ä'"));
  assert.match(batch.sent.server, /upstreamproxy_refuses_batch_/);
  const copy = open();
  await copy.client(parse('copy'), messageOf('E', '\0\0\0\0\0'), messageOf('S'), query("select 'ä'"));
  assert.doesNotMatch(copy.sent.server, /select/);
  await copy.server(messageOf('G', '\0\0\0'));
  assert.match(copy.sent.server, /upstreamproxy_refuses_batch_/);
});

test('only an error about our own name, with the mark of this session, is given our words', async () => {
  const { sent, client, server } = open();
  await client(query('drop t'));
  const [name = ''] = /upstreamproxy_refuses_\w+/.exec(sent.server) ?? [];
  const error = (text: string): Uint8Array =>
    messageOf('E', `SERROR\0C42601\0Msyntax error at or near "${text}"\0\0`);
  const other = error(name.replace(/.$/, (last) => (last === '0' ? '1' : '0')));
  await server(error('elsewhere'), other, error(name), ready);
  assert.ok(sent.client.startsWith(Buffer.concat([error('elsewhere'), other]).toString('latin1')));
  assert.match(sent.client, /C42501\0Mrule orders-db: statements of kind drop may not pass; select may\0H/);
  assert.ok(!sent.client.includes(name) && name.length < 64);
});

test('a message that is not formed, and one for which there is no room, end the session behind what is owed', async () => {
  const wrong = open();
  await wrong.client(query('select 1'), messageOf('Q', 'select 2'), query('select 3'));
  const only = Buffer.concat([query('select 1'), messageOf('X')]).toString('latin1');
  assert.equal(wrong.sent.server, only);
  await wrong.server(messageOf('C', 'SELECT 1\0'), ready);
  wrong.guard.throughServer.end();
  await settled();
  assert.match(wrong.sent.client, /^C.*Z.*E.*SFATAL\0.*C08P01\0/s);
  const full = open({ holdMax: 30 });
  await full.client(query('select 1'), query(`select ${'1'.repeat(100)}`));
  assert.equal(full.sent.server, only);
  assert.equal(full.guard.fault?.code, 'limit_exceeded');
  assert.equal(full.held(), 0);
});

test('a client that leaves while its statement waits lets go of the room', async () => {
  const { guard, client, held } = open();
  await client(query('select 1'), query("select 'ä'"));
  assert.ok(held() > 0);
  guard.throughClient.destroy();
  await settled();
  assert.equal(held(), 0);
});
