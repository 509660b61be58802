// A registry behind a request path: what it is asked, and what comes through of what it delivers.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { sendRawUntilBroken } from './raw-http.ts';
import { openRequestPath, type RequestPath, type RequestPathOptions } from './request-path.ts';

const authority = createTestAuthority();

interface Delivered {
  readonly status: number;
  readonly body: Buffer;
  readonly isWhole: boolean;
}

export interface RegistryScene extends AsyncDisposable {
  readonly path: RequestPath;
  /** What the registry was asked for, in order. */
  readonly asked: readonly string[];
  /** By which methods. */
  readonly methods: readonly string[];
  get(target: string, fields?: readonly string[]): Promise<Delivered>;
  send(method: string, target: string, fields?: readonly string[]): Promise<Delivered>;
}

export type Respond = (request: IncomingMessage, response: ServerResponse) => void;

/** A text, octets, or a status that says that there is nothing. */
export const serving =
  (files: Readonly<Record<string, string | Uint8Array | number>>): Respond =>
  ({ url = '' }, response) => {
    const file = files[url] ?? 404;
    if (typeof file === 'number') response.writeHead(file, { 'content-length': '0' }).end();
    else response.writeHead(200, { 'content-length': String(Buffer.from(file).length) }).end(file);
  };

/** @param rule what `packages` says, but for where the registry is */
export async function openRegistryScene(
  rule: string,
  respond: Respond,
  options: Partial<RequestPathOptions> = {},
): Promise<RegistryScene> {
  const asked: string[] = [];
  const methods: string[] = [];
  const origin = await httpsOrigin({
    authority,
    handler: (request, response) => {
      asked.push(request.url ?? '');
      methods.push(request.method ?? '');
      respond(request, response);
    },
  });
  const at = `registry.test:${String(origin.port)}`;
  const path = openRequestPath({
    policy: `rules:\n  - { name: registry, hosts: registry.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8, packages: { ${rule}, index: "https://${at}/" } }`,
    hosts: ['registry.test'],
    trust: [authority.caPem],
    ...options,
  });
  const send: RegistryScene['send'] = async (method, target, fields = []) => {
    const socket = await path.tls(at);
    const text = await sendRawUntilBroken(
      socket,
      [`${method} ${target} HTTP/1.1`, `Host: ${at}`, ...fields, 'Connection: close', '', ''].join('\r\n'),
    );
    const body = Buffer.from(text.body, 'latin1');
    const length = text.headers.get('content-length');
    return { status: text.status, body, isWhole: body.length === Number(length) };
  };
  return {
    path,
    asked,
    methods,
    send,
    get: async (target, fields) => await send('GET', target, fields),
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}
