// What cases of HTTP/2 are made of.

import { fieldBlock, flags, frame, frameTypes, uint32 } from './frames.ts';
import type { Field } from './frames.ts';

/** Octets to send, or something of stream 1 to wait for. */
export type Step = Buffer | 'response' | 'end' | 'data';

export type Expectation =
  /** The connection goes on, and the request on stream 1, if there is one, gets this status. */
  | { readonly kind: 'accept'; readonly status?: number }
  | { readonly kind: 'connection'; readonly codes: readonly ErrorCode[] }
  /** Or of the connection, which is always allowed (§5.4.2); or refused by a status, where the request is malformed (§8.1.1). */
  | { readonly kind: 'stream'; readonly codes: readonly ErrorCode[]; readonly status?: number }
  /** Lengths of the first frames of data. */
  | { readonly kind: 'data'; readonly lengths: readonly number[] }
  | { readonly kind: 'acknowledged' };

export const errorCodes = {
  PROTOCOL_ERROR: 1,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  COMPRESSION_ERROR: 9,
} as const;
export type ErrorCode = keyof typeof errorCodes;

export interface Http2Case {
  readonly section: string;
  readonly title: string;
  /** @param authority that the connection is for */
  readonly steps: (authority: string) => readonly Step[];
  readonly expect: Expectation;
  /** In place of the connection's preface. */
  readonly preface?: Buffer;
}

export const { endStream, endHeaders, padded, priority, ack } = flags;
export const whole = endStream | endHeaders;

export const pseudo = (authority: string, method: string, path: string): readonly Field[] => [
  [':method', method],
  [':scheme', 'https'],
  [':authority', authority],
  [':path', path],
];
export const headers = (flag: number, stream: number, fields: readonly Field[]): Buffer =>
  frame(frameTypes.headers, flag, stream, fieldBlock(fields));
export const get = (authority: string, stream = 1, ...more: readonly Field[]): Buffer =>
  headers(whole, stream, [...pseudo(authority, 'GET', '/hello'), ...more]);
/** A request whose body is still to come. */
export const post = (authority: string, stream = 1, ...more: readonly Field[]): Buffer =>
  headers(endHeaders, stream, [...pseudo(authority, 'POST', '/sink'), ...more]);
export const data = (payload: string | number, flag: number = endStream, stream = 1): Buffer =>
  frame(
    frameTypes.data,
    flag,
    stream,
    typeof payload === 'number' ? Buffer.alloc(payload) : Buffer.from(payload),
  );
export const weight = (dependency: number): Buffer => Buffer.concat([uint32(dependency), Buffer.of(16)]);
export const window = (increment: number, stream: number): Buffer =>
  frame(frameTypes.windowUpdate, 0, stream, uint32(increment));
export const reset = (stream: number, code = 8): Buffer => frame(frameTypes.reset, 0, stream, uint32(code));
export const more = (flag: number, stream: number, fields: readonly Field[]): Buffer =>
  frame(frameTypes.continuation, flag, stream, fieldBlock(fields));
export const ping = (flag: number, stream: number, length = 8): Buffer =>
  frame(frameTypes.ping, flag, stream, Buffer.alloc(length, 7));
export const unknown = (stream: number): Buffer => frame(0x16, 0xff, stream, Buffer.alloc(8));
/** The pseudo-header fields of a GET, then octets of HPACK. */
export const block = (authority: string, ...octets: readonly number[]): Buffer =>
  frame(
    frameTypes.headers,
    whole,
    1,
    Buffer.concat([fieldBlock(pseudo(authority, 'GET', '/hello')), Buffer.from(octets)]),
  );

export const ok: Expectation = { kind: 'accept', status: 200 };
export const alive: Expectation = { kind: 'accept' };
export const connection = (...codes: readonly ErrorCode[]): Expectation => ({ kind: 'connection', codes });
export const stream = (...codes: readonly ErrorCode[]): Expectation => ({ kind: 'stream', codes });
/** RFC 9113 §8.1.1. */
export const malformed: Expectation = { kind: 'stream', codes: ['PROTOCOL_ERROR'], status: 400 };

export type Row = readonly [
  section: string,
  title: string,
  steps: (authority: string) => readonly Step[],
  expect: Expectation,
];
