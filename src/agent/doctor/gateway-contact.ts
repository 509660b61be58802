// The doctor's own request: whether the gateway responds on this way, and who signs for it here.

import type { X509Certificate } from 'node:crypto';
import { promises as dns } from 'node:dns';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { ResponseReader } from '../../http/response-reader.ts';
import type { ReadResponse } from '../../http/response-reader.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { connectThroughRelay } from '../relay/connect-through-relay.ts';

/** The gateway's own name (RFC 6761 §6.4: no DNS has it). */
export const gatewayHost = 'upstreamproxy.invalid';

export interface RelayAddress {
  readonly host: string;
  readonly port: number;
}

/** What the gateway said, and the certificates that it showed, its own first. */
export interface GatewayContact {
  readonly session: string;
  readonly protocol: string;
  /** Ports beside 80 and 443 that the policy's rules name; undefined of a gateway that does not say it. */
  readonly ports: ReadonlySet<number> | undefined;
  /** The gateway's clock minus ours. */
  readonly clockSkewMs: number;
  readonly durationMs: number;
  readonly chain: readonly X509Certificate[];
}

export interface ContactOptions {
  /** Undefined: straight to the address that the name has here, as in a network of capture. */
  readonly relay: RelayAddress | undefined;
  /** Small letters, repeated by the gateway. */
  readonly word: string;
  readonly timeoutMs: number;
}

/** Whether the gateway's name has an address here, which it has only where `run` gave the command a network of its own. */
export async function isCaptured(): Promise<boolean> {
  try {
    const { address } = await dns.lookup(gatewayHost, { family: 4 });
    return /^(?:198\.1[89]|127)\./.test(address);
  } catch {
    return false;
  }
}

/** Whether a port of names is captured. Nothing is sent, so nothing is asked for. */
export async function isPortOpen(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connectTcp({ host: gatewayHost, port, timeout: defaultLimits.doctorContactTimeoutMs });
  socket.once('connect', () => resolve(true));
  for (const end of ['error', 'timeout', 'close']) socket.once(end, () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.on('error', () => {}).destroy();
  }
}

/** Asks the gateway. Throws why it could not be asked, or gave no response of its kind. */
export async function contactGateway({ relay, word, timeoutMs }: ContactOptions): Promise<GatewayContact> {
  const startedMs = Date.now();
  const tcp =
    relay === undefined
      ? connectTcp({ host: gatewayHost, port: 443 })
      : await connectThroughRelay({ relay, authority: `${gatewayHost}:443`, timeoutMs });
  try {
    const socket = await secured(tcp, timeoutMs);
    const chain = chainOf(socket);
    socket.write(`GET /doctor/${word} HTTP/1.1\r\nHost: ${gatewayHost}\r\nConnection: close\r\n\r\n`);
    const read = await readResponse(socket, timeoutMs);
    const endedMs = Date.now();
    const response = parseContact(read, word);
    return {
      session: response.session,
      protocol: response.protocol,
      ports: response.ports,
      clockSkewMs: Math.round(Date.parse(response.time) - (startedMs + endedMs) / 2),
      durationMs: endedMs - startedMs,
      chain,
    };
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    const { message } = asProxyError(error);
    throw new ProxyError('gateway_unreachable', `the gateway was not reached: ${message}`, { cause: error });
  } finally {
    tcp.destroy();
  }
}

/** Nothing secret is sent, and the chain is what is asked for: whether clients may trust it is judged from it later. */
async function secured(tcp: Socket, timeoutMs: number): Promise<TLSSocket> {
  const socket = connectTls({ socket: tcp, servername: gatewayHost, rejectUnauthorized: false });
  await within(socket, timeoutMs, (resolve) => socket.once('secureConnect', () => resolve(undefined)));
  return socket;
}

function chainOf(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let one = socket.getPeerX509Certificate();
  while (one !== undefined && chain.length < 10 && !chain.some(({ raw }) => raw.equals(one?.raw ?? raw))) {
    chain.push(one);
    one = one.issuerCertificate;
  }
  return chain;
}

/** The response, however little of it came: what is no HTTP says so. */
async function readResponse(socket: TLSSocket, timeoutMs: number): Promise<ReadResponse> {
  const reader = new ResponseReader({
    request: { method: 'GET', asksToSwitch: false },
    limits: defaultLimits,
    bodyBytesMax: defaultLimits.agentBodyBytesMax,
    fault: otherThanTheGateway,
  });
  await within(socket, timeoutMs, (resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        reject(asProxyError(error));
      }
      if (reader.response !== undefined) resolve(undefined);
    });
    for (const event of ['end', 'close']) socket.once(event, () => resolve(undefined));
  });
  return reader.response ?? fail(otherThanTheGateway('nothing'));
}

function otherThanTheGateway(what: string): ProxyError {
  return new ProxyError(
    'gateway_unreachable',
    `something else than the gateway is there: ${what.slice(0, 100)}`,
  );
}

function fail(error: ProxyError): never {
  throw error;
}

/** Waits for what `listen` resolves, the socket's error, or the deadline. */
async function within(
  socket: Socket,
  timeoutMs: number,
  listen: (resolve: (nothing: undefined) => void, reject: (error: Error) => void) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const timer = setTimeout(
    () => reject(new ProxyError('timeout', `no response in ${timeoutMs} ms`)),
    timeoutMs,
  );
  socket.once('error', reject);
  listen(resolve, reject);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
}

function parseContact(
  { status, body }: ReadResponse,
  word: string,
): Pick<GatewayContact, 'session' | 'protocol' | 'ports'> & { readonly time: string } {
  const said: unknown = safeParse(Buffer.from(body).toString('utf8'));
  if (typeof said === 'object' && said !== null && 'doctor' in said && said.doctor === word) {
    const { session, protocol, time, ports } = said as Record<string, unknown>;
    return {
      session: String(session),
      protocol: String(protocol),
      time: String(time),
      ports: Array.isArray(ports) ? new Set(ports.map(Number)) : undefined,
    };
  }
  throw otherThanTheGateway(`status ${String(status)}`);
}

function safeParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
