// The body of a request that is asked about, or what a registry tells: of a file, or of standard input.

import { Buffer } from 'node:buffer';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import { defaultLimits, type LimitName } from '../../protocol/limits.ts';

interface AskedOctets {
  readonly what: string;
  readonly limit: LimitName;
  readonly max: number;
}

const askedBody = {
  what: 'the body',
  limit: 'askedBodyBytesMax',
  max: defaultLimits.askedBodyBytesMax,
} as const;

/** `-`: standard input. @throws ProxyError body_too_large, config_invalid */
export async function readAskedBody(
  file: string,
  { what, limit, max }: AskedOctets = askedBody,
): Promise<Buffer> {
  const input: Readable = file === '-' ? process.stdin : createReadStream(file);
  const octets = new GatheredOctets();
  try {
    for await (const piece of input as AsyncIterable<Buffer>) {
      octets.push(piece);
      if (octets.length > max) break;
    }
  } catch (error) {
    throw new ProxyError('config_invalid', `cannot read ${what} of ${file}: ${faultReason(error)}`, {
      cause: error,
    });
  }
  if (octets.length > max)
    throw new ProxyError('body_too_large', `${what} of ${file} is longer than ${String(max)} octets`, {
      limit,
    });
  return Buffer.from(octets.take());
}
