// An agent of an earlier version at a gateway of now, and the other way round: real processes, a relay between them that breaks connections,
// and a gateway that is replaced. `npm run test:cluster` does it with more versions.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';

import { ChunkClient } from '../../src/agent/uplink/chunk-client.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { cuttingRelay } from '../support/cutting-relay.ts';
import { deploy } from '../support/deployment.ts';
import { earlierProgram, keptAgent, noHistory } from '../support/earlier-program.ts';
import { gatewayPair } from '../support/gateway-pair.ts';
import { GatewaySession } from '../support/gateway-session.ts';
import { patternHash, patternPieces, patternStream } from '../support/pattern-bytes.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { launcher, startGatewayProcess, waitUntil } from '../support/program.ts';
import { agentThrough, requestThrough, tlsThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority, type TestAuthority } from '../support/test-authority.ts';

const bodyBytes = 2_000_000;
const cutBytes = 700_000;

/** The last whose nonces are of one process, which alone takes them. */
const noncesOfOneProcess = 'ba4bdc3e';

interface Version {
  readonly commit: string;
  readonly what: string;
  /** Whether a stream goes on when the connection of its tunnel breaks. */
  readonly resumes: boolean;
}

/** The oldest first. */
const versions: readonly Version[] = [
  { commit: '874cf9c', what: 'TLS of clients ends in gateways alone', resumes: false },
  { commit: '71a6e5d', what: 'the first that resumes', resumes: true },
  { commit: '65b69e5', what: '0.1.0 before its release', resumes: true },
];
const isWhole = process.env['UPSTREAMPROXY_CLUSTER_VERSIONS'] !== undefined;
const tested = isWhole ? versions : versions.slice(-1);

/** `/down`: a pattern; else the hash of what is sent. */
async function testOrigin(authority: TestAuthority): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer({ ...authority.issue('api.test') }, (request, response) => {
    if (request.url === '/down') {
      response.writeHead(200, { 'content-length': bodyBytes });
      return void patternStream(bodyBytes, 3).pipe(response);
    }
    const hash = createHash('sha256');
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('end', () => response.end(hash.digest('hex')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A server that listens on a port has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function download(target: ProxyTarget): Promise<void> {
  const client = await agentThrough(target);
  const response = await requestThrough(client, target, { path: '/down' });
  const hash = createHash('sha256');
  for await (const chunk of response as AsyncIterable<Buffer>) hash.update(chunk);
  client.destroy();
  assert.equal(hash.digest('hex'), patternHash(bodyBytes, 3));
}

interface Halves {
  /** Called when the first half is sent. */
  readonly onHalf: () => void;
  /** The second half waits for it. */
  readonly goOn: Promise<unknown>;
}

async function upload(target: ProxyTarget, path: string, halves?: Halves): Promise<void> {
  const client = await agentThrough(target);
  const body = async function* (): AsyncGenerator<Uint8Array> {
    let sent = 0;
    for (const piece of patternPieces(bodyBytes, 5)) {
      if (sent > bodyBytes / 2) {
        halves?.onHalf();
        await halves?.goOn;
      }
      sent += piece.length;
      yield piece;
    }
  };
  const response: IncomingMessage = await requestThrough(client, target, {
    method: 'POST',
    path,
    body: body(),
  });
  assert.equal(await text(response), patternHash(bodyBytes, 5));
  client.destroy();
}

interface Programs {
  readonly agent: string;
  readonly gateway: string;
}

/** A session starts, asks, uploads over a connection that breaks, and goes on at the gateway that comes in the place of the first. */
async function exercise(
  t: TestContext,
  { agent: agentProgram, gateway: program }: Programs,
  resumes: boolean,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin = stack.use(await testOrigin(authority));
  const relay = stack.use(await cuttingRelay());
  const gatewayUrl = `https://127.0.0.1:${relay.port}`;
  const set = stack.use(
    await deploy({
      rules: [{ name: 'api', hosts: ['api.test'], ports: [origin.port], addresses: ['127.0.0.1/32'] }],
      hosts: { 'api.test': '127.0.0.1' },
      authority,
      // As it is by default: an upload goes on while the gateway drains.
      config: { publicOrigins: [gatewayUrl], limits: {} },
      program,
    }),
  );
  relay.leadTo(Number(new URL(set.gateway.url).port));
  const agent = stack.use(await set.startAgent({ gatewayUrl, program: agentProgram }));
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  const target = { relayPort: agent.relayPort, host: 'api.test', port: origin.port, ca };
  await Promise.all([download(target), upload(target, '/up')]);

  if (resumes) relay.cutEvery(cutBytes);
  else relay.cut();
  await upload(target, '/broken');
  relay.cutEvery(0);
  const { cuts } = relay;
  assert.ok(cuts >= (resumes ? 2 : 1), `${cuts} cuts`);

  const [half, draining] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const through = upload(target, '/drained', { onHalf: half.resolve, goOn: draining.promise });
  await Promise.race([half.promise, through]);
  process.kill(set.gateway.pid, 'SIGTERM');
  await waitUntil('it drains', () => set.gateway.log().includes('draining'));
  draining.resolve();
  await through;
  assert.equal(await set.gateway.ended, 0, set.gateway.log());
  const next = stack.use(await startGatewayProcess(set.configFile, {}, [], program));
  relay.leadTo(Number(new URL(next.url).port));
  // An agent of before tries again in its own time, which is longer than a request waits: whatever asks meanwhile is refused at its relay.
  const probe = async (): Promise<boolean> => {
    const tls = await tlsThrough(target).catch((error: unknown) => {
      if (String(error).includes('no tunnel to the gateway')) return undefined;
      throw error;
    });
    // One that stayed without a request would be refused in the end, which is an event.
    tls?.destroy();
    return tls !== undefined;
  };
  await waitUntil('the agent is back', probe);
  await upload(target, '/next');

  const events = (await set.audit()).filter(({ kind }) => kind === 'exchange');
  assert.deepEqual(events.map(({ path, status, errorCode }) => [path, status, errorCode]).toSorted(), [
    ['/broken', 200, undefined],
    ['/down', 200, undefined],
    ['/drained', 200, undefined],
    ['/next', 200, undefined],
    ['/up', 200, undefined],
  ]);
  t.diagnostic(`${events.length} exchanges, none failed; the connection broke ${cuts} times`);
}

test('scenario i: an agent of 0.1.0 before its release with a gateway of now', async (t) => {
  await using directory = await temporaryDirectory();
  await exercise(t, { agent: keptAgent(directory.path), gateway: launcher }, true);
});

for (const { commit, what, resumes } of tested)
  for (const which of isWhole ? (['agent', 'gateway'] as const) : (['gateway'] as const))
    test(`scenario i: ${which} of ${commit} (${what}), ${which === 'agent' ? 'gateway' : 'agent'} of now`, async (t) => {
      await using directory = await temporaryDirectory();
      const earlier = earlierProgram(directory.path, commit);
      if (earlier === undefined) return t.skip(noHistory(commit));
      await exercise(t, { agent: launcher, gateway: launcher, [which]: earlier }, resumes);
    });

/** Connections of the chunk protocol, by the client that is given. */
async function connectTimes(Client: typeof ChunkClient, { session }: GatewaySession): Promise<void> {
  await using client = await Client.open({ session, limits: defaultLimits });
  for (let i = 0; i < 6; i += 1) {
    const stream = await client.openStream({ authority: '', mode: 'proxy' });
    stream.on('error', () => undefined).destroy();
  }
}

/** The client of a program of before. */
async function chunkClientOf(program: string): Promise<typeof ChunkClient> {
  const file = join(dirname(program), '../src/agent/uplink/chunk-client.ts');
  // What it exports under this name is the client of that version, which the options of now fit.
  return ((await import(file)) as { readonly ChunkClient: typeof ChunkClient }).ChunkClient;
}

for (const { commit, what } of [
  ...(isWhole ? versions : []),
  { commit: noncesOfOneProcess, what: 'nonces of one process' },
])
  test(`scenario i: the chunk protocol between now and ${commit} (${what})`, async (t) => {
    await using stack = new AsyncDisposableStack();
    const earlier = earlierProgram(stack.use(await temporaryDirectory()).path, commit);
    if (earlier === undefined) return t.skip(noHistory(commit));
    const Before = await chunkClientOf(earlier);
    for (const [Client, program] of [
      [ChunkClient, earlier],
      [Before, launcher],
    ] as const) {
      await using set = await deploy({ rules: [], program });
      await connectTimes(Client, await GatewaySession.enrol(set));
    }
  });

const binaries = postgresBinaries();
const skip = isWhole ? ('missing' in binaries ? binaries.missing : false) : 'npm run test:cluster does it';

test(
  'scenario i: the chunk protocol at a gateway of now beside one of which nonces are of one process',
  { skip },
  async (t) => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await temporaryDirectory()).path;
    const earlier = earlierProgram(folder, noncesOfOneProcess);
    if (earlier === undefined) return t.skip(noHistory(noncesOfOneProcess));
    const Before = await chunkClientOf(earlier);
    const peers = { listen: { address: '127.0.0.1', port: 0 } };
    const pair = stack.use(await gatewayPair({ rules: [], hosts: {}, config: { peers } }));
    await pair.other[Symbol.asyncDispose]();
    const other = stack.use(await startGatewayProcess(pair.otherConfigFile, {}, [], earlier));
    pair.balancer.leadTo(pair.portOf(pair.set.gateway), pair.portOf(other));
    const { gatewayCaFile } = pair.set;
    const session = await GatewaySession.enrol({
      gatewayCaFile,
      issueToken: () => pair.set.issueToken(),
      gateway: { url: pair.balancerUrl },
    });
    for (const Client of [ChunkClient, Before, ChunkClient]) await connectTimes(Client, session);
  },
);
