// A session with a running gateway whose tunnels are in the test's hands: the agent's own code, without the agent.

import { readFile } from 'node:fs/promises';

import { AgentSession, enrol } from '../../src/agent/uplink/enrol.ts';
import { dialGateway, openGateway } from '../../src/agent/uplink/gateway-connection.ts';
import { SessionKey } from '../../src/agent/uplink/session-key.ts';
import { SessionToken } from '../../src/agent/uplink/token.ts';
import { TunnelLink } from '../../src/net/tunnel-link.ts';
import { connectWebSocket } from '../../src/net/websocket-handshake.ts';
import { tunnelSubprotocol } from '../../src/protocol/frame.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { tunnelPath, type Posture } from '../../src/protocol/session-messages.ts';
import type { Deployment } from './deployment.ts';

const posture: Posture = {
  runtime: 'node',
  runtimeVersion: '26.10.0',
  platform: 'linux',
  nondumpable: true,
  execOnly: false,
  untraced: true,
  coreLimitZero: true,
  inspectorClosed: true,
  environmentClean: true,
  jailed: false,
  uid: 1000,
  notes: [],
};

export class GatewaySession {
  readonly session: AgentSession;

  private constructor(session: AgentSession) {
    this.session = session;
  }

  /** Enrols with the token of a file, or a fresh one; `isCommitted` unless told otherwise. */
  static async enrol(
    deployment: Pick<Deployment, 'gatewayCaFile' | 'issueToken'> & {
      readonly gateway: { readonly url: string };
    },
    { tokenFile, commits = true }: { readonly tokenFile?: string; readonly commits?: boolean } = {},
  ): Promise<GatewaySession> {
    const ca = await readFile(deployment.gatewayCaFile, 'utf8');
    const bytes = await readFile(tokenFile ?? (await deployment.issueToken()));
    const session = await enrol({
      gateway: openGateway(deployment.gateway.url, { ca }),
      token: new SessionToken(bytes, bytes.length),
      key: await SessionKey.generate(),
      posture,
      limits: defaultLimits,
    });
    if (commits) await session.commit();
    return new GatewaySession(session);
  }

  get id(): string {
    return this.session.id;
  }

  /** Another tunnel, on a connection of its own. Throws what the gateway refuses it with. */
  async openTunnel(): Promise<TunnelLink> {
    const { gateway } = this.session;
    const headers = await this.session.authorize('GET', tunnelPath);
    const webSocket = await connectWebSocket({
      socket: await dialGateway(gateway, defaultLimits),
      host: gateway.address.hostField,
      path: tunnelPath,
      subprotocols: [tunnelSubprotocol],
      headers,
      zeroMask: true,
      limits: defaultLimits,
    });
    return new TunnelLink({ webSocket, role: 'agent', limits: defaultLimits });
  }
}

/** One request in absolute form on a stream of its own. Gives the status, and what came of the response. */
export async function askOn(
  link: TunnelLink,
  url: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const stream = link.openStream({ authority: '', mode: 'proxy' });
  const { host } = new URL(url);
  stream.on('error', () => undefined);
  stream.end(`GET ${url} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  let text = '';
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) text += chunk.toString('latin1');
  } catch {
    // A stream that was refused has no response; what is there says it.
  }
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text };
}
