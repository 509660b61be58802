// A peer from npm that is a library, as a proxy of its own: one line of JSON with its port and the authority that its clients trust.
// usage: peer-process.ts sandbox-runtime|mockttp PACKAGES-FOLDER FOLDER ORIGIN-CA-FILE

import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [name = '', folder = '', , originCaFile = ''] = process.argv.slice(2);
const originCa = readFileSync(originCaFile, 'utf8');

/** The names of the bench's origins are known to nobody else. */
const address = { address: '127.0.0.1', family: 4 } as const;
// All its forms are called with the callback last.
const lookup = ((_host: string, ...rest: readonly unknown[]): void => {
  const [options] = rest;
  const call = rest.at(-1) as (error: null, found: unknown, family?: number) => void;
  const isAll = typeof options === 'object' && options !== null && 'all' in options && options.all === true;
  process.nextTick(() => (isAll ? call(null, [address]) : call(null, address.address, address.family)));
}) as unknown as typeof dns.lookup;
dns.lookup = lookup;

/** A module of an installed package, of whose types nothing is known here. */
async function load(path: string): Promise<Record<string, (...words: readonly unknown[]) => unknown>> {
  const url = pathToFileURL(join(folder, 'node_modules', path)).href;
  const found = (await import(url)) as Record<string, never>;
  return { ...(found['default'] as object | undefined), ...found };
}

function say(port: number, caPem: string): void {
  process.stdout.write(`${JSON.stringify({ port, caPem })}\n`);
}

/** Its HTTP proxy with the TLS-terminating part, which is what its sandbox uses, and a header that is replaced. */
async function sandboxRuntime(): Promise<void> {
  const dist = '@anthropic-ai/sandbox-runtime/dist/sandbox';
  const { createMitmCA } = await load(`${dist}/mitm-ca.js`);
  const { createHttpProxyServer } = await load(`${dist}/http-proxy.js`);
  if (createMitmCA === undefined || createHttpProxyServer === undefined)
    throw new Error('it has other functions than those that are known here');
  const mitmCA = (await createMitmCA({})) as { readonly certPem: string };
  const server = createHttpProxyServer({
    filter: () => true,
    mitmCA,
    mutateHeaders: (headers: object) => headers,
    lookupFor: () => lookup,
    tlsTerminateUpstreamCA: originCa,
  }) as Server;
  server.listen(0, '127.0.0.1', () => say((server.address() as AddressInfo).port, mitmCA.certPem));
}

/** Every request goes on to where it was meant for, with one header more. */
async function mockttp(): Promise<void> {
  const { generateCACertificate, getLocal } = await load('mockttp/dist/main.js');
  if (generateCACertificate === undefined || getLocal === undefined)
    throw new Error('it has other functions than those that are known here');
  const https = (await generateCACertificate()) as { readonly cert: string };
  const server = getLocal({ https, recordTraffic: false, http2: false }) as {
    start(): Promise<void>;
    forUnmatchedRequest(): { thenPassThrough(options: object): Promise<unknown> };
    readonly port: number;
  };
  await server.start();
  await server.forUnmatchedRequest().thenPassThrough({
    additionalTrustedCAs: [{ cert: originCa }],
    transformRequest: { updateHeaders: { 'x-bench': 'replaced' } },
  });
  say(server.port, https.cert);
}

await (name === 'mockttp' ? mockttp() : sandboxRuntime());
