// What a client does before its session begins: it is greeted, may ask for TLS, says what it wants, and logs in with whatever it has.

import type { Duplex } from 'node:stream';
import { ProxyError } from '../../../protocol/error.ts';
import { ExactReader } from '../exact-reader.ts';
import type { EndedConnection } from '../protocol-end.ts';
import { offered } from './capabilities.ts';
import { type Greeting, greetingPacket } from './greeting.ts';
import { type HandshakeResponse, readHandshakeResponse } from './handshake-response.ts';
import { fromServer, packetOf } from './packet.ts';
import { PacketStream, type TakenPacket } from './packet-stream.ts';

/** All that a client says before its session: some hundred octets, and 64 KiB of attributes that it was not asked for. */
const startBytesMax = 80 * 1024;
/** Every client has it, or says which one it has instead. */
const ownMethod = 'mysql_native_password';
const cachingMethod = 'caching_sha2_password';
/** Of `caching_sha2_password`: the proof is enough. */
const isEnough = 0x03;

type Connection = Pick<EndedConnection, 'client' | 'host' | 'limits' | 'startDeadline' | 'terminate'>;

export interface ClientStart {
  /** The client's socket by now, inside of TLS if it asked for that. */
  readonly socket: Duplex;
  /** Of the next packet to the client. */
  readonly sequence: number;
  readonly what:
    | HandshakeResponse
    | { readonly kind: 'silent' }
    | { readonly kind: 'refused'; readonly error: ProxyError };
}

/** @param greeting what it is greeted with, but for what is of the gateway @throws ProxyError where the client cannot be told anything */
export async function startOfClient(
  connection: Connection,
  greeting: Omit<Greeting, 'method'>,
): Promise<ClientStart> {
  return await new Start(connection, greeting.nonce).run(greeting);
}

class Start {
  readonly #connection: Connection;
  readonly #nonce: Uint8Array;
  readonly #packets = new PacketStream(startBytesMax, 0);
  #socket: Duplex;

  constructor(connection: Connection, nonce: Uint8Array) {
    this.#connection = connection;
    this.#nonce = nonce;
    this.#socket = connection.client;
  }

  async run(greeting: Omit<Greeting, 'method'>): Promise<ClientStart> {
    const capabilities = offered(greeting.capabilities);
    this.#socket.write(greetingPacket({ ...greeting, capabilities, method: ownMethod }));
    this.#packets.sent();
    const first = await this.#response();
    if (first.kind !== 'tls-request') return await this.#goOn(first);
    // What is read from here on was inside of TLS: nothing of what came before is kept.
    this.#socket = await this.#connection.terminate(this.#socket, []);
    return await this.#goOn(await this.#response());
  }

  async #goOn(read: ReadResponse): Promise<ClientStart> {
    switch (read.kind) {
      case 'ended':
        return this.#is({ kind: 'silent' });
      case 'malformed':
        return this.#refused(read.reason);
      case 'tls-request':
        return this.#refused('TLS is asked for twice');
      case 'response':
        return await this.#authenticated(read);
    }
  }

  async #response(): Promise<ReadResponse> {
    const taken = await this.#take();
    if (taken.kind === 'packet') return readHandshakeResponse(taken.payload);
    if (taken.kind === 'ended') return { kind: 'ended' };
    return { kind: 'malformed', reason: reasonOf(taken) };
  }

  /** It keeps nobody out: whose session it is, is known. Whatever proof comes is taken, in the way in which its method ends. */
  async #authenticated(response: HandshakeResponse): Promise<ClientStart> {
    const { method = ownMethod } = response;
    if (method === ownMethod) return this.#is(response);
    const asked = method === cachingMethod ? cachingMethod : ownMethod;
    this.#send(Uint8Array.of(fromServer.switchMethod), `${asked}\0`, this.#nonce, Uint8Array.of(0));
    const taken = await this.#take({ mayBeEmpty: true });
    if (taken.kind === 'ended') return this.#is({ kind: 'silent' });
    if (taken.kind !== 'packet') return this.#refused(reasonOf(taken));
    // A client without a password says so by one octet, and waits for no second round.
    const hasProof = taken.payload.length > 1;
    if (asked === cachingMethod && hasProof) this.#send(Uint8Array.of(fromServer.moreData, isEnough));
    return this.#is(response);
  }

  #is(what: ClientStart['what']): ClientStart {
    return { socket: this.#socket, sequence: this.#packets.sequence, what };
  }

  #refused(reason: string): ClientStart {
    return this.#is({ kind: 'refused', error: new ProxyError('protocol_denied', reason) });
  }

  #send(...payload: readonly (Uint8Array | string)[]): void {
    this.#socket.write(packetOf(this.#packets.sequence, ...payload));
    this.#packets.sent();
  }

  async #take(options: { readonly mayBeEmpty?: boolean } = {}): Promise<TakenPacket> {
    const { host, limits, startDeadline } = this.#connection;
    const { databaseLoginTimeoutMs: ms } = limits;
    const error = new ProxyError(
      'timeout',
      `${host}: the client did not say within ${String(ms)} ms what it wants (databaseLoginTimeoutMs)`,
      { limit: 'databaseLoginTimeoutMs' },
    );
    const reader = new ExactReader(this.#socket, { error, ms, start: startDeadline });
    try {
      return await this.#packets.take(reader, options);
    } finally {
      await reader.release();
    }
  }
}

type ReadResponse = ReturnType<typeof readHandshakeResponse> | { readonly kind: 'ended' };

function reasonOf({ kind }: TakenPacket): string {
  return kind === 'too-long'
    ? 'the client says too much before its session'
    : 'what came is not a packet as it has to be';
}
