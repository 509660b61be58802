// A kept body for somebody who looks at it: decoded within a bound, and as text where it is text. Nothing of it is ever rendered.

import { promisify } from 'node:util';
import { brotliDecompress, constants, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { defaultLimits } from '../../protocol/limits.ts';
import type { CapturedBody } from './captured-exchange.ts';

export interface ViewedBody {
  readonly type?: string | undefined;
  readonly coding?: string | undefined;
  /** How much is kept, as it was sent. */
  readonly bytes: number;
  readonly isWhole: boolean;
  readonly redacted: number;
  /** Decoded; absent where it is no text. */
  readonly text?: string;
  /** As it was sent, where it is no text. */
  readonly base64?: string;
  /** Why it is not shown as it is. */
  readonly note?: string;
}

type Decode = (bytes: Uint8Array, options: object) => Promise<Uint8Array>;

// A body that was cut off is decoded as far as it goes.
const flush = { finishFlush: constants.Z_SYNC_FLUSH };
const decoders: Readonly<Record<string, readonly [Decode, object]>> = {
  gzip: [promisify(gunzip), flush],
  'x-gzip': [promisify(gunzip), flush],
  deflate: [promisify(inflate), flush],
  br: [promisify(brotliDecompress), { finishFlush: constants.BROTLI_OPERATION_FLUSH }],
  zstd: [promisify(zstdDecompress), { finishFlush: constants.ZSTD_e_flush }],
};

export async function viewedBody(body: CapturedBody): Promise<ViewedBody> {
  const { bytes, type, coding, isWhole, redacted, isWithheld } = body;
  const said = { type, coding, bytes: bytes.length, isWhole, redacted };
  if (isWithheld === true)
    return { ...said, note: 'What the rule leaves out could not be found in it, so nothing of it is kept.' };
  const decoded = await decodedBody(bytes, coding);
  if (typeof decoded === 'string') return { ...said, base64: base64(bytes), note: decoded };
  const text = textOf(decoded, isWhole);
  return text === undefined ? { ...said, base64: base64(bytes) } : { ...said, text };
}

/** A text says why it is not decoded. */
async function decodedBody(bytes: Uint8Array, coding = ''): Promise<Uint8Array | string> {
  const name = coding.trim().toLowerCase();
  if (name === '' || name === 'identity') return bytes;
  const known = Object.hasOwn(decoders, name) ? decoders[name] : undefined;
  if (known === undefined) return 'It is in an encoding that is not taken off here.';
  const max = defaultLimits.capturedViewBytesMax;
  const [decode, options] = known;
  try {
    return await decode(bytes, { ...options, maxOutputLength: max });
  } catch (error) {
    const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    return isLarge
      ? `Decoded it is larger than ${max} bytes (capturedViewBytesMax), so it is shown as it was sent.`
      : 'It is not in the encoding that it says.';
  }
}

/** The text, where all of it is UTF-8 without what no text has. */
function textOf(bytes: Uint8Array, isWhole: boolean): string | undefined {
  try {
    // One that was cut off may end within a character.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, {
      stream: !isWhole,
    });
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
