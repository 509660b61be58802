// A client of PostgreSQL that says exactly what a test wants.

import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';

import { type Message, messageOf } from '../../../src/gateway/databases/postgres/message.ts';
import { startUpPacket } from '../../../src/gateway/databases/postgres/start-packet.ts';
import { host } from './postgres-scene.ts';

export class RawClient {
  socket: Duplex;
  #bytes = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Duplex) {
    this.socket = socket;
    this.#listen(socket);
  }

  #listen(socket: Duplex): void {
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake?.();
    });
    socket.on('end', end).on('close', end).on('error', end);
  }

  /** So many octets, or fewer if it ended. */
  async take(count: number): Promise<Buffer> {
    while (this.#bytes.length < count && !this.#ended)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(taken.length);
    return taken;
  }

  /** Undefined: it ended. */
  async next(): Promise<(Message & { readonly text: string }) | undefined> {
    const head = await this.take(5);
    if (head.length < 5) return undefined;
    const body = await this.take(head.readUInt32BE(1) - 4);
    return {
      type: head[0] ?? 0,
      body,
      text: `${String.fromCharCode(head[0] ?? 0)} ${body.toString('latin1')}`,
    };
  }

  /** Up to and with ReadyForQuery, or to the end. */
  async untilReady(): Promise<readonly string[]> {
    const texts: string[] = [];
    for (;;) {
      const message = await this.next();
      if (message !== undefined) texts.push(message.text);
      if (message === undefined || message.type === 0x5a) return texts;
    }
  }

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  start(parameters: Readonly<Record<string, string>> = { user: 'me' }): void {
    this.send(startUpPacket(Object.entries(parameters)));
  }

  /** TLS from here on. */
  async secure(options: {
    readonly ca: string;
    readonly alpn?: string[];
    readonly servername?: string;
  }): Promise<TLSSocket> {
    this.socket.removeAllListeners('data');
    const { ca, alpn, servername = host } = options;
    const secured = connectTls({
      socket: this.socket,
      servername,
      ca,
      ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
    });
    await once(secured, 'secureConnect');
    this.socket = secured;
    this.#ended = false;
    this.#listen(secured);
    return secured;
  }
}

export const query = (sql: string): Uint8Array => messageOf('Q', `${sql}\0`);
export const letters = (texts: readonly string[]): string => texts.map((text) => text.charAt(0)).join('');
