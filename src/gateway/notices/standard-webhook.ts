// Signatures of messages between systems, as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and the raw body.

import { Buffer } from 'node:buffer';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const prefix = 'whsec_';
/** The specification asks for 24 to 64 octets. */
const [keyBytesMin, keyBytesMax] = [24, 64];

/** The octets of a secret as it is written: `whsec_` and base64. @throws ProxyError config_invalid, which has nothing of it */
export function webhookKey(secret: string, name: string): Buffer {
  const text = secret.trim();
  const base64 = text.startsWith(prefix) ? text.slice(prefix.length) : text;
  const key = Buffer.from(base64, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || key.length < keyBytesMin || key.length > keyBytesMax)
    throw new ProxyError(
      'config_invalid',
      `the secret ${name} must be ${prefix} and the base64 of ${keyBytesMin} to ${keyBytesMax} random octets`,
    );
  return key;
}

export interface SignedMessage {
  readonly id: string;
  /** Whole seconds since the epoch. */
  readonly timestamp: number;
  readonly body: string | Uint8Array;
}

/** Header fields of a message. */
export function signedFields(key: Uint8Array, message: SignedMessage): Readonly<Record<string, string>> {
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestamp),
    'webhook-signature': signatureOf(key, message),
  };
}

/** Whether one of the signatures in the field is that of the key. Takes as long whichever it is. */
export function isSignedBy(key: Uint8Array, message: SignedMessage, field: string): boolean {
  const wanted = Buffer.from(signatureOf(key, message));
  let isSigned = false;
  for (const one of field.split(' ').slice(0, defaultLimits.callbackSignaturesMax)) {
    const given = Buffer.from(one);
    if (given.length === wanted.length && timingSafeEqual(given, wanted)) isSigned = true;
  }
  return isSigned;
}

function signatureOf(key: Uint8Array, { id, timestamp, body }: SignedMessage): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
}
