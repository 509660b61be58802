// A request or a connection that somebody asks about, read as the gateway reads it: in canonical form, or refused as it would be.

import { Buffer } from 'node:buffer';
import { parseAuthority } from '../../http/authority.ts';
import { validateProxyRequest } from '../../http/request-validation.ts';
import type { AccessRequest, ConnectAccess, Policy, RequestAccess } from '../../policy/decision.ts';
import { asksToSign, signingAccess } from '../../policy/signing-access.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { type GitObject, readGitObject } from '../../understand/git-object.ts';
import { formOf, type ReadBody } from '../../understand/read-body.ts';
import { readOperations } from './read-operations.ts';
import { bodyTooLong, jsonFormOf, readOctets } from './read-octets.ts';

/**
 * The request as the policy would see it; `fields` are names and values in turn. Throws what the gateway would refuse it with, and
 * `usage` for what is no URL.
 */
export function askedRequest(method: string, text: string, fields: readonly string[] = []): RequestAccess {
  // A WebSocket begins as a request; a fragment is never sent.
  const url = text.replace(/^ws(?=s?:\/\/)/i, 'http').replace(/#.*$/s, '');
  if (!/^https?:\/\//i.test(url))
    throw new ProxyError(
      'usage',
      `"${text}" is not an http or https URL; write all of it, such as https://api.example.com/v1/users`,
    );
  const rawHeaders = ['Host', /^[^/]*\/\/([^/?#]*)/.exec(url)?.[1] ?? '', ...fields];
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

/**
 * The request with a body, of JSON where no field says what it is; one without octets has none. To the gateway itself it may be an object to sign.
 * @param max inspectBodyBytesMax of the gateway @param objectMax its signedObjectBytesMax @throws ProxyError body_too_large, object_unsignable
 */
export async function withAskedBody(
  request: RequestAccess,
  octets: Buffer,
  max: number,
  objectMax = max,
): Promise<RequestAccess> {
  if (asksToSign(request)) return signingAccess(signedObject(octets, objectMax));
  if (octets.length === 0) return await withOperations({ ...request, body: { kind: 'none' } });
  const isNamed = request.headers.has('content-type');
  const headers = isNamed ? request.headers : request.headers.with('content-type', 'application/json');
  const body = await bodyOf(headers, octets, max);
  // What a server says of its tools is not asked here: a pin counts as kept.
  return await withOperations({ ...request, headers, body, definition: { kind: 'any' } });
}

/** @throws ProxyError object_unsignable, body_too_large as the gateway would */
function signedObject(octets: Buffer, max: number): GitObject {
  if (octets.length > max)
    throw new ProxyError('body_too_large', `a commit or tag to sign has at most ${String(max)} octets`, {
      limit: 'signedObjectBytesMax',
    });
  const object = readGitObject(octets);
  if (typeof object === 'string')
    throw new ProxyError('object_unsignable', `no policy has this signed: ${object}`);
  return object;
}

/** Nobody has to say that a rule is about GraphQL: what is none is read as none. What a session learned is not asked: each id counts as known. */
async function withOperations(request: RequestAccess): Promise<RequestAccess> {
  return { ...request, graphql: await readOperations(request), knownIds: { has: () => true } };
}

async function bodyOf(headers: RequestAccess['headers'], octets: Buffer, max: number): Promise<ReadBody> {
  const form = formOf(headers) ?? jsonFormOf(headers);
  if ('problem' in form) return { kind: 'unreadable', reason: form.problem };
  if (octets.length > max) throw bodyTooLong(max);
  return (await readOctets(octets, form, max)).read;
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
