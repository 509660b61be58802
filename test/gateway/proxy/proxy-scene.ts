// A gateway in this process with the listener for clients without an agent, two origins behind it, and a client in the test's hands.

import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { stringify } from 'yaml';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { embeddedConfig, type GatewayConfig } from '../../../src/gateway/config/config.ts';
import { type Gateway, startGateway } from '../../../src/gateway/gateway.ts';
import { ownPlaces } from '../../../src/gateway/identity/identity-places.ts';
import { networksClaim, proxyAudience, proxyTokenType } from '../../../src/gateway/sessions/proxy-token.ts';
import type { SigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../../src/gateway/sessions/token-issuer.ts';
import { caCertPath } from '../../../src/protocol/session-messages.ts';
import { type Origin, httpOrigin, httpsOrigin } from '../../support/origin.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

export interface ProxyScene extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly port: number;
  /** PEM of the gateway's certificate, and of what it intercepts with. */
  readonly serverCa: string;
  readonly interceptionCa: string;
  readonly origin: Origin;
  readonly clearOrigin: Origin;
  readonly config: GatewayConfig;
  readonly logged: readonly string[];
  token(options?: TokenOptions): string;
  /** Behind the TLS of the listener. */
  connect(alpn?: string): Promise<TLSSocket>;
  events(): Promise<readonly AuditEvent[]>;
}

export interface TokenOptions {
  readonly subject?: string;
  readonly networks?: unknown;
  readonly ttlSeconds?: number;
  readonly nowMs?: number;
  readonly typ?: string;
  readonly audience?: string;
}

/** Names that lead to the origins. */
export const [originName, clearName] = ['origin.test', 'clear.test'];

export async function openProxyScene(
  overrides: Partial<GatewayConfig> & {
    readonly rules?: readonly object[];
    readonly handler?: RequestListener;
  } = {},
): Promise<ProxyScene> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  const authority = createTestAuthority();
  const { handler, ...changes } = overrides;
  const origin = stack.use(await httpsOrigin({ authority, ...(handler === undefined ? {} : { handler }) }));
  const clearOrigin = stack.use(await httpOrigin());
  const { rules = rulesFor(origin, clearOrigin), ...others } = changes;
  await mkdir(join(directory, 'state'), { mode: 0o700 });
  await writeFile(join(directory, 'policy.yaml'), stringify({ rules }));
  await writeFile(join(directory, 'origins.pem'), authority.caPem);
  const base = embeddedConfig(join(directory, 'state'));
  const config: GatewayConfig = {
    ...base,
    limits: { ...base.limits, enrolFailuresPerSecondMax: 1000 },
    proxy: { address: '127.0.0.1', port: 0, proxyProtocol: 'refused' },
    policy: { mode: 'files', paths: [join(directory, 'policy.yaml')] },
    upstream: {
      ...base.upstream,
      ca: [join(directory, 'origins.pem')],
      hosts: { [originName]: ['127.0.0.1'], [clearName]: ['127.0.0.1'] },
    },
    ...others,
  };
  const logged: string[] = [];
  const gateway = stack.use(await startGateway(config, { log: (_, line) => void logged.push(line) }));
  const serverCa = gateway.serverCaPem ?? '';
  const key = await ownPlaces(config).signingKey.open();
  const port = gateway.proxyPort ?? 0;
  const interceptionCa = await fetchText(`${gateway.url}${caCertPath}`, serverCa);
  const owned = stack.move();
  return {
    gateway,
    port,
    serverCa,
    interceptionCa,
    origin,
    clearOrigin,
    config,
    logged,
    token: (options) => tokenOf(key, config, options),
    connect: async (alpn) => {
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        ca: serverCa,
        servername: 'localhost',
        ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
      });
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      return socket;
    },
    events: async () => await gateway.store.audit.query({ limit: 1000 }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function rulesFor(origin: Origin, clearOrigin: Origin): readonly object[] {
  return [
    { name: 'origin', hosts: originName, ports: [origin.port], addresses: ['127.0.0.0/8'] },
    {
      name: 'clear',
      hosts: clearName,
      ports: [clearOrigin.port],
      scheme: 'http',
      addresses: ['127.0.0.0/8'],
    },
  ];
}

function tokenOf(
  key: SigningKey,
  { tokens }: GatewayConfig,
  { subject = 'job', networks, ttlSeconds = 600, nowMs = Date.now(), typ, audience }: TokenOptions = {},
): string {
  return issueSessionToken({
    key,
    issuer: tokens.issuer,
    audience: audience ?? proxyAudience(tokens.audience),
    subject,
    claims: networks === undefined ? {} : { [networksClaim]: networks },
    ttlSeconds,
    nowMs,
    typ: typ ?? proxyTokenType,
  });
}

async function fetchText(url: string, ca: string): Promise<string> {
  const sent = request(url, { ca }).end();
  const [response] = await once(sent, 'response');
  return await text(response);
}

export function basic(token: string, name = 'proxy'): string {
  return `Proxy-Authorization: Basic ${Buffer.from(`${name}:${token}`).toString('base64')}\r\n`;
}

/** The next response head, with the body that its length announces. */
export async function nextResponse(socket: TLSSocket): Promise<string> {
  let whole = '';
  for (;;) {
    const end = whole.indexOf('\r\n\r\n');
    if (end >= 0) {
      const length = Number(/^content-length: (\d+)\r$/im.exec(whole.slice(0, end + 1))?.[1] ?? 0);
      if (whole.length >= end + 4 + length) return whole;
    }
    const chunk: Buffer | null = socket.read();
    if (chunk !== null) whole += chunk.toString('latin1');
    else if (socket.readableEnded || socket.destroyed) return `${whole}[end]`;
    else await moved(socket);
  }
}

/** Something can be read, or the end. */
export async function moved(socket: TLSSocket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const names = ['readable', 'end', 'close'];
  for (const name of names) socket.on(name, resolve);
  await promise;
  for (const name of names) socket.off(name, resolve);
}

/** CONNECT on that connection; gives the response. */
export async function ask(socket: TLSSocket, target: string, fields = ''): Promise<string> {
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${fields}\r\n`);
  return await nextResponse(socket);
}

/** What a plain connection to the listener gets for these octets. */
export async function inTheClear(port: number, octets: string | Uint8Array): Promise<string> {
  const socket = connectTcp({ port, host: '127.0.0.1' });
  socket.write(octets);
  return await text(socket).catch(() => 'reset');
}

/** A request inside of a CONNECT that was accepted. */
export async function getInside(socket: TLSSocket, ca: string, path = '/hello'): Promise<string> {
  const tls = connectTls({ socket, servername: originName, ca });
  await once(tls, 'secureConnect');
  tls.write(`GET ${path} HTTP/1.1\r\nHost: ${originName}\r\nConnection: close\r\n\r\n`);
  return await text(tls);
}
