// What the store has of a lease: by which name, and at which server, it is given back. Sealed, so that whoever writes to the store cannot have
// gateways give back leases that are none of theirs.

import { hkdfSync } from 'node:crypto';
import { z } from 'zod';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { NewLease } from '../../../store/lease-store.ts';
import { openOctets, sealingKeyBytes, sealOctets } from '../../../system/sealed-octets.ts';

const givenSchema = z.strictObject({
  leaseId: z.string().min(1),
  address: z.string(),
  namespace: z.string().optional(),
});

/** Of a lease that was given. */
export type GivenLease = Readonly<z.output<typeof givenSchema>>;

/** The key of the gateway that signs, which all gateways of one identity have. */
export interface LeaseSigner {
  readonly kid: string;
  signText(text: Uint8Array): Uint8Array;
}

/** The signature of this text is the key: Ed25519 gives one text one signature (RFC 8032 §5.1.6), and nobody else can make it. */
const context = 'upstreamproxy lease 1\0';

export class LeaseSeal {
  readonly #signer: LeaseSigner;
  #known: { readonly kid: string; readonly key: Uint8Array } | undefined;

  constructor(signer: LeaseSigner) {
    this.#signer = signer;
  }

  /** Names the key: with another one, what was sealed before is to be sealed again. */
  get kid(): string {
    return this.#signer.kid;
  }

  seal(lease: NewLease, given: GivenLease): string {
    return sealOctets(this.#key(), Buffer.from(JSON.stringify(given)), boundOf(lease)).toString('base64url');
  }

  /** Undefined for what was sealed for another lease, by another key, or was changed. */
  open(lease: NewLease, sealed: string): GivenLease | undefined {
    if (sealed.length > defaultLimits.sealedLeaseCharactersMax || !/^[A-Za-z0-9_-]+$/.test(sealed))
      return undefined;
    const text = openOctets(this.#key(), Buffer.from(sealed, 'base64url'), boundOf(lease));
    // Sealed here, so it is what was written here, by this version or by another one.
    return text === undefined ? undefined : givenSchema.safeParse(JSON.parse(text.toString('utf8'))).data;
  }

  #key(): Uint8Array {
    const { kid } = this.#signer;
    if (this.#known?.kid !== kid) {
      const signature = this.#signer.signText(Buffer.from(context));
      this.#known = { kid, key: new Uint8Array(hkdfSync('sha256', signature, '', context, sealingKeyBytes)) };
    }
    return this.#known.key;
  }
}

function boundOf({ id, sessionId, principalId, credential }: NewLease): string {
  return JSON.stringify([context, id, sessionId, principalId, credential]);
}
