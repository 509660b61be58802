// What `policy explain` is asked about, read as the gateway reads it: a request in canonical form, or the connection before it.

import { parseAuthority } from '../../http/authority.ts';
import { validateProxyRequest } from '../../http/request-validation.ts';
import type {
  AccessRequest,
  ConnectAccess,
  Policy,
  Principal,
  RequestAccess,
} from '../../policy/decision.ts';
import { postureFacts } from '../../policy/posture-facts.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { hasCutNote } from '../operator/cut-note.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** The request as the policy would see it. Throws what the gateway would refuse it with, and `usage` for what is no URL. */
export function requestAccess(method: string, text: string, fields: readonly string[] = []): RequestAccess {
  // A WebSocket begins as a request; a fragment is never sent.
  const url = text.replace(/^ws(?=s?:\/\/)/i, 'http').replace(/#.*$/s, '');
  if (!/^https?:\/\//i.test(url)) throw new ProxyError('usage', `"${text}" is not an http or https URL`);
  if (hasCutNote(url))
    throw new ProxyError(
      'usage',
      `it can't be told what decides about "${text}": an audit event has only its beginning, and the beginning of a path is another path`,
    );
  const rawHeaders = ['Host', /^[^/]*\/\/([^/?#]*)/.exec(url)?.[1] ?? '', ...fields.flatMap(fieldOf)];
  try {
    const { head } = validateProxyRequest({
      method,
      // Beyond ASCII as its bytes, as clients send it.
      target: Buffer.from(url).toString('latin1'),
      rawHeaders,
      httpVersion: '1.1',
      limits: defaultLimits,
    });
    const { destination, path, query, headers } = head;
    return { depth: 'request', destination, method: head.method, path, query, headers };
  } catch (error) {
    const { code, message } = asProxyError(error);
    throw new ProxyError(code, `refused before the policy is asked: ${message}`, { cause: error });
  }
}

function fieldOf(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new ProxyError('usage', `--header takes "Name: value", not "${text}"`);
  return [text.slice(0, colon), text.slice(colon + 1).trim()];
}

/** `CONNECT host:port`, as raw TCP, which is asked for first, or else as TLS. */
export function connectionAccess(
  text: string,
  decide: (access: ConnectAccess) => ReturnType<Policy['decide']>,
): ConnectAccess {
  const authority = parseAuthority(text);
  const raw = { depth: 'connect', destination: { ...authority, scheme: 'tcp' } } as const;
  const decision = decide(raw);
  if (decision.effect === 'allow' && decision.handling === 'raw') return raw;
  return { depth: 'connect', destination: { ...authority, scheme: 'https' } };
}

/** The connection, where its bytes pass unopened, so that nobody asks about the request in it; else the request. */
export function judgedAccess(
  access: RequestAccess,
  decide: (access: ConnectAccess) => ReturnType<Policy['decide']>,
): AccessRequest {
  const { scheme, host, port } = access.destination;
  if (scheme !== 'https') return access;
  const text = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const connection = connectionAccess(text, decide);
  const decision = decide(connection);
  return decision.effect === 'allow' && decision.handling !== 'intercept' ? connection : access;
}

/** Facts with commas between them. Throws `usage` for one that there is none of. */
export function postureOption(text: string | undefined): Principal['posture'] {
  const facts = text === undefined ? [] : text.split(',').map((fact) => fact.trim());
  const known: readonly string[] = postureFacts;
  const unknown = facts.find((fact) => !known.includes(fact));
  if (unknown === undefined) return facts;
  throw new ProxyError('usage', `--posture takes facts such as ${known.join(',')}, not "${unknown}"`);
}
