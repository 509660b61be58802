// The doctor's own request: whether the gateway responds on this way, and who signs for it here.

import type { X509Certificate } from 'node:crypto';
import { promises as dns } from 'node:dns';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { connectThroughRelay } from '../relay/connect-through-relay.ts';

/** The gateway's own name (RFC 6761 §6.4: no DNS has it). */
export const gatewayHost = 'upstreamproxy.invalid';
/** The response is a few lines; what is longer comes from somebody else. */
const responseBytesMax = 65_536;

export interface RelayAddress {
  readonly host: string;
  readonly port: number;
}

/** What the gateway said, and the certificates that it showed, its own first. */
export interface GatewayContact {
  readonly session: string;
  readonly protocol: string;
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
    const text = await readAll(socket, timeoutMs);
    const endedMs = Date.now();
    const response = parseResponse(text, word);
    return {
      session: response.session,
      protocol: response.protocol,
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

async function readAll(socket: TLSSocket, timeoutMs: number): Promise<string> {
  let text = '';
  await within(socket, timeoutMs, (resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.length > responseBytesMax) socket.destroy(new RangeError('the response is too long'));
    });
    for (const event of ['end', 'close']) socket.once(event, () => resolve(undefined));
  });
  return text;
}

/** Waits for what `listen` resolves, the socket's error, or the deadline. */
async function within(
  socket: Socket,
  timeoutMs: number,
  listen: (resolve: (nothing: undefined) => void) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const timer = setTimeout(
    () => reject(new ProxyError('timeout', `no response in ${timeoutMs} ms`)),
    timeoutMs,
  );
  socket.once('error', reject);
  listen(resolve);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
}

function parseResponse(text: string, word: string): { session: string; protocol: string; time: string } {
  const [head = '', ...body] = text.split('\r\n\r\n');
  const response: unknown = safeParse(body.join('\r\n\r\n'));
  if (typeof response === 'object' && response !== null && 'doctor' in response && response.doctor === word) {
    const { session, protocol, time } = response as Record<string, unknown>;
    return { session: String(session), protocol: String(protocol), time: String(time) };
  }
  const [status = 'nothing'] = head.split('\r\n');
  throw new ProxyError(
    'gateway_unreachable',
    `something else than the gateway is there: ${status.slice(0, 100)}`,
  );
}

function safeParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
