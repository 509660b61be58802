// The body of a request for access: what a workload may write, and what it means in canonical form.

import { z } from 'zod';
import { defaultPortOf, hostField, parseAuthority } from '../../http/authority.ts';
import type { Destination } from '../../http/destination.ts';
import { canonicalTarget, parseAbsoluteTarget } from '../../http/request-target.ts';
import { accessHost } from '../../policy/granted-policy.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';

export interface AskedAccess {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly method?: string;
  readonly path?: string;
  readonly reason: string;
  readonly traceId?: string;
}

const form =
  'write {"url": "https://…", "method": "GET", "reason": "why the task needs it"}; instead of url, "host" asks for all of a host; "trace" is the trace id of the denial';

const schema = z.strictObject({
  url: z.string().min(1).max(4096).optional(),
  host: z.string().min(1).max(300).optional(),
  method: z
    .string()
    .regex(/^[A-Za-z]{1,32}$/)
    .optional(),
  reason: z.string().min(1),
  trace: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
});

/** Reads the body. Throws `request_malformed` or `authority_malformed` with what to write. */
export function parseAccessRequest(body: string, limits: Limits): AskedAccess {
  const { url, host, method, reason, trace } = readForm(body);
  if (reason.length > limits.accessReasonCharactersMax) {
    const max = limits.accessReasonCharactersMax;
    throw malformed(`the reason is longer than ${max} characters (accessReasonCharactersMax)`);
  }
  if ((url === undefined) === (host === undefined))
    throw malformed(`exactly one of url and host is needed; ${form}`);
  const { destination, path } = url === undefined ? ofHost(host ?? '') : ofUrl(url);
  const { scheme } = destination;
  if (scheme === 'tcp' || scheme === 'udp') throw malformed('only http and https can be asked for');
  if (destination.host === accessHost) throw malformed('the gateway itself is open to you already');
  const upper = method?.toUpperCase();
  if (upper === 'CONNECT' || upper === 'TRACE')
    throw malformed(`${upper} is never forwarded; name the method of the request that was refused`);
  return {
    scheme,
    host: destination.host,
    port: destination.port,
    ...(upper === undefined ? {} : { method: upper }),
    ...(path === undefined ? {} : { path }),
    reason,
    ...(trace === undefined ? {} : { traceId: trace }),
  };
}

/** `GET https://example.com/x`; `*` stands for every method, and for every path. */
export function describeAsked(asked: Omit<AskedAccess, 'reason' | 'traceId'>): string {
  const { scheme, method = '*', path = '/*' } = asked;
  return `${method} ${scheme}://${hostField(asked)}${path}`;
}

function readForm(body: string): z.infer<typeof schema> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw malformed(`the body is not JSON; ${form}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const name = issue?.path.join('.') ?? '';
  throw malformed(`${name === '' ? 'the body' : name} is not as expected; ${form}`);
}

function ofUrl(url: string): { destination: Destination; path: string } {
  const absolute = parseAbsoluteTarget(url.replace(/#.*$/s, ''));
  if (absolute === undefined) throw malformed('url is not an http or https URL');
  const { path } = canonicalTarget(absolute.target === '' ? '/' : absolute.target);
  return { destination: absolute.destination, path };
}

function ofHost(host: string): { destination: Destination; path: undefined } {
  const authority = parseAuthority(host, { defaultPort: defaultPortOf('https') ?? 0 });
  return { destination: { scheme: 'https', ...authority }, path: undefined };
}

function malformed(reason: string): ProxyError {
  return new ProxyError('request_malformed', `The request for access cannot be taken: ${reason}.`);
}
