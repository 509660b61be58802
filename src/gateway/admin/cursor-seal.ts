// Cursors of who sees only some sessions: where a page goes on is often an event of others, whose id they are not told.

import { hkdfSync } from 'node:crypto';
import { openOctets, sealingKeyBytes, sealOctets } from '../../system/sealed-octets.ts';
import type { SigningKey } from '../sessions/signing-key.ts';

const prefix = 'sealed.';
const form = /^sealed\.[A-Za-z0-9_-]{1,180}$/;
/** The signature of this text is the key, so any gateway of the same identity opens it (log-in-seal.ts). */
const context = 'upstreamproxy cursor 1\0';

export function sealCursor(signer: Pick<SigningKey, 'signText'>, cursor: string): string {
  return `${prefix}${sealOctets(keyOf(signer), Buffer.from(cursor), context).toString('base64url')}`;
}

/** Undefined for what is no sealed cursor, or of another key: one that has rotated since too. */
export function openCursor(signer: Pick<SigningKey, 'signText'>, text: string): string | undefined {
  if (!form.test(text)) return undefined;
  return openOctets(keyOf(signer), Buffer.from(text.slice(prefix.length), 'base64url'), context)?.toString();
}

function keyOf(signer: Pick<SigningKey, 'signText'>): Uint8Array {
  return new Uint8Array(
    hkdfSync('sha256', signer.signText(Buffer.from(context)), '', context, sealingKeyBytes),
  );
}
