// The end of a gateway, whatever its port has given connections up to.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { dialGateway } from '../../src/agent/uplink/gateway-connection.ts';
import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { type Gateway, startGateway } from '../../src/gateway/gateway.ts';
import { identityFolder, identityPlaces } from '../../src/gateway/identity/identity-places.ts';
import { PeerIdentity } from '../../src/gateway/peers/peer-identity.ts';
import { listenForPeers } from '../../src/gateway/peers/peer-listener.ts';
import { openSigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../src/gateway/sessions/token-issuer.ts';
import { newGatewayName, newIncarnation } from '../../src/gateway/tunnels/incarnation.ts';
import { resumeNameOf } from '../../src/net/resume-name.ts';
import { acceptWebSocket, connectWebSocket } from '../../src/net/websocket-handshake.ts';
import { chunkSubprotocol, tunnelSubprotocol } from '../../src/protocol/frame.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { tunnelPath } from '../../src/protocol/session-messages.ts';
import { GatewaySession } from '../support/gateway-session.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const deaf = { onData: () => undefined, onMessageEnd: () => undefined, onClose: () => undefined };

interface Scene {
  readonly gateway: Gateway;
  readonly config: ReturnType<typeof embeddedConfig>;
  readonly session: GatewaySession;
  readonly stack: AsyncDisposableStack;
}

async function openScene(stack: AsyncDisposableStack): Promise<Scene> {
  const folder = stack.use(await temporaryDirectory()).path;
  const policy = join(folder, 'policy.yaml');
  await writeFile(policy, 'rules: []\n');
  const config = {
    ...embeddedConfig(join(folder, 'state'), { policy: { mode: 'files', paths: [policy] } }),
    peers: { address: '127.0.0.1', port: 0, host: '127.0.0.1', known: [] },
  };
  const gateway = stack.use(await startGateway(config, { log: () => undefined }));
  const key = await openSigningKey(identityFolder(config));
  const [tokenFile, gatewayCaFile] = [join(folder, 'token'), join(folder, 'ca.pem')];
  await writeFile(gatewayCaFile, gateway.serverCaPem ?? '');
  const token = issueSessionToken({ ...config.tokens, key, subject: 'test', nowMs: Date.now() });
  await writeFile(tokenFile, token, { mode: 0o600 });
  const session = await GatewaySession.enrol({
    gateway: { url: gateway.url },
    gatewayCaFile,
    issueToken: async () => tokenFile,
  });
  return { gateway, config, session, stack };
}

async function openWebSocket({ session }: Scene, subprotocol: string, resume?: string): Promise<void> {
  const { gateway } = session.session;
  const webSocket = await connectWebSocket({
    socket: await dialGateway(gateway, defaultLimits),
    host: gateway.address.hostField,
    path: tunnelPath,
    subprotocols: [subprotocol],
    headers: await session.session.authorize('GET', tunnelPath),
    zeroMask: true,
    limits: defaultLimits,
    ...(resume === undefined ? {} : { resume }),
  });
  webSocket.start(deaf);
}

const holds: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  'a tunnel': async ({ session }) => void (await session.openTunnel()),
  'a tunnel in chunks': (scene) => openWebSocket(scene, chunkSubprotocol),
  'a connection that says nothing': async ({ gateway, stack }) => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    stack.defer(() => void socket.on('error', () => undefined).destroy());
    await once(socket, 'connect');
  },
  'a tunnel that is led to another gateway': async (scene) => {
    const { gateway, config, stack } = scene;
    const authority = await identityPlaces(config).peers.open(Date.now());
    const identity = new PeerIdentity(newIncarnation(newGatewayName()), authority, Date.now);
    const holder = await listenForPeers({
      identity,
      listen: { address: '127.0.0.1', port: 0 },
      limits: defaultLimits,
      clock: Date.now,
      onFault: () => undefined,
      follow: async (followed) => void followed.destroy(),
      start: async (starting) => void starting.destroy(),
      proofs: async (asking) => void asking.destroy(),
      take: ({ request, socket, head }) =>
        acceptWebSocket({
          request,
          socket,
          head,
          subprotocols: [tunnelSubprotocol],
          allowZeroMask: true,
          allowResume: true,
          limits: defaultLimits,
        }).start(deaf),
    });
    stack.use(holder);
    const peerAddress = `127.0.0.1:${holder.port}`;
    const { incarnation } = identity;
    await gateway.store.gateways.note(
      { incarnation, peerAddress, state: 'serving', changeSeen: 0, identityKeys: undefined },
      60_000,
    );
    const tunnelId = new Uint8Array(Buffer.concat([Buffer.from(incarnation, 'hex'), randomBytes(16)]));
    await openWebSocket(scene, tunnelSubprotocol, resumeNameOf({ tunnelId, epoch: 1 }));
  },
};

for (const drainMs of [0, 100])
  for (const [what, hold] of Object.entries(holds))
    test(`a gateway with ${what} ends, ${drainMs === 0 ? 'at once' : 'behind its drain'}`, async () => {
      await using stack = new AsyncDisposableStack();
      const scene = await openScene(stack);
      await hold(scene);
      // One that does not end meets the bound of the file.
      await scene.gateway.close({ drainMs });
      await assert.rejects(fetch(scene.gateway.url));
    });
