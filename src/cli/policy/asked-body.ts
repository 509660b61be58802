// The body of a request that is asked about: of a file, or of standard input.

import { Buffer } from 'node:buffer';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** `-`: standard input. @throws ProxyError body_too_large, config_invalid */
export async function readAskedBody(file: string): Promise<Buffer> {
  const input: Readable = file === '-' ? process.stdin : createReadStream(file);
  const max = defaultLimits.askedBodyBytesMax;
  const octets = new GatheredOctets();
  try {
    for await (const piece of input as AsyncIterable<Buffer>) {
      octets.push(piece);
      if (octets.length > max) break;
    }
  } catch (error) {
    throw new ProxyError('config_invalid', `cannot read the body of ${file}: ${faultReason(error)}`, {
      cause: error,
    });
  }
  if (octets.length > max)
    throw new ProxyError('body_too_large', `the body of ${file} is longer than ${String(max)} octets`, {
      limit: 'askedBodyBytesMax',
    });
  return Buffer.from(octets.take());
}
