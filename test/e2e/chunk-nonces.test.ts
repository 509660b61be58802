// Connections of the chunk protocol at several gateways and at several workers: their proofs carry nonces, which each process takes, and nothing
// is asked of the store. A copy of one opens nothing, wherever it is played.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { ChunkClient } from '../../src/agent/uplink/chunk-client.ts';
import { dialGateway, openGateway } from '../../src/agent/uplink/gateway-connection.ts';
import { connectWebSocket } from '../../src/net/websocket-handshake.ts';
import { asProxyError } from '../../src/protocol/error.ts';
import { chunkSubprotocol } from '../../src/protocol/frame.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { tunnelPath } from '../../src/protocol/session-messages.ts';
import { gatewayPair, type GatewayPair } from '../support/gateway-pair.ts';
import { GatewaySession } from '../support/gateway-session.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { waitUntil } from '../support/program.ts';

const connections = 20;
const binaries = postgresBinaries();

type Headers = Awaited<ReturnType<GatewaySession['session']['authorize']>>;

/** What the proofs of a session were made with, as they are made from now on. */
function watchedProofs(session: GatewaySession): { nonce: string | undefined; headers: Headers }[] {
  const made: { nonce: string | undefined; headers: Headers }[] = [];
  const { session: own } = session;
  const authorize = own.authorize.bind(own);
  own.authorize = async (method, path, by) => {
    const headers = await authorize(method, path, by);
    made.push({ nonce: by?.nonce, headers });
    return headers;
  };
  return made;
}

async function connectOnce(client: ChunkClient): Promise<void> {
  const stream = await client.openStream({ authority: '', mode: 'proxy' });
  stream.on('error', () => undefined).destroy();
}

describe(
  'connections of the chunk protocol',
  { skip: 'missing' in binaries ? binaries.missing : false },
  () => {
    const stack = new AsyncDisposableStack();
    let pair: GatewayPair;
    let session: GatewaySession;
    let ca: string;
    let made: ReturnType<typeof watchedProofs>;

    before(async () => {
      const peers = { listen: { address: '127.0.0.1', port: 0 } };
      // Two gateways, one of them of two processes.
      const of = (which: 'first' | 'other') => ({ workers: which === 'first' ? 2 : 1 });
      pair = stack.use(await gatewayPair({ rules: [], hosts: {}, config: { peers } }, of));
      pair.balancer.leadTo(pair.portOf(pair.set.gateway), pair.portOf(pair.other));
      ca = await readFile(pair.set.gatewayCaFile, 'utf8');
      session = await GatewaySession.enrol({
        gatewayCaFile: pair.set.gatewayCaFile,
        issueToken: () => pair.set.issueToken(),
        gateway: { url: pair.balancerUrl },
      });
      made = watchedProofs(session);
    });
    after(() => stack.disposeAsync());

    const open = (): Promise<ChunkClient> =>
      ChunkClient.open({ session: session.session, limits: defaultLimits });

    /** All proofs but the one that asks for the first nonce have one, and each is taken at once. */
    const takesEach = async (): Promise<boolean> => {
      made.length = 0;
      await using client = await open();
      for (let i = 1; i < connections; i += 1) await connectOnce(client);
      return made.length === connections + 1 && made.slice(1).every(({ nonce }) => (nonce ?? '').length > 10);
    };

    const storedProofs = async (): Promise<number> => {
      const { rows } = await pair.database.run('SELECT count(*)::int AS count FROM seen_proof', 'state');
      return Number(rows[0]?.['count']);
    };

    /** At that gateway, whichever worker it comes to. */
    const play = async (url: string, headers: Headers): Promise<string> => {
      const gateway = openGateway(url, { ca });
      try {
        const webSocket = await connectWebSocket({
          socket: await dialGateway(gateway, defaultLimits),
          host: session.session.gateway.address.hostField,
          path: tunnelPath,
          subprotocols: [chunkSubprotocol],
          headers,
          zeroMask: true,
          limits: defaultLimits,
        });
        webSocket.destroy();
        return 'opened';
      } catch (error) {
        return asProxyError(error).message;
      }
    };

    const refusedEverywhere = async (): Promise<void> => {
      // Proofs of more than one process, at each: connections go to the worker that has fewest.
      for (const { headers } of made.slice(-8))
        for (const url of [pair.set.gateway.url, pair.set.gateway.url, pair.set.gateway.url, pair.other.url])
          assert.match(await play(url, headers), /was used before/);
    };

    test('are opened at either gateway and at each worker by nonces, none of which the store hears of', async () => {
      await waitUntil('the gateways know each other', takesEach);
      const stored = await storedProofs();
      assert.equal(await takesEach(), true);
      assert.equal(await storedProofs(), stored);
      await refusedEverywhere();
    });

    test('are opened so while the store is away, and a copy opens nothing', async () => {
      await pair.database.stop();
      assert.equal(await takesEach(), true);
      await refusedEverywhere();
    });

    test('are opened by other proofs where a gateway that gave the nonce is gone', async () => {
      await using client = await open();
      await pair.other[Symbol.asyncDispose]();
      pair.balancer.leadTo(pair.portOf(pair.set.gateway));
      for (let i = 0; i < 3; i += 1) await connectOnce(client);
    });
  },
);
