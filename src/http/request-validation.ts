// The strict layer behind every HTTP parser: what passes here has one meaning to policy and to any origin.

import { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import { formatAuthority, hostField, parseAuthority } from './authority.ts';
import type { Destination } from './destination.ts';
import { listMembers, parseFields } from './field-syntax.ts';
import { fieldKey } from './request-field-table.ts';
import { requestFraming, type MessageFraming } from './framing.ts';
import type { HeaderList } from './header-list.ts';
import { forwardable } from './hop-by-hop.ts';
import type { RequestHead } from './message-head.ts';
import { printable } from './printable.ts';
import { joinCookies, takePseudoHeaders, type PseudoHeaders } from './pseudo-header.ts';
import { canonicalTarget, parseAbsoluteTarget, type CanonicalTarget } from './request-target.ts';
import { websocketUpgrade } from './websocket-upgrade.ts';

export interface RequestInput {
  readonly method: string;
  readonly target: string;
  /** Name, value, name, value … as the parser read them; for HTTP/2 with or without the pseudo-header fields. */
  readonly rawHeaders: readonly string[];
  readonly httpVersion: RequestHead['httpVersion'];
  /** HTTP/2: whether the head had END_STREAM, if known. */
  readonly ended?: boolean;
  readonly limits: Limits;
}

export interface StreamRequestInput extends RequestInput {
  /** Where the stream goes: the canonical CONNECT authority with the scheme that was seen on it. */
  readonly destination: Destination;
}

/** A validated head, and the facts of the hop that it came over, which its fields no longer have. */
export interface ValidatedRequest {
  /** End-to-end fields only, without Host, Content-Length, Transfer-Encoding and Expect. */
  readonly head: RequestHead;
  /** Whoever sends the request frames it from this. */
  readonly framing: MessageFraming;
  /** The request opens a WebSocket: a GET with Upgrade, or an extended CONNECT of HTTP/2 shown as that GET. */
  readonly upgrade: 'websocket' | undefined;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectContinue: boolean;
  /** The client takes trailers (`TE: trailers`); gRPC wants the field sent on. */
  readonly trailersAccepted: boolean;
}

/**
 * Validates a request inside a stream whose destination is fixed. The target is in origin-form, or in absolute-form
 * with the very same destination. Throws `authority_mismatch`, `authority_malformed`, `method_refused`,
 * `request_malformed` or `head_too_large`.
 */
export function validateRequest(input: StreamRequestInput): ValidatedRequest {
  const { destination } = input;
  const request = readRequest(input);
  const absolute = parseAbsoluteTarget(request.target);
  if (absolute !== undefined) {
    // RFC 9113 §8.3.1: `:path` never holds a whole URL.
    if (input.httpVersion === '2') throw malformed('an absolute URL stands in :path');
    requireSame(destination, absolute.destination, 'The request target');
  } else if (request.target === '') {
    throw malformed('the request target is empty');
  }
  requireScheme(destination, request.pseudo);
  requireHost(destination, request);
  return assemble(input, request, destination, absolute?.target ?? request.target);
}

/**
 * Validates a request of a forward-proxy client: the target is an absolute `http://` or `https://` URL, which alone
 * names the destination. Host is regenerated from it, and has to agree with it. Throws as `validateRequest`.
 */
export function validateProxyRequest(input: RequestInput): ValidatedRequest {
  const request = readRequest(input);
  const absolute = parseAbsoluteTarget(request.target);
  if (absolute === undefined || input.httpVersion === '2') {
    throw malformed(`a proxy takes absolute http:// and https:// targets, not ${printable(request.target)}`);
  }
  requireHost(absolute.destination, request);
  return assemble(input, request, absolute.destination, absolute.target);
}

/** A request whose syntax is checked; nothing has been removed yet. */
interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: HeaderList;
  readonly pseudo: PseudoHeaders;
  readonly httpVersion: RequestHead['httpVersion'];
  /** Extended CONNECT of RFC 8441. */
  readonly protocol: string | undefined;
}

function readRequest(input: RequestInput): ReadRequest {
  const { limits, httpVersion } = input;
  const isHttp2 = httpVersion === '2';
  const { pseudo, regular } = isHttp2
    ? takePseudoHeaders(input.rawHeaders)
    : { pseudo: {}, regular: input.rawHeaders };
  const lineBytes = input.method.length + input.target.length;
  const fields = parseFields(isHttp2 ? joinCookies(regular) : regular, {
    malformed: 'request_malformed',
    tooLarge: 'head_too_large',
    countMax: limits.headersCountMax,
    bytesMax: limits.headBytesMax - lineBytes,
    lowerCaseNames: isHttp2,
  });
  if (lineBytes > limits.headBytesMax) {
    throw new ProxyError('head_too_large', `The request line is larger than ${limits.headBytesMax} bytes.`, {
      limit: 'headBytesMax',
    });
  }
  const method = pseudo.method ?? input.method;
  const target = pseudo.path ?? input.target;
  if (method !== input.method || target !== input.target) {
    throw malformed('the pseudo-header fields differ from what the parser reported');
  }
  return {
    method: checkMethod(method, pseudo.protocol),
    target,
    fields,
    pseudo,
    httpVersion,
    protocol: pseudo.protocol,
  };
}

const refusedMethods: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'TRACK', 'DEBUG', 'PRI']);

/** Upper-case tokens only, so that no origin can read another method; an extended CONNECT is the GET that it stands for. */
function checkMethod(method: string, protocol: string | undefined): string {
  if (!/^[A-Z][A-Z0-9-]{0,31}$/.test(method)) {
    throw malformed(`the method ${printable(method)} is not an upper-case token of at most 32 characters`);
  }
  if (protocol !== undefined) {
    if (method !== 'CONNECT') throw malformed(':protocol stands on a method other than CONNECT');
    if (protocol !== 'websocket') {
      throw new ProxyError(
        'method_refused',
        `The protocol ${printable(protocol)} is not forwarded, only websocket is.`,
      );
    }
    return 'GET';
  }
  if (refusedMethods.has(method)) {
    throw new ProxyError('method_refused', `The method ${method} is not forwarded.`);
  }
  return method;
}

function requireScheme(destination: Destination, pseudo: PseudoHeaders): void {
  if (pseudo.scheme !== undefined && pseudo.scheme !== destination.scheme) {
    throw malformed(`:scheme is ${printable(pseudo.scheme)} on a stream that speaks ${destination.scheme}`);
  }
}

/** Host and `:authority` name the destination. A port may be left out: the field is regenerated with it. */
function requireHost(destination: Destination, request: ReadRequest): void {
  const hosts = request.fields.all('host');
  if (hosts.length > 1) throw malformed('Host stands more than once');
  const [host] = hosts;
  const { authority } = request.pseudo;
  if (host === undefined && authority === undefined) {
    if (request.httpVersion === '1.0') return;
    throw malformed(request.httpVersion === '2' ? ':authority is missing' : 'Host is missing');
  }
  if (authority !== undefined) requireSameAuthority(destination, authority, ':authority');
  if (host !== undefined) requireSameAuthority(destination, host, 'Host');
}

function requireSameAuthority(destination: Destination, text: string, what: string): void {
  // As nearly every client writes it: the canonical text of an authority is that of no other.
  if (text === hostField(destination) || text === formatAuthority(destination)) return;
  if (text === '') throw malformed(`${what} is empty`);
  const authority = parseAuthority(text, { defaultPort: destination.port });
  requireSame(destination, { ...authority, scheme: destination.scheme }, what);
}

function requireSame(expected: Destination, claimed: Destination, what: string): void {
  if (expected.host === claimed.host && expected.port === claimed.port && expected.scheme === claimed.scheme)
    return;
  throw new ProxyError(
    'authority_mismatch',
    `${what} names ${claimed.scheme}://${formatAuthority(claimed)}, but the connection goes to ` +
      `${expected.scheme}://${formatAuthority(expected)}. Open a new connection for another host.`,
    { claimed: { connect: formatAuthority(expected), [what]: formatAuthority(claimed) } },
  );
}

function assemble(
  input: RequestInput,
  request: ReadRequest,
  destination: Destination,
  target: string,
): ValidatedRequest {
  const { method, fields, httpVersion } = request;
  refuseRepeated(fields);
  refuseMethodOverride(fields, method);
  const framing = requestFraming(fields, httpVersion, input.ended);
  const expectContinue = readExpect(fields, httpVersion);
  const upgrade = websocketUpgrade({ method, fields, httpVersion, protocol: request.protocol });
  if (upgrade !== undefined && httpVersion !== '2' && framing.kind !== 'none') {
    if (framing.kind !== 'length' || framing.length > 0) throw malformed('a WebSocket handshake has a body');
  }
  const isForwarded = forwardable(fields);
  const consumed = upgrade === undefined ? consumedByAll : consumedByWebsockets;
  const headers = fields.filter((name) => isForwarded(name) && !consumed.has(name));
  const { path, query } = canonicalOf(method, target);
  return {
    head: { method, destination, path, query, headers, httpVersion },
    framing,
    upgrade,
    expectContinue,
    trailersAccepted: listMembers(fields, 'te').some((member) => /^trailers(?:[ \t]*;|$)/.test(member)),
  };
}

/** Made anew for the next hop. */
const consumedByWebsockets: ReadonlySet<string> = new Set(['host', 'content-length', 'expect']);
const consumedByAll: ReadonlySet<string> = new Set([
  ...consumedByWebsockets,
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'sec-websocket-accept',
]);

/** `*` and the empty path behind an authority are the whole server for OPTIONS (RFC 9112 §3.2.4). */
function canonicalOf(method: string, target: string): CanonicalTarget {
  if (target === '*' || target === '') {
    if (method === 'OPTIONS') return { path: '*', query: '' };
    if (target === '*') throw malformed('only OPTIONS may have the target *');
    return { path: '/', query: '' };
  }
  return canonicalTarget(target);
}

/** One value each: with two, an origin may take the one that nobody judged or replaced. */
const singleFields: ReadonlySet<string> = new Set([
  'authorization',
  'content-type',
  'expect',
  'range',
  'sec-websocket-key',
  'sec-websocket-version',
]);

function refuseRepeated(fields: HeaderList): void {
  for (const name of fields.lowerCaseNames) {
    if (singleFields.has(name) && fields.isRepeated(name)) throw malformed(`${name} stands more than once`);
  }
}

const methodOverrides: ReadonlySet<string> = new Set([
  'x-method',
  'x-method-override',
  'x-http-method',
  'x-http-method-override',
]);

/** The origin would run another method than the one that policy judges. */
function refuseMethodOverride(fields: HeaderList, method: string): void {
  for (const [name, value] of fields) {
    // All of them begin with an X.
    if ((name.charCodeAt(0) | 0x20) !== 0x78) continue;
    if (!methodOverrides.has(fieldKey(name)) || value.toUpperCase() === method) continue;
    throw malformed(`${printable(name)} asks for the method ${printable(value)}; send that method itself`);
  }
}

/** HTTP/1.0 clients cannot mean it (RFC 9110 §10.1.1), so there the field has no effect. */
function readExpect(fields: HeaderList, httpVersion: RequestHead['httpVersion']): boolean {
  const expect = fields.first('expect');
  if (expect === undefined) return false;
  if (expect.toLowerCase() !== '100-continue')
    throw new ProxyError(
      'expectation_failed',
      `The request is refused: the expectation ${printable(expect)} is not known.`,
    );
  return httpVersion !== '1.0';
}

function malformed(reason: string): ProxyError {
  return new ProxyError('request_malformed', `The request is refused: ${reason}.`);
}
