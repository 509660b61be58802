// Two links on a real loopback connection, for the tests of tunnel and stream.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type net from 'node:net';
import type { Duplex, Readable } from 'node:stream';

import { TunnelLink } from '../../src/net/tunnel-link.ts';
import type { TunnelLinkOptions } from '../../src/net/tunnel-link-options.ts';
import type { TunnelStream } from '../../src/net/tunnel-stream.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Limits } from '../../src/protocol/limits.ts';
import type { OpenFields } from '../../src/protocol/frame.ts';

import { webSocketPair } from './websocket-pair.ts';

export const someFields: OpenFields = { authority: 'origin.test:443', mode: 'raw' };

export interface TunnelPair extends AsyncDisposable {
  readonly agent: TunnelLink;
  readonly gateway: TunnelLink;
  readonly agentSocket: net.Socket;
  readonly gatewaySocket: net.Socket;
  /** Of a pair that outlives its connection: waits until both ends know that they have none. */
  detached(): Promise<void>;
  /** Gives both ends another connection, with what each has as the place to go on from. */
  attach(): Promise<void>;
  /** Opens a stream; resolves with both ends once the gateway has it. */
  open(fields?: OpenFields): Promise<{ readonly near: TunnelStream; readonly far: TunnelStream }>;
}

export async function tunnelPair(
  options: {
    limits?: Limits;
    zeroMask?: boolean;
    isResumable?: boolean;
    onStream?: TunnelLinkOptions['onStream'];
    onGoaway?: TunnelLinkOptions['onGoaway'];
    nowMs?: () => number;
  } = {},
): Promise<TunnelPair> {
  const { limits = defaultLimits, onGoaway, nowMs, isResumable = false } = options;
  const detached = { agent: Promise.withResolvers<void>(), gateway: Promise.withResolvers<void>() };
  const pair = await webSocketPair({ limits, zeroMask: options.zeroMask ?? false });
  const arrivals = new Map<number, (stream: TunnelStream) => void>();
  const onStream =
    options.onStream ?? ((stream: TunnelStream): void => arrivals.get(stream.streamId)?.(stream));
  const clock = nowMs === undefined ? {} : { nowMs };
  const gateway = new TunnelLink({
    webSocket: pair.server,
    role: 'gateway',
    limits,
    isResumable,
    onStream,
    onDetached: detached.gateway.resolve,
    ...clock,
  });
  const agent = new TunnelLink({
    webSocket: pair.client,
    role: 'agent',
    limits,
    isResumable,
    onDetached: detached.agent.resolve,
    ...clock,
    ...(onGoaway === undefined ? {} : { onGoaway }),
  });
  return {
    agent,
    gateway,
    agentSocket: pair.clientSocket,
    gatewaySocket: pair.serverSocket,
    async detached() {
      await Promise.all([detached.agent.promise, detached.gateway.promise]);
    },
    async attach() {
      const { client, server } = await webSocketPair({ limits });
      const counts = [agent.state.receivedBytes, gateway.state.receivedBytes] as const;
      server.start(gateway.attach(server, counts[0]));
      client.start(agent.attach(client, counts[1]));
    },
    async open(fields = someFields) {
      const near = agent.openStream(fields);
      const far = await new Promise<TunnelStream>((resolve) => arrivals.set(near.streamId, resolve));
      return { near, far };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([agent[Symbol.asyncDispose](), gateway[Symbol.asyncDispose]()]);
    },
  };
}

/** All that a stream gives until its end; rejects if it fails before. An async iterator would destroy the other half. */
export function readAll(stream: Duplex): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('the stream was closed before its end')));
  });
}

/** SHA-256 of all that a stream gives, hexadecimal. */
export async function hashAll(stream: Readable): Promise<string> {
  const hash = createHash('sha256');
  stream.on('data', (chunk: Buffer) => hash.update(chunk));
  await once(stream, 'end');
  return hash.digest('hex');
}

/** Settles once the stream is closed, with or without an error. */
export async function closed(stream: Duplex): Promise<void> {
  if (!stream.closed) await new Promise<void>((resolve) => stream.once('close', resolve));
}

/** The error that a stream ends with; fails if it ends without one. */
export async function streamFailure(stream: TunnelStream): Promise<Error> {
  if (stream.errored !== null) return stream.errored;
  const [error] = (await once(stream, 'error')) as [Error];
  return error;
}
