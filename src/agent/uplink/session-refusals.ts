// What the gateway refused this session, asked for on the tunnel: the process of the gateway that holds it has counted it.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { SessionRefusal, SessionRefusals } from '../../protocol/session-refusals.ts';
import type { TunnelClient } from './tunnel-client.ts';

/** What the gateway tells, and whether that is all. */
export interface ToldRefusals extends SessionRefusals {
  /** False where the tunnel broke in between: what was refused before, another process may have counted. */
  readonly isWhole: boolean;
}

/**
 * Undefined from a gateway that does not tell, which its modes say. Throws timeout, gateway_protocol, or why there is no stream.
 */
export async function askRefusals(
  client: Pick<TunnelClient, 'openStream' | 'linksUsed'>,
  modes: readonly string[],
  { refusalsTimeoutMs, refusalsBytesMax } = defaultLimits,
): Promise<ToldRefusals | undefined> {
  if (!modes.includes('refusals')) return undefined;
  const stream = client.openStream({ authority: '', mode: 'refusals' });
  const timer = setTimeout(() => {
    stream.destroy(new ProxyError('timeout', `no list of refusals within ${refusalsTimeoutMs} ms`));
  }, refusalsTimeoutMs);
  try {
    stream.end();
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > refusalsBytesMax) throw malformed(`has more than ${refusalsBytesMax} bytes`);
      chunks.push(chunk);
    }
    return { ...readRefusals(Buffer.concat(chunks)), isWhole: client.linksUsed === 1 };
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

function malformed(what: string): ProxyError {
  return new ProxyError('gateway_protocol', `the list of refusals of the gateway ${what}`);
}

/** Throws gateway_protocol. Members that it does not know are left out. */
export function readRefusals(bytes: Buffer): SessionRefusals {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (cause) {
    throw new ProxyError('gateway_protocol', 'the list of refusals of the gateway is not JSON', { cause });
  }
  const { refusals, others = 0 } = recordOf(value) ?? {};
  if (!Array.isArray(refusals) || !isCount(others)) throw malformed('has another form');
  return { refusals: refusals.map(readRefusal), others };
}

function readRefusal(value: unknown): SessionRefusal {
  const { kind, code, count, port, ...rest } = recordOf(value) ?? {};
  if ((kind !== 'exchange' && kind !== 'stream') || typeof code !== 'string' || !isCount(count))
    throw malformed('has an entry of another form');
  const texts = (['method', 'scheme', 'host', 'path', 'rule'] as const).flatMap((name) => {
    const text = rest[name];
    if (text === undefined) return [];
    if (typeof text !== 'string') throw malformed(`has a ${name} of another form`);
    return [[name, text] as const];
  });
  if (port !== undefined && !isCount(port)) throw malformed('has a port of another form');
  return { kind, code, count, ...(port === undefined ? {} : { port }), ...Object.fromEntries(texts) };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  // Of JSON: its keys are strings, and its values are checked one by one.
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
