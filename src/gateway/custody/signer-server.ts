// The side of the process that has the key: what it is asked to sign is checked, counted and signed; nothing else is done for anybody.

import type { Readable, Writable } from 'node:stream';
import { checkedLeaf } from '../../pki/checked-leaf.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';
import type { Custodian, HeldKey } from './custodian.ts';
import { readLines, type SignRequest, signRequestOf, writeLine } from './signer-lines.ts';

export interface SignerServerOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly custodian: Custodian;
  /** What may be certified, with all below; none: every name. */
  readonly names: readonly string[];
  readonly clock: () => number;
}

/** Serves until its input ends. */
export async function serveSigner(options: SignerServerOptions): Promise<void> {
  const { input, output, custodian, clock } = options;
  const ended = Promise.withResolvers<void>();
  const bucket = new TokenBucket(defaultLimits.leafSignaturesPerSecondMax, clock());
  output.on('error', () => ended.resolve());
  input
    .once('end', ended.resolve)
    .once('close', ended.resolve)
    .once('error', () => ended.resolve());
  const tell = (): void => tellState(output, custodian);
  custodian.watch(tell);
  readLines(
    input,
    (line) => {
      const request = signRequestOf(line);
      if (request !== undefined) sign(request, options, bucket);
    },
    () => ended.resolve(),
  );
  tell();
  await ended.promise;
}

function tellState(output: Writable, custodian: Custodian): void {
  const { held, fault } = custodian;
  const [current] = held;
  if (current !== undefined) writeLine(output, { kind: 'authority', certificates: current.certificates });
  if (fault !== undefined) writeLine(output, { kind: 'fault', code: fault.code, message: fault.message });
}

function sign(
  { id, text }: SignRequest,
  { output, ...options }: SignerServerOptions,
  bucket: TokenBucket,
): void {
  try {
    const signature = signatureFor(Buffer.from(text, 'base64'), options, bucket);
    writeLine(output, { kind: 'signed', id, signature: Buffer.from(signature).toString('base64') });
  } catch (error) {
    const { code, message } = asProxyError(error);
    writeLine(output, { kind: 'refused', id, code, message });
  }
}

type Signing = Pick<SignerServerOptions, 'custodian' | 'names' | 'clock'>;

function signatureFor(
  text: Uint8Array,
  { custodian, names, clock }: Signing,
  bucket: TokenBucket,
): Uint8Array {
  const nowMs = clock();
  const seconds = bucket.take(defaultLimits.leafSignaturesPerSecondMax, nowMs);
  if (seconds > 0)
    throw new ProxyError(
      'limit_exceeded',
      `leafSignaturesPerSecondMax (${defaultLimits.leafSignaturesPerSecondMax}): the signer of the authority signs no more in this second`,
      { limit: 'leafSignaturesPerSecondMax', retryAfterSeconds: seconds },
    );
  let refusal: unknown = new ProxyError(
    'signer_unavailable',
    'the signer of the authority has no authority yet',
  );
  // Who asked before it heard of the next one still means the one of before.
  for (const key of custodian.held) {
    try {
      return signBy(key, text, { names, nowMs });
    } catch (error) {
      refusal = refusal instanceof ProxyError && refusal.code === 'signing_refused' ? refusal : error;
    }
  }
  throw refusal;
}

function signBy(
  { issuer, issuerSpki, sign: signText }: HeldKey,
  text: Uint8Array,
  bounds: { readonly names: readonly string[]; readonly nowMs: number },
): Uint8Array {
  checkedLeaf(text, { ...bounds, issuer, issuerSpki });
  return signText(text);
}
