// A client of HTTP/2 that sends frames by hand and reads frames back.

import type { TLSSocket } from 'node:tls';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import type { Arena, TlsOptions } from './arena.ts';
import { nextTurn } from './arena.ts';
import { flag, frame, frameType, parseFrames, preface, requestFrames, type SeenFrame } from './h2-frames.ts';
import { patienceMs } from '../../support/patience.ts';

export type Fields = readonly (readonly [string, string])[];

/** The four pseudo-header fields of a GET. */
export function pseudo(authority: string, path: string, method = 'GET'): [string, string][] {
  return [
    [':method', method],
    [':scheme', 'https'],
    [':authority', authority],
    [':path', path],
  ];
}

export class RawHttp2 implements AsyncDisposable {
  readonly socket: TLSSocket;
  readonly #arena: Arena;
  #bytes: Buffer = Buffer.alloc(0);
  #stream = 1;
  closed = false;

  constructor(arena: Arena, socket: TLSSocket, settings: Buffer) {
    this.#arena = arena;
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      arena.received.push(chunk);
    });
    // Nothing comes behind the gateway's end; a client that keeps its own side open is cut off later.
    for (const name of ['end', 'close']) socket.once(name, () => (this.closed = true));
    socket.write(Buffer.concat([preface, frame(frameType.settings, 0, 0, settings)]));
  }

  get frames(): SeenFrame[] {
    return parseFrames(this.#bytes);
  }

  nextStream(): number {
    const stream = this.#stream;
    this.#stream += 2;
    return stream;
  }

  /** Writes requests on new streams; gives the frames that came once each stream ended or the connection did. */
  async exchange(requests: readonly Fields[], body?: string): Promise<readonly SeenFrame[]> {
    const streams = requests.map((fields) => {
      const stream = this.nextStream();
      if (!this.socket.destroyed) this.socket.write(requestFrames(stream, fields, body));
      return stream;
    });
    await this.until((frames) => streams.every((stream) => frames.some((one) => endsStream(one, stream))));
    return this.frames.filter(({ stream, type }) => streams.includes(stream) || type === frameType.goaway);
  }

  /** Waits until the frames so far satisfy the test, the connection ends, or the deadline passes. */
  async until(test: (frames: readonly SeenFrame[]) => boolean, deadlineMs = patienceMs): Promise<boolean> {
    const deadline = performance.now() + deadlineMs;
    while (!this.closed && performance.now() < deadline) {
      if (test(this.frames)) return true;
      await nextTurn();
    }
    return test(this.frames);
  }

  /** The events once no more of them came for a few turns. */
  async settle(before: number): Promise<readonly AuditEvent[]> {
    for (let turn = 0; turn < 100 && this.#arena.ownEvents.length === before; turn += 1) await nextTurn();
    return this.#arena.ownEvents;
  }

  acknowledge(): void {
    this.socket.write(frame(frameType.settings, flag.ack, 0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
  }
}

/** The stream, or the whole connection, ended by this frame. */
export function endsStream(seen: SeenFrame, stream: number): boolean {
  if (seen.type === frameType.goaway) return true;
  if (seen.stream !== stream) return false;
  if (seen.type === frameType.rstStream) return true;
  return (
    (seen.type === frameType.headers || seen.type === frameType.data) && (seen.flags & flag.endStream) !== 0
  );
}

/** CONNECT, TLS with ALPN h2, preface and SETTINGS. */
export async function openHttp2(
  arena: Arena,
  authority: string,
  settings: Buffer = Buffer.alloc(0),
  options: TlsOptions = {},
): Promise<RawHttp2> {
  const socket = await arena.tls(authority, { ...options, alpn: ['h2'] });
  return new RawHttp2(arena, socket, settings);
}

/** Requests that must each leave one event. */
export async function http2Send(
  arena: Arena,
  client: RawHttp2,
  requests: readonly Fields[],
  body?: string,
): Promise<readonly SeenFrame[]> {
  arena.attempts += requests.length;
  return await client.exchange(requests, body);
}

/** Events by path, once there are that many. */
export async function http2Events(arena: Arena, count: number): Promise<ReadonlyMap<string, AuditEvent>> {
  return new Map((await arena.events(count)).map((event) => [event.path ?? '', event]));
}
