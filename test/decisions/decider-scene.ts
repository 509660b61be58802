// A request path whose rule asks a decider, before an origin that keeps what it got.

import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Deciders } from '../../src/gateway/deciders/deciders.ts';
import type { DeciderSettings } from '../../src/gateway/config/deciders-settings.ts';
import { createDialer } from '../../src/net/dialer.ts';
import { createResolver } from '../../src/net/resolver.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import { openRequestPath, type RequestPath, underCeiling } from '../gateway/support/request-path.ts';
import { createTestAuthority } from '../support/test-authority.ts';

export const authority = createTestAuthority();
const host = 'api.test';
export const deciderHost = 'decider.test';

interface Got {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface DeciderScene extends AsyncDisposable {
  readonly path: RequestPath;
  /** What reached the origin. */
  readonly got: readonly Got[];
  readonly port: number;
  send(options?: SendOptions): Promise<Sent>;
}

interface Sent {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface SendOptions {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly signal?: AbortSignal;
  readonly principal?: string;
}

export async function openScene({
  settings,
  decide,
  keys = '',
  limits: given = {},
  environment = {},
  rules = '',
  clock = Date.now,
  ceiling,
  serve = (_request, response) => response.end('served'),
}: {
  readonly settings: Readonly<Record<string, DeciderSettings>>;
  /** Of the rule, in YAML; false: nothing. */
  readonly decide: string | false;
  readonly keys?: string;
  readonly limits?: Partial<Limits>;
  readonly environment?: Readonly<Record<string, string>>;
  /** By which files are looked at again. */
  readonly clock?: () => number;
  /** Before it. */
  readonly rules?: string;
  /** Rules above it, in YAML, for the port of the origin. */
  readonly ceiling?: (port: number) => string;
  /** What the origin sends. */
  readonly serve?: (request: IncomingMessage, response: ServerResponse) => void;
}): Promise<DeciderScene> {
  const limits = { ...defaultLimits, ...given };
  const got: Got[] = [];
  const server = createServer(authority.issue(host), (request, response) => {
    void text(request).then((body) => {
      got.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      serve(request, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const resolver = createResolver({ limits, hosts: { [deciderHost]: ['127.0.0.1'] }, hostsFile: false });
  const dialerBy = (trust: readonly string[]) =>
    createDialer({ resolver, limits, trust, reachesThisMachine: true });
  const deciders = await Deciders.open(settings, {
    environment,
    clock,
    limits,
    onFault: () => undefined,
    dialersBy: (trust) => ({ dialer: dialerBy(trust ?? []), loopback: dialerBy([]) }),
  });
  const path = openRequestPath({
    policy: `rules:\n${rules}  - { name: api, hosts: ${host}, ports: ${String(port)}, addresses: 127.0.0.0/8${decide === false ? '' : `, decide: ${decide}`}${keys} }\n`,
    hosts: [host],
    trust: [authority.caPem],
    deciders,
    limits: given,
    ...(ceiling === undefined ? {} : { over: underCeiling(ceiling(port)) }),
  });
  return {
    path,
    got,
    port,
    send: (options = {}) => send(path, port, options),
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await deciders[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}

async function send(
  path: RequestPath,
  port: number,
  { method = 'GET', target = '/a?b=c', headers = {}, body, signal, principal = 'alice' }: SendOptions,
): Promise<Sent> {
  const socket = await path.tls(`${host}:${String(port)}`, { alpn: ['http/1.1'], principal });
  const asked = httpsRequest({
    createConnection: () => socket,
    host,
    port,
    path: target,
    method,
    headers,
    ...(signal === undefined ? {} : { signal }),
  });
  asked.end(body);
  try {
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return { status: response.statusCode, headers: response.headers, body: await text(response) };
  } finally {
    socket.destroy();
  }
}

/** The certificate of the tests' authority as a file. */
export function authorityFile(): Disposable & { readonly ca: string } {
  const directory = mkdtempSync(join(tmpdir(), 'decider-ca-'));
  const ca = join(directory, 'ca.pem');
  writeFileSync(ca, authority.caPem);
  return { ca, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}
