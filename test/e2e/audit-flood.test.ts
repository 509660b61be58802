// A session that fills the audit until the store takes from what it holds: that is all its own, and its first events stay.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { deploy, type AgentProcess, type Deployment } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { waitUntil } from '../support/program.ts';
import { connectThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const keepBytes = 4 * 1024 ** 2;
/** What is pruned to: an eighth is kept free. */
const prunedBytes = (keepBytes * 7) / 8;
/** Each leaves an event of nearly 2 KiB. */
const floodPath = (n: number): string => `/${n}/${'a'.repeat(1500)}`;
const atOnce = 100;
/** More than are kept, and not so many that the reserve is used up: then the flood would be refused. */
const floodEvents = 2400;
const removedMin = 100;
/** Of the neighbour: before, once for each thousand of the flood, and behind it. */
const quietGets = 54;

type Event = Readonly<Record<string, unknown>>;

function read<T>(set: Deployment, look: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(join(set.directory, 'state/state.db'), { readOnly: true });
  try {
    return look(database);
  } finally {
    database.close();
  }
}

const heldBytes = (set: Deployment): number =>
  read(set, (database) => Number(database.prepare('SELECT bytes FROM audit_total').get()?.['bytes']));

const eventsOf = (set: Deployment, sessionId: unknown): readonly Event[] =>
  read(set, (database) =>
    database
      .prepare('SELECT event FROM audit WHERE session_id = :sessionId ORDER BY sequence')
      .all({ sessionId: String(sessionId) })
      .map(({ event }): Event => JSON.parse(String(event))),
  );

async function http2Of(
  agent: AgentProcess,
  { port }: { readonly port: number },
): Promise<Disposable & { get(path: string): Promise<number> }> {
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  const target: ProxyTarget = { relayPort: agent.relayPort, host: 'api.test', port, ca };
  const tls = connectTls({
    socket: await connectThrough(target),
    servername: 'api.test',
    ca,
    ALPNProtocols: ['h2'],
  });
  await once(tls, 'secureConnect');
  const session = connectHttp2(`https://api.test:${port}`, { createConnection: () => tls });
  session.on('error', () => undefined);
  const get = async (path: string): Promise<number> => {
    const stream = session.request({ ':path': path });
    const [head] = (await once(stream, 'response')) as [Readonly<Record<string, unknown>>];
    await text(stream);
    return Number(head[':status']);
  };
  return { get, [Symbol.dispose]: () => session.destroy() };
}

test('a flood of denials loses its own later events to audit.keepBytes: its first thousand stay, and all of its neighbour', async () => {
  const authority = createTestAuthority();
  await using origin = await httpsOrigin({ authority });
  const rule = {
    name: 'api',
    hosts: ['api.test'],
    ports: [origin.port],
    addresses: ['127.0.0.1/32'],
    paths: '/hello',
  };
  await using set = await deploy({
    rules: [rule],
    hosts: { 'api.test': '127.0.0.1' },
    authority,
    config: { audit: { keepBytes } },
  });
  await using flooder = await set.startAgent();
  await using neighbour = await set.startAgent();
  using quiet = await http2Of(neighbour, origin);
  using flood = await http2Of(flooder, origin);
  for (let i = 0; i < 50; i += 1) assert.equal(await quiet.get('/hello'), 200);
  const seen: number[] = [];
  for (let sent = 0; sent < floodEvents; sent += atOnce) {
    const batch = Array.from({ length: atOnce }, (_, i) => flood.get(floodPath(sent + i)));
    assert.deepEqual(new Set(await Promise.all(batch)), new Set([403]));
    if (sent % 1000 === 0) assert.equal(await quiet.get('/hello'), 200);
    seen.push(heldBytes(set));
  }
  console.log(`the store held at most ${Math.max(...seen)} bytes`);
  const [flooding, other] = (await set.audit())
    .filter(({ action }) => action === 'committed')
    .map(({ sessionId }) => sessionId);
  // Only behind the last event: the store can hold less before, because it lags.
  const isLast = ({ path }: Event): boolean => String(path).startsWith(`/${String(floodEvents - 1)}/`);
  await waitUntil('the last event of the flood is stored', () => eventsOf(set, flooding).some(isLast));
  await waitUntil('the store is pruned', () => heldBytes(set) <= prunedBytes);
  assert.equal(await quiet.get('/hello'), 200);
  const neighbourIsWhole = (): boolean =>
    eventsOf(set, other).filter(({ status }) => status === 200).length >= quietGets;
  await waitUntil("the neighbour's last event is stored", neighbourIsWhole);

  const own = eventsOf(set, flooding).filter(({ kind }) => kind === 'exchange');
  const numbers = new Set(own.map(({ path }) => Number(/^\/(\d+)\//.exec(String(path))?.[1])));
  const missing = Array.from({ length: floodEvents }, (_, i) => i).filter((number) => !numbers.has(number));
  assert.ok(missing.length >= removedMin, `${missing.length}`);
  // The first of its thousand are those of its start, and what was sent at once was stored in some order.
  const places = [1000 - atOnce, 1000 + missing.length + atOnce] as const;
  assert.ok(
    missing.every((number) => number >= places[0] && number < places[1]),
    `what came behind the first thousand goes first, not ${missing.join()}`,
  );
  const kept = eventsOf(set, other);
  assert.equal(kept.filter(({ status }) => status === 200).length, quietGets);
  assert.ok(kept.some(({ action }) => action === 'enrolled'));
});
