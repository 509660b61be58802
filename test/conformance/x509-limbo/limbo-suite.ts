// The cases of x509-limbo for servers: an origin that presents a case's certificates, and the gateway's dialer, which trusts the case's
// roots and verifies as it does every origin.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import type { Server } from 'node:tls';

import { createDialer } from '../../../src/net/dialer.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { namedMaterial } from '../material.ts';
import type { CaseResult, Suite } from '../suite.ts';
import { limboDeviations } from './limbo-deviations.ts';

export const limboSuite: Suite = {
  name: 'x509-limbo',
  about: 'x509-limbo’s cases for servers: an origin’s certificates are trusted or refused as they say',
  deviations: limboDeviations,
  run: async () => {
    const material = namedMaterial('x509-limbo');
    if ('absent' in material) return { absent: material.absent };
    return { results: await runLimbo(join(material.folder, 'limbo.json')), from: material.from };
  },
};

/** What of a case is read (limbo-schema.json). */
export interface LimboCase {
  readonly id: string;
  readonly features: readonly string[];
  readonly validation_kind: 'SERVER' | 'CLIENT';
  readonly trusted_certs: readonly string[];
  readonly untrusted_intermediates: readonly string[];
  readonly peer_certificate: string;
  readonly peer_certificate_key: string | null;
  readonly validation_time: string | null;
  readonly expected_result: 'SUCCESS' | 'FAILURE';
  readonly expected_peer_name: { readonly kind: string; readonly value: string } | null;
}

/** @param file a `limbo.json` */
export async function runLimbo(file: string): Promise<readonly CaseResult[]> {
  // Of version 1, as its own schema says.
  const { testcases } = JSON.parse(await readFile(file, 'utf8')) as {
    readonly testcases: readonly LimboCase[];
  };
  const results: CaseResult[] = [];
  for (const test of testcases) results.push(await runCase(test));
  return results;
}

function exclusionOf({ id, features, validation_kind: kind, ...test }: LimboCase): string | undefined {
  if (kind !== 'SERVER') return 'verifies a client';
  if (test.validation_time !== null) return 'asks for another time than now';
  if (features.some((name) => name.startsWith('pedantic-'))) return 'asks for what the suite calls pedantic';
  if (features.some((name) => name === 'has-crl' || name === 'max-chain-depth'))
    return 'gives a list of revocations, or a depth of its own';
  if (/^(?:bettertls|online)::/.test(id)) return 'is of another suite, or of a public site';
  if (test.expected_peer_name?.kind !== 'DNS') return 'is not for the name of a host';
  if (test.peer_certificate_key === null) return 'has no key to serve with';
  return undefined;
}

async function runCase(test: LimboCase): Promise<CaseResult> {
  const { id } = test;
  const rule = exclusionOf(test);
  if (rule !== undefined) return { id, state: 'excluded', rule };
  const server = serverOf(test);
  if (server === undefined)
    return { id, state: 'excluded', rule: 'has a certificate that this machine’s TLS does not serve with' };
  const refusal = await refusalOf(test, server);
  const isTaken = refusal === undefined;
  if (isTaken === (test.expected_result === 'SUCCESS')) return { id, state: 'passed' };
  return { id, state: 'failed', why: refusal ?? 'it is taken, and should be refused' };
}

function serverOf({
  peer_certificate: peer,
  peer_certificate_key: key,
  untrusted_intermediates: others,
}: LimboCase): Server | undefined {
  const identity = { cert: [peer, ...others].join('\n'), key: key ?? '' };
  try {
    // What is weak is for the other side to refuse.
    return createServer({ ...identity, ciphers: 'DEFAULT@SECLEVEL=0' }, (socket) =>
      socket.on('error', () => undefined).end(),
    );
  } catch {
    return undefined;
  }
}

async function refusalOf(
  { trusted_certs: trust, expected_peer_name: name }: LimboCase,
  server: Server,
): Promise<string | undefined> {
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const resolver = { resolve: () => Promise.resolve(['127.0.0.1']) };
  const dialer = createDialer({ resolver, trust, limits: defaultLimits });
  // It listens on an address and a port.
  const { port } = server.address() as AddressInfo;
  const destination = { scheme: 'https', host: name?.value ?? '', port } as const;
  try {
    const { socket } = await dialer.dial({ destination, addresses: ['127.0.0.0/8'], principalId: 'p' });
    socket.destroy();
    return undefined;
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    return `${error.code}: ${error.message}${error.cause instanceof Error ? ` (${error.cause.message})` : ''}`;
  } finally {
    server.close();
  }
}
