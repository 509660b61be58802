// HTTP/1.1 by hand, as a client that can send anything.

import type { Duplex } from 'node:stream';

export interface RawResponse {
  readonly status: number;
  readonly head: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Sends the bytes and reads until the connection ends; for requests with `Connection: close`. */
export async function sendRaw(socket: Duplex, bytes: string | Buffer): Promise<RawResponse> {
  socket.write(bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return parseResponse(Buffer.concat(chunks).toString('latin1'));
}

/** As that, and gives what came too where the connection broke. */
export async function sendRawUntilBroken(socket: Duplex, bytes: string): Promise<RawResponse> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const { promise, resolve } = Promise.withResolvers<undefined>();
  for (const ended of ['error', 'end', 'close']) socket.once(ended, () => resolve(undefined));
  socket.write(bytes);
  await promise;
  return parseResponse(Buffer.concat(chunks).toString('latin1'));
}

function parseResponse(text: string): RawResponse {
  const split = text.indexOf('\r\n\r\n');
  const head = split === -1 ? text : text.slice(0, split);
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1] ?? Number.NaN);
  return { status, head, headers, body: split === -1 ? '' : text.slice(split + 4) };
}

export function get(host: string, path: string, ...fields: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...fields, '', ''].join('\r\n');
}
