// Requests of the gateway itself to issuers of tokens and keepers of secrets: bounded in time and bytes, no redirects.
// They take the gateway's own way out: its name servers, its fixed names, its proxy.

import { Buffer } from 'node:buffer';
import type { Agent } from 'undici';
import { classifyAddress } from '../../net/address-guard.ts';
import type { Dialer } from '../../net/dialer.ts';
import { asProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** The operator wrote the URL, so a private network is as good as a public one. */
const anyNetwork = ['0.0.0.0/0', '::/0'] as const;

export interface ServiceRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** PEM certificates that the service is verified against beside the usual ones. */
  readonly ca?: readonly string[];
  /** Certificate and key (PEM) for a service that asks for one. */
  readonly client?: { readonly cert: string; readonly key: string };
  /** Ten seconds unless told otherwise. */
  readonly timeoutMs?: number;
  /** Networks (CIDR) that are open beside the public ones. Absent: any, for the operator wrote the URL. */
  readonly addresses?: readonly string[];
  readonly signal?: AbortSignal;
}

export interface ServiceResponse {
  readonly status: number;
  readonly text: string;
  /** What the service's own clock said. Absent: it did not say. */
  readonly dateMs?: number;
}

/** Throws for anything but a whole response; the error has nothing of what was sent. */
export type ServiceFetch = (url: string, request: ServiceRequest) => Promise<ServiceResponse>;

/** The same, with what is no text. */
export type ServiceOctetFetch = (url: string, request: ServiceRequest) => Promise<ServiceOctets>;

export interface ServiceOctets extends ServiceResponse {
  readonly octets: Uint8Array;
  readonly retryAfter: string | undefined;
  readonly contentType: string | undefined;
  /** RFC 9449 §8: what the next proof has to have in it. */
  readonly dpopNonce?: string | undefined;
}

export interface ServiceDialers {
  /** The way out, with the addresses of this machine not closed: the operator may run a service beside the gateway. */
  readonly dialer: Dialer;
  /** Dials directly whatever the proxy: what is in the clear stays on this machine. */
  readonly loopback: Dialer;
}

/** A URL that the gateway asks with a secret: https, or an address on loopback. */
export function isServiceUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url));
}

export interface OpenServiceFetch {
  readonly fetch: ServiceOctetFetch;
  /** It will be used, as nobody knew when it was opened. */
  readonly prepare: () => void;
}

type Client = typeof import('undici');

/**
 * Each request has a connection of its own: they are rare, and nothing of one is left for the next. The client costs a start more than all
 * else, so it is loaded where it will be used: now, for later a workload of this user could have changed its files.
 */
export function openServiceFetch(
  dialers: ServiceDialers,
  { isUsed }: { readonly isUsed: boolean },
): OpenServiceFetch & AsyncDisposable {
  const load = (): Promise<Client> => import('undici');
  let loaded: Promise<Client> | undefined;
  const prepare = (): void => {
    // Who asks hears it.
    (loaded ??= load()).catch(() => {});
  };
  if (isUsed) prepare();
  const closing = new AbortController();
  const running = new Set<Promise<ServiceOctets>>();
  return {
    prepare,
    fetch: (url, request) => {
      const response = (async () => {
        if (!isServiceUrl(url)) throw new Error('its URL is not https');
        return await ask(url, request, { ...dialers, client: await (loaded ?? load()) }, closing.signal);
      })();
      running.add(response);
      const forget = (): void => void running.delete(response);
      response.then(forget, forget);
      return response;
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await Promise.allSettled(running);
    },
  };
}

async function ask(
  url: string,
  request: ServiceRequest,
  way: ServiceDialers & { readonly client: Client },
  closing: AbortSignal,
): Promise<ServiceOctets> {
  const given = request.signal === undefined ? [] : [request.signal];
  const signal = AbortSignal.any([
    closing,
    ...given,
    AbortSignal.timeout(request.timeoutMs ?? defaultLimits.serviceTimeoutMs),
  ]);
  const agent = openAgent(new URL(url), request, way, signal);
  try {
    const { method, headers, body } = request;
    const response = await way.client.fetch(url, {
      method,
      headers: { ...headers },
      ...(body === undefined ? {} : { body }),
      redirect: 'error',
      signal,
      dispatcher: agent,
    });
    const octets = await octetsOf(response.body);
    const retryAfter = response.headers.get('retry-after') ?? undefined;
    const contentType = response.headers.get('content-type') ?? undefined;
    const dpopNonce = response.headers.get('dpop-nonce') ?? undefined;
    const dateMs = Date.parse(response.headers.get('date') ?? '');
    return {
      status: response.status,
      text: octets.toString(),
      octets,
      retryAfter,
      contentType,
      dpopNonce,
      ...(Number.isNaN(dateMs) ? {} : { dateMs }),
    };
  } finally {
    await agent.destroy();
  }
}

function openAgent(
  { protocol, hostname, port }: URL,
  { ca, client: shown, addresses = anyNetwork }: ServiceRequest,
  { dialer, loopback, client }: ServiceDialers & { readonly client: Client },
  signal: AbortSignal,
): Agent {
  const isTls = protocol === 'https:';
  const destination = {
    scheme: isTls ? 'https' : 'http',
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || (isTls ? 443 : 80)),
  } as const;
  return new client.Agent({
    allowH2: false,
    connect: (_options, callback) => {
      const dial = (isTls ? dialer : loopback).dial({
        destination,
        addresses,
        principalId: 'gateway',
        alpn: ['http/1.1'],
        signal,
        ...(ca === undefined && shown === undefined
          ? {}
          : { tls: { ...(ca === undefined ? {} : { ca }), ...shown } }),
      });
      dial.then(
        ({ socket }) => {
          callback(null, socket);
        },
        (error: unknown) => {
          callback(asProxyError(error), null);
        },
      );
    },
  });
}

/** fetch hides the reason, such as a refused connection or certificate, in the cause. */
export function fetchReason(error: unknown): string {
  return faultReason(error instanceof Error && error.cause !== undefined ? error.cause : error);
}

function isLoopback({ hostname }: URL): boolean {
  return classifyAddress(hostname.replace(/^\[|\]$/g, '')) === 'loopback';
}

async function octetsOf(body: AsyncIterable<Uint8Array> | null): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > defaultLimits.serviceResponseBytesMax)
      throw new Error(`its response is longer than ${String(defaultLimits.serviceResponseBytesMax)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
