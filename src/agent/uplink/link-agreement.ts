// The agent's side of what is agreed for one tunnel: where the TLS of its link ends, and hence where that of clients may end.

import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { TunnelLink } from '../../net/tunnel-link.ts';
import { BlindHosts } from '../../protocol/blind-hosts.ts';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import type { LinkFrame, PlainMode } from '../../protocol/frame.ts';
import { type Challenge, LinkProver } from '../../protocol/link-proof.ts';
import { unexpected } from '../../protocol/tunnel-fault.ts';

export interface LinkAgreementOptions {
  /** As it was dialled. */
  readonly origin: string;
  /** `tls-exporter` of the link as this end has it. */
  readonly exporter: Uint8Array;
  /** Of the gateway, as the session knows them now: 32 octets each, base64url. */
  readonly linkKeys: () => readonly string[];
  /** Asks the gateway for them anew; asked once at most, for a reply that names modes and is signed by none of those. */
  readonly learnKeys: () => Promise<void>;
  readonly sign: (text: Uint8Array) => Promise<Uint8Array>;
  readonly send: (frame: LinkFrame) => void;
  /** The tunnel cannot go on. */
  readonly onFault: (error: ProxyError) => void;
  /** What the proof came to. */
  readonly onConcluded: (fault: string | undefined) => void;
}

const faults = {
  open: 'the gateway has not replied',
  refused: 'the gateway sees another TLS connection than the agent: something between the two ends TLS',
  forged: 'the reply is not signed by the gateway for this connection: something between the two ends TLS',
} as const;

export class LinkAgreement {
  readonly #options: LinkAgreementOptions;
  readonly #prover: LinkProver;
  /** Before the gateway has named them, everything is left to it. */
  #hosts: BlindHosts | undefined;
  readonly #judged = Promise.withResolvers<void>();
  readonly #known = Promise.withResolvers<void>();
  #isReconsidering = false;

  constructor(options: LinkAgreementOptions) {
    this.#options = options;
    const { origin, exporter, sign } = options;
    this.#prover = new LinkProver({
      origin,
      exporter,
      sign,
      verify: (text, signature) =>
        options.linkKeys().some((key) => verify(null, text, publicKeyOf(key), signature)),
    });
  }

  /** Modes in which a stream to the authority, in canonical form, may be opened now. */
  modesFor(authority: string): readonly PlainMode[] {
    return this.#hosts === undefined || this.#hosts.covers(authority) ? [] : this.#prover.modes;
  }

  /** The gateway has proven that the TLS of the link ends in it. */
  get isProven(): boolean {
    return this.#prover.state === 'proven';
  }

  /** The reply is signed by a key that is not known, and the gateway is asked whether it is one of its own now. */
  get isReconsidering(): boolean {
    return this.#isReconsidering;
  }

  /** Settles when it is known what the proof came to. */
  get judged(): Promise<void> {
    return this.#judged.promise;
  }

  /** Settles when it is known which modes there are for which hosts. */
  get known(): Promise<void> {
    return this.#known.promise;
  }

  /** The tunnel goes on upon another link, which has an agreement of its own: whoever waits looks there. */
  replaced(): void {
    this.#known.resolve();
  }

  /** The agent has identified itself at the start of the tunnel, and asked for the modes so. */
  challenged(challenge: Challenge): void {
    this.#prover.challenged(challenge);
  }

  /** Throws frame_unexpected for what a gateway does not send, or not now. */
  receive(frame: LinkFrame): void {
    switch (frame.type) {
      case 'challenge':
        this.#prover.prove(frame).then(this.#options.send, (error: unknown) => {
          this.#options.onFault(asProxyError(error));
        });
        return;
      case 'agree':
        this.#prover.conclude(frame);
        // One that agrees to nothing is nothing to look at again, whoever signed it.
        if (this.#prover.state === 'forged' && frame.modes.length > 0) void this.#reconsider();
        else this.#concluded();
        return;
      case 'hosts':
        // Who agreed sends them behind its reply, also behind one that is not found good, or not yet. Without modes they open nothing.
        if (this.#prover.state === 'open' || this.#prover.state === 'refused')
          throw unexpected('hosts without a proof');
        this.#hosts = new BlindHosts(frame.text);
        if (this.isProven) this.#known.resolve();
        return;
      case 'prove':
      case 'identify':
        throw unexpected(`${frame.type} from the gateway`);
    }
  }

  /** The gateway may have another key by now than when the session last asked. */
  async #reconsider(): Promise<void> {
    const { linkKeys, learnKeys } = this.#options;
    const known = new Set(linkKeys());
    this.#isReconsidering = true;
    try {
      await learnKeys();
      if (linkKeys().some((key) => !known.has(key))) this.#prover.reconsider();
    } catch {
      // The reply stays what it was found to be; why it could not be asked is told where the session is renewed.
    }
    this.#concluded();
  }

  #concluded(): void {
    const { state } = this.#prover;
    this.#isReconsidering = false;
    this.#judged.resolve();
    // A gateway that agrees names its hosts behind that.
    if (state !== 'proven' || this.#hosts !== undefined) this.#known.resolve();
    this.#options.onConcluded(state === 'proven' ? undefined : faults[state]);
  }
}

/** Waits until it is known what was agreed for the link, until that is over, or so long. */
export async function agreedWithin(
  link: TunnelLink | undefined,
  agreements: Pick<WeakMap<TunnelLink, LinkAgreement>, 'get'>,
  ms: number,
): Promise<void> {
  if (link === undefined) return;
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  const over = Promise.race([link.closed, late.promise]).then(() => true);
  for (let asked = agreements.get(link), isOver = false; asked !== undefined && !isOver;) {
    isOver = await Promise.race([over, asked.known.then(() => false)]);
    const now = agreements.get(link);
    asked = now === asked ? undefined : now;
  }
  clearTimeout(timer);
}

function publicKeyOf(x: string): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}
