// A gateway that is killed while exchanges run, and started again: each of them is in the audit, once.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { deploy, type Deployment } from '../support/deployment.ts';
import { canary } from '../support/canary.ts';
import { endlessOrigin } from '../support/endless-origin.ts';
import { isRunning, startGatewayProcess, waitUntil } from '../support/program.ts';
import { agentThrough, tlsThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

type Event = Readonly<Record<string, unknown>>;

const secret = canary('gateway-kill');

const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** What the store has of exchanges that run. */
function markers(set: Deployment): readonly Event[] {
  const database = new DatabaseSync(join(set.directory, 'state/state.db'), { readOnly: true });
  try {
    return database
      .prepare('SELECT event FROM audit_open')
      .all()
      .map(({ event }): Event => JSON.parse(String(event)));
  } finally {
    database.close();
  }
}

test('what runs when the gateway is killed has one event each after the next start, and none after the one behind it', async () => {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin = stack.use(await endlessOrigin(authority));
  const set = stack.use(
    await deploy({
      rules: [
        { name: 'api', hosts: ['api.test'], inject: 'api' },
        { name: 'socket', hosts: ['socket.test'] },
        { name: 'raw', hosts: ['raw.test'], scheme: 'tcp', ports: 443 },
        { name: 'closed', hosts: ['closed.test'], tls: 'passthrough' },
      ],
      authority,
      credentials: { api: { kind: 'bearer', source: { env: 'API_TOKEN' } } },
      environment: { API_TOKEN: secret },
      config: {
        upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } },
        audit: { file: 'audit.jsonl' },
      },
    }),
  );
  const agent = stack.use(await set.startAgent());
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  const { relayPort } = agent;
  const get = async (path: string): Promise<IncomingMessage> => {
    const connection = await agentThrough({ relayPort, host: 'api.test', port: 443, ca });
    stack.defer(() => connection.destroy());
    const request = https.get({ agent: connection, host: 'api.test', port: 443, path });
    request.on('error', () => undefined);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  };
  const open = async (host: string, head: string, own: string): Promise<void> => {
    const socket = await tlsThrough({ relayPort, host, port: 443, ca: own });
    stack.defer(() => void socket.destroy());
    socket.on('error', () => undefined);
    socket.write(`GET /endless HTTP/1.1\r\nHost: ${host}\r\n${head}\r\n`);
    await once(socket, 'data');
  };
  assert.equal(await text(await get('/short')), 'hello\n');
  const download = await get('/endless');
  download.on('error', () => undefined).resume();
  await open('socket.test', upgrade, ca);
  await open('raw.test', '', authority.caPem);
  await open('closed.test', '', authority.caPem);
  // A marker may be from before the decision; it is renewed when that and what is injected are known.
  const isRenewed = ({ kind, decided, injected }: Event): boolean =>
    decided === 'allow' && (kind === 'stream' || injected !== undefined);
  await waitUntil('the store has all four', () => markers(set).filter(isRenewed).length === 4);

  process.kill(set.gateway.pid, 'SIGKILL');
  await waitUntil('the gateway is gone', () => !isRunning(set.gateway.pid));
  const isExchange = ({ kind }: Event): boolean => kind === 'exchange' || kind === 'stream';
  assert.deepEqual(
    (await set.audit()).filter(isExchange).map(({ path }) => path),
    ['/short'],
  );

  for (const start of ['first', 'second']) {
    await using next = await startGatewayProcess(set.configFile, { API_TOKEN: secret });
    assert.deepEqual(markers(set), []);
    const events = (await set.audit()).filter(isExchange);
    // Their order is that of their markers, of which one can be renewed before another.
    const unknownOf = (all: readonly Event[]): readonly Event[] =>
      all
        .filter(({ verdict }) => verdict === 'unknown')
        .sort((a, b) => String(a['host']).localeCompare(String(b['host'])));
    const unknown = unknownOf(events);
    assert.equal(events.length, 5, start);
    assert.deepEqual(
      unknown.map(({ host, kind, rule, decided, injected }) => [host, kind, rule, decided, injected]),
      [
        ['api.test', 'exchange', 'api', 'allow', ['api']],
        ['closed.test', 'stream', 'closed', 'allow', undefined],
        ['raw.test', 'stream', 'raw', 'allow', undefined],
        ['socket.test', 'exchange', 'socket', 'allow', []],
      ],
    );
    const committed = (await set.audit()).find(({ action }) => action === 'committed');
    for (const { sessionId } of unknown) assert.equal(sessionId, committed?.['sessionId']);
    const lines = (await readFile(join(set.directory, 'audit.jsonl'), 'utf8')).trimEnd().split('\n');
    const inFile = unknownOf(lines.map((line): Event => JSON.parse(line)));
    assert.deepEqual(inFile, unknown);
    for (const line of lines) assert.ok(!line.includes(secret));
    await next.close();
  }
  const left = (await readdir(join(set.directory, 'state'))).filter((name) => name.includes('holder'));
  assert.deepEqual(left, []);
});
