// Exchanges whose response never begins: what was taken for it is given back, however it comes to that.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';

import type { ClientExchange } from '../../../src/gateway/exchange/client-exchange.ts';
import { runExchange } from '../../../src/gateway/exchange/exchange.ts';
import type { StreamParts } from '../../../src/gateway/tunnels/stream-scene.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { memoryBudgets } from '../../support/budget-store.ts';
import { patienceMs } from '../../support/patience.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { rawOrigin } from '../support/raw-origin.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath, testPrincipal, type RequestPathOptions } from '../support/request-path.ts';

const timeout = patienceMs;
const authority = createTestAuthority();
const host = 'allowed.test';
const rounds = 40;
/** Longer than the bodies here, so that room for a request is none for its response. */
const secret = `canary-of-no-response-${'x'.repeat(2000)}`;

async function openScene(
  respond: (socket: TLSSocket) => void,
  rule: string,
  more: Partial<RequestPathOptions> = {},
) {
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await rawOrigin(authority, respond));
  const store = memoryBudgets();
  const path = stack.use(
    openRequestPath({
      policy: `rules: [{ name: a, hosts: ${host}, ports: ${origin.port}, addresses: 127.0.0.0/8${rule} }]`,
      credentials: { key: { kind: 'bearer', source: { env: 'KEY' } } },
      environment: { KEY: secret },
      hosts: [host],
      trust: [authority.caPem],
      budgetStore: store,
      ...more,
    }),
  );
  const owned = stack.move();
  return {
    path,
    origin,
    at: `${host}:${origin.port}`,
    /** Octets and tokens that are still set aside. */
    left: () => ({
      held: path.parts.held.all,
      unread: path.parts.unread.all,
      budgets: [...store.taken.values()].reduce((sum, one) => sum + one, 0),
      live: path.parts.live.size,
    }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const nothing = { held: 0, unread: 0, budgets: 0, live: 0 };
const model =
  ', llm: { api: openai-chat, models: "*", outputTokens: 100, budget: { tokens: { session: 1000000 } } }';
const body = JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }] });

/** A client of one exchange, with its signal in the hands of the test. */
function clientOf(at: string): {
  readonly client: ClientExchange;
  readonly leave: () => void;
  readonly listeners: () => number;
} {
  const gone = new AbortController();
  let headSent = false;
  const client: ClientExchange = {
    method: 'POST',
    target: '/v1/chat/completions',
    rawHeaders: ['Host', at, 'Content-Type', 'application/json', 'Content-Length', String(body.length)],
    httpVersion: '1.1',
    body: Readable.from([Buffer.from(body)], { objectMode: false }),
    trailers: () => [],
    signal: gone.signal,
    sendContinue: () => undefined,
    sendInformation: () => undefined,
    sendHead: () => void (headSent = true),
    sendData: () => true,
    onDrain: (listener) => listener(),
    sendEnd: () => undefined,
    get headSent() {
      return headSent;
    },
    closeAfterResponse: () => undefined,
    closeConnection: () => undefined,
    abort: (error: ProxyError) => gone.abort(error),
  };
  return {
    client,
    leave: () => gone.abort(),
    listeners: () => getEventListeners(gone.signal, 'abort').length,
  };
}

/** Runs one to its end, and gives how many listeners its client's signal has then. */
async function run(
  parts: StreamParts,
  at: string,
  meanwhile: ((leave: () => void) => Promise<void>) | undefined = undefined,
): Promise<number> {
  const { client, leave, listeners } = clientOf(at);
  const destination = { scheme: 'https', host, port: Number(at.split(':')[1]) } as const;
  const scene = { principal: testPrincipal('alice'), destination, protocol: 'http/1.1' };
  await Promise.all([runExchange(client, scene, parts), meanwhile?.(leave)]);
  return listeners();
}

interface Way {
  readonly name: string;
  readonly respond: (socket: TLSSocket) => void;
  readonly more?: Partial<RequestPathOptions>;
  /** Whether the client leaves once the origin is asked. */
  readonly isLeft?: true;
  readonly code: string;
  /** What each call took of its budget: where the service was asked and said nothing, the worst. */
  readonly isPaid: boolean;
}

const ways: readonly Way[] = [
  {
    name: 'the origin breaks off',
    respond: (socket) => socket.destroy(),
    code: 'origin_truncated',
    isPaid: true,
  },
  {
    name: 'the origin sends no HTTP',
    respond: (socket) => socket.end('no response\r\n\r\n'),
    code: 'origin_malformed',
    isPaid: true,
  },
  {
    name: 'the client leaves',
    respond: () => undefined,
    more: { limits: { llmDrainMs: 5 } },
    isLeft: true,
    code: 'cancelled',
    isPaid: true,
  },
  {
    name: 'there is no room for what is searched',
    respond: () => undefined,
    more: { limits: { heldOctetsPerSessionMax: secret.length } },
    code: 'limit_exceeded',
    isPaid: false,
  },
];

for (const { name, respond, more, isLeft, code, isPaid } of ways)
  test(`of a call of a model nothing stays where ${name}`, { timeout }, async () => {
    let asked = 0;
    const count = (socket: TLSSocket): void => {
      asked += 1;
      respond(socket);
    };
    await using scene = await openScene(count, `, inject: key${model}`, more);
    const leave = async (gone: () => void): Promise<void> => {
      const before = asked;
      await waitUntil('the origin is asked', () => asked > before);
      assert.ok(scene.left().held > 0);
      gone();
    };
    for (let i = 0; i < rounds; i += 1)
      assert.equal(await run(scene.path.parts, scene.at, isLeft && leave), 0, `listeners of round ${i}`);
    const events = await scene.path.events(rounds);
    assert.deepEqual(new Set(events.map(({ errorCode }) => errorCode)), new Set([code]));
    const { budgets, ...left } = scene.left();
    assert.deepEqual({ ...left, budgets: 0 }, nothing);
    assert.equal(budgets > 0, isPaid);
  });

test('of a chain that cannot be opened nothing stays', { timeout }, async () => {
  await using scene = await openScene(
    () => undefined,
    `, inject: key, screen: { find: phrase, on: block }${model}`,
  );
  const parts: StreamParts = {
    ...scene.path.parts,
    // Nobody else asks for them.
    get deciders(): never {
      throw new Error('broken');
    },
  };
  for (let i = 0; i < rounds; i += 1) assert.equal(await run(parts, scene.at), 0, `listeners of round ${i}`);
  const events = await scene.path.events(rounds);
  assert.deepEqual(new Set(events.map(({ errorCode }) => errorCode)), new Set(['internal']));
  assert.deepEqual(scene.left(), nothing);
});

const upgrade = (at: string): string =>
  `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

test(
  'of a WebSocket whose log-in cannot be read, or whose trust is gone, nothing stays',
  { timeout },
  async () => {
    await using folder = await temporaryDirectory();
    const file = join(folder.path, 'chat');
    await writeFile(file, 'canary-of-no-response-02', { mode: 0o600 });
    const chat = {
      kind: 'placeholder',
      source: { file },
      placeholder: { env: 'TOKEN', messages: 1 },
    } as const;
    const key = { kind: 'bearer', source: { env: 'KEY' } } as const;
    for (const [rule, code] of [
      [', inject: [key, chat]', 'credential_unavailable'],
      [', inject: key, trust: gone', 'config_invalid'],
    ] as const) {
      await using scene = await openScene(() => undefined, rule, { credentials: { key, chat } });
      await rm(file, { force: true });
      for (let i = 0; i < rounds; i += 1) {
        const response = await sendRaw(await scene.path.tls(scene.at), upgrade(scene.at));
        assert.ok(response.status >= 500, String(response.status));
      }
      const events = await scene.path.events(rounds);
      assert.deepEqual(new Set(events.map(({ errorCode }) => errorCode)), new Set([code]));
      assert.deepEqual(scene.left(), nothing);
    }
  },
);

test('of responses that nobody allows nothing stays', { timeout }, async () => {
  const respond = (socket: TLSSocket): void => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nsome text');
  };
  await using scene = await openScene(
    respond,
    ', inject: key, screen: { find: phrase, by: away, on: block }',
  );
  for (let i = 0; i < rounds; i += 1) {
    const response = await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/'));
    assert.equal(response.status, 403, response.body);
  }
  await scene.path.events(rounds);
  assert.deepEqual(scene.left(), nothing);
});
