// Who a fresh tunnel is of: the agent shows for this tunnel, by a challenge of the gateway, that it has the key of the session. Nothing is
// served before, so that a copy of its upgrade is worth nothing. Without I/O, randomness or keys: those arrive. docs/reference/wire.md has
// the text.

import { ProxyError } from './error.ts';
import type { PlainMode } from './frame.ts';
import { type Challenge, type Identify, linkProofText } from './link-proof.ts';

export interface IdentifyingAgent {
  /** As it was dialled. */
  readonly origin: string;
  /** `tls-exporter` of the link as this end has it; undefined where no modes are asked for. */
  readonly exporter: Uint8Array | undefined;
  readonly modes: readonly PlainMode[];
  /** By the key of the session. */
  readonly sign: (text: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;
}

/** The agent's word, which is for this tunnel alone. */
export async function identify(
  { challenge, tunnelId }: Challenge,
  { origin, exporter = new Uint8Array(), modes, sign }: IdentifyingAgent,
): Promise<Identify> {
  const text = linkProofText('tunnel', { origin, tunnelId, challenge, exporter, modes });
  return { type: 'identify', signature: await sign(text), exporter, modes, origin };
}

/** Throws proof_invalid for whoever does not have the key of the session, or dialled another gateway than this one. */
export function checkIdentity(
  { challenge, tunnelId }: Challenge,
  { signature, exporter, modes, origin }: Identify,
  by: {
    /** Whether agents reach this gateway under it. */
    readonly isOwnOrigin: (origin: string) => boolean;
    /** By the key of the session. */
    readonly verify: (text: Uint8Array, signature: Uint8Array) => boolean;
  },
): void {
  if (!by.isOwnOrigin(origin)) throw refused('it was made for another gateway');
  const text = linkProofText('tunnel', { origin, tunnelId, challenge, exporter, modes });
  if (!by.verify(text, signature))
    throw refused('it is not signed by the key of the session for this challenge');
}

function refused(why: string): ProxyError {
  return new ProxyError('proof_invalid', `The proof of the tunnel is not acceptable: ${why}.`);
}
