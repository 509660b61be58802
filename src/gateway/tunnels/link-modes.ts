// What one tunnel and its gateway agree on: which modes its streams may have, and where the agent leaves TLS to the gateway.

import { randomBytes } from 'node:crypto';
import { blindHostsText } from '../../protocol/blind-hosts.ts';
import type { LinkFrame, PlainMode } from '../../protocol/frame.ts';
import type { Limits } from '../../protocol/limits.ts';
import { challengeBytes, plainModes } from '../../protocol/link-frames.ts';
import { type Identify, LinkVerifier } from '../../protocol/link-proof.ts';
import { sentBytesMax } from '../../protocol/sent-frames.ts';
import type { Policy, Principal } from '../../policy/decision.ts';
import type { SessionPublicKey } from '../sessions/dpop-proof.ts';
import { verifierOf } from '../sessions/session-signature.ts';
import type { SigningKey } from '../sessions/signing-key.ts';

/** Tells two tunnels apart, whatever process has them. */
export const tunnelIdBytes = 24;

export interface LinkModesOptions {
  readonly principal: Principal;
  /** Of the session. */
  readonly key: SessionPublicKey;
  /** `tls-exporter` of the link as this end has it. */
  readonly exporter: Uint8Array;
  readonly publicOrigins: readonly string[];
  readonly signingKey: Pick<SigningKey, 'signText'>;
  readonly policy: () => Policy;
  readonly send: (frame: LinkFrame) => void;
  readonly limits: Limits;
  /** Of an attempt to go on with a tunnel; without them both are fresh. */
  readonly challenge?: Uint8Array;
  readonly tunnelId?: Uint8Array;
  /** By which the agent has asked for modes already. */
  readonly identity?: Identify | undefined;
}

export class LinkModes {
  readonly #options: LinkModesOptions;
  readonly #verifier: LinkVerifier;
  #told: string | undefined;

  constructor(options: LinkModesOptions) {
    this.#options = options;
    const { key, exporter, publicOrigins, signingKey } = options;
    this.#verifier = new LinkVerifier({
      challenge: options.challenge ?? randomBytes(challengeBytes),
      tunnelId: options.tunnelId ?? randomBytes(tunnelIdBytes),
      exporter,
      isOwnOrigin: (origin) => publicOrigins.includes(origin),
      verify: verifierOf(key),
      sign: (text) => signingKey.signText(text),
    });
    const { identity, send } = options;
    send(identity === undefined ? this.#verifier.challenge : this.#verifier.identified(identity));
    this.policyChanged();
  }

  allows(mode: PlainMode): boolean {
    return this.#verifier.allows(mode);
  }

  /** Throws frame_unexpected for what an agent does not send, or not now. */
  receive(frame: LinkFrame): void {
    this.#options.send(this.#verifier.receive(frame));
    this.policyChanged();
  }

  /** The hosts of the policy in force, where the agent ends TLS and was told others. Without them it ends none, whatever was agreed. */
  policyChanged(): void {
    if (!plainModes.some((mode) => this.allows(mode))) return;
    const { principal, policy, send, limits } = this.#options;
    const { version } = policy();
    const bytesMax = sentBytesMax(limits, 'controlFrameBytesMax');
    const text = blindHostsText(version, policy().blindHosts(principal), bytesMax);
    if (text === this.#told) return;
    this.#told = text;
    send({ type: 'hosts', text });
  }
}
