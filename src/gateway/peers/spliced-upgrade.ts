// An upgrade for a tunnel of another gateway, as it goes there: what that one needs and no more. No token and no proof goes along.

import { z } from 'zod';
import type { SplicedUpgrade } from '../tunnels/tunnel-server.ts';

/** Fields of the handshake, each bounded where it came in. */
const fields = [
  'connection',
  'upgrade',
  'sec-websocket-version',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'upstreamproxy-mask',
  'upstreamproxy-modes',
  'upstreamproxy-resume',
  'upstreamproxy-datagrams',
] as const;

const schema = z.strictObject({
  session: z.strictObject({ sessionId: z.string().max(200), id: z.string().max(2000) }),
  method: z.string().max(20),
  httpVersion: z.string().max(10),
  headers: z.partialRecord(z.enum(fields), z.string().max(16_384)),
  isEncrypted: z.boolean(),
  exporter: z.string().max(100).optional(),
});

export type SplicedFacts = z.infer<typeof schema>;

export function splicedFacts(
  { request, session, exporter }: Omit<SplicedUpgrade, 'socket' | 'head'>,
  isEncrypted: boolean,
): SplicedFacts {
  const headers = fields.flatMap((name) => {
    const value = request.headers[name];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  return {
    session: { sessionId: session.sessionId, id: session.id },
    method: request.method ?? '',
    httpVersion: request.httpVersion,
    headers: Object.fromEntries(headers),
    isEncrypted,
    ...(exporter === undefined ? {} : { exporter: Buffer.from(exporter).toString('base64') }),
  };
}

/** Undefined for what is none. */
export function parseSplicedFacts(text: string): SplicedFacts | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
