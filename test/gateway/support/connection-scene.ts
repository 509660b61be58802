// One connection of a client of HTTP/1.x without what is around it, over each of what can carry it.

import { duplexPair, type Duplex } from 'node:stream';
import { test } from 'node:test';

import { ClientConnection } from '../../../src/gateway/front/client-connection.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import type { Limits } from '../../../src/protocol/limits.ts';
import { type TunnelPair, tunnelPair } from '../../net/tunnel-pair.ts';
import { httpOrigin, type Origin, type OriginOptions } from '../../support/origin.ts';
import type { LinkAbsence } from '../../../src/net/link-absence.ts';
import { openRequestPath, type RequestPath, testPrincipal } from './request-path.ts';

export interface OpenedConnection {
  readonly client: Duplex;
  /** The gateway's end. */
  readonly far: Duplex;
  readonly connection: ClientConnection;
}

export interface ConnectionScene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly origin: Origin;
  readonly at: string;
  /** A client's end, and what the gateway does with the other one. */
  open(absence?: LinkAbsence): Promise<OpenedConnection>;
}

/** What carries the connection: frames of a tunnel, where TLS ended in the agent, or any other stream. */
export type Transport = 'tunnel' | 'stream';

export function overBoth(name: string, run: (over: Transport) => Promise<void>): void {
  for (const over of ['tunnel', 'stream'] as const) test(`${name} (${over})`, () => run(over));
}

export async function openScene(
  over: Transport,
  { limits = {}, ...options }: OriginOptions & { readonly limits?: Partial<Limits> } = {},
): Promise<ConnectionScene> {
  const origin = await httpOrigin(options);
  let tunnel: TunnelPair | undefined;
  const path = openRequestPath({
    policy: `rules:\n  - { name: a, hosts: allowed.test, scheme: http, ports: ${String(origin.port)}, addresses: 127.0.0.0/8, limits: { bodyBytes: 4MiB } }\n  - { name: no, hosts: allowed.test, paths: /no/*, deny: "Not that." }\n`,
    hosts: ['allowed.test'],
    trust: [],
    limits,
  });
  const destination = { scheme: 'http', host: 'allowed.test', port: origin.port } as const;
  return {
    path,
    origin,
    at: `allowed.test:${String(origin.port)}`,
    open: async (absence) => {
      const scene = { principal: testPrincipal('alice'), destination, protocol: 'http/1.1', absence };
      if (over === 'tunnel') {
        const { near: client, far } = await (tunnel ??= await tunnelPair()).open();
        client.on('error', () => undefined);
        const abort = (error: ProxyError): void => far.reset(error);
        return { client, far, connection: new ClientConnection(far, { scene, abort }, path.parts) };
      }
      const [client, far] = duplexPair();
      client.on('error', () => undefined);
      far.on('error', () => undefined);
      far.once('close', () => {
        if (!far.writableFinished) client.destroy(new Error('reset'));
      });
      client.once('close', () => far.destroy());
      const abort = (): void => void far.destroy();
      return { client, far, connection: new ClientConnection(far, { scene, abort }, path.parts) };
    },
    [Symbol.asyncDispose]: async () => {
      await tunnel?.[Symbol.asyncDispose]();
      await path[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}

export function statuses(text: string): readonly number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

export async function readAll(socket: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}
