// What is kept of the bodies of one exchange, and its form at rest: a head in JSON with its length before it, then the octets of both bodies.

import { z } from 'zod';

/** One body, as it passed. */
export interface CapturedBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Content-Type, and Content-Encoding, as the peer said them. */
  readonly type?: string | undefined;
  readonly coding?: string | undefined;
  /** Nothing is missing behind it. */
  readonly isWhole: boolean;
  /** How many values were left out. */
  readonly redacted: number;
  /** Nothing of it is kept, because what is to be left out could not be found in it. */
  readonly isWithheld?: boolean | undefined;
}

export interface CapturedExchange {
  readonly request?: CapturedBody | undefined;
  readonly response?: CapturedBody | undefined;
}

const bodyHead = z.strictObject({
  length: z.int().nonnegative(),
  type: z.string().optional(),
  coding: z.string().optional(),
  isWhole: z.boolean(),
  redacted: z.int().nonnegative(),
  isWithheld: z.boolean().optional(),
});
const headSchema = z.strictObject({ request: bodyHead.optional(), response: bodyHead.optional() });

export function encodeCaptured({ request, response }: CapturedExchange): Buffer {
  const head = JSON.stringify({ request: headOf(request), response: headOf(response) });
  const headBytes = Buffer.from(head);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(headBytes.length);
  const empty = new Uint8Array();
  return Buffer.concat([length, headBytes, request?.bytes ?? empty, response?.bytes ?? empty]);
}

function headOf(body: CapturedBody | undefined): z.output<typeof bodyHead> | undefined {
  if (body === undefined) return undefined;
  const { bytes, ...rest } = body;
  return { length: bytes.length, ...rest };
}

/** Undefined for octets that `encodeCaptured` did not write. */
export function decodeCaptured(text: Buffer<ArrayBuffer>): CapturedExchange | undefined {
  if (text.length < 4) return undefined;
  const end = 4 + text.readUInt32BE(0);
  if (end > text.length) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8', 4, end));
  } catch {
    return undefined;
  }
  const head = headSchema.safeParse(value);
  if (!head.success) return undefined;
  const { request, response } = head.data;
  const middle = end + (request?.length ?? 0);
  if (middle + (response?.length ?? 0) !== text.length) return undefined;
  return { request: bodyOf(request, text, end), response: bodyOf(response, text, middle) };
}

function bodyOf(
  head: z.output<typeof bodyHead> | undefined,
  text: Buffer<ArrayBuffer>,
  start: number,
): CapturedBody | undefined {
  if (head === undefined) return undefined;
  const { length, ...rest } = head;
  return { ...rest, bytes: new Uint8Array(text.subarray(start, start + length)) };
}
