// Where the TLS of a link ends: both ends sign the value that its TLS gives to them alone (RFC 9266), and so agree on modes for
// one tunnel. Without I/O, clock, randomness or keys: those arrive. docs/reference/wire.md has the texts.

import { unexpected } from './tunnel-fault.ts';
import type { LinkFrame, PlainMode } from './frame.ts';
import { encodeModes, plainModes } from './link-frames.ts';

export type Challenge = Extract<LinkFrame, { type: 'challenge' }>;
type Prove = Extract<LinkFrame, { type: 'prove' }>;
export type Identify = Extract<LinkFrame, { type: 'identify' }>;
type Agree = Extract<LinkFrame, { type: 'agree' }>;

/** What one text is about. Both ends have all of it without being told, but for challenge and tunnel id. */
export interface LinkProofFacts {
  /** As the agent dialled it. */
  readonly origin: string;
  readonly tunnelId: Uint8Array;
  readonly challenge: Uint8Array;
  /** `tls-exporter` of the link, as the signer sees it. */
  readonly exporter: Uint8Array;
  readonly modes: readonly PlainMode[];
}

const contexts = {
  agent: 'upstreamproxy link proof of the agent, 1',
  gateway: 'upstreamproxy link proof of the gateway, 1',
  /** Of the agent, for a fresh tunnel of which nothing is served before. */
  tunnel: 'upstreamproxy tunnel proof of the agent, 1',
} as const;

const encoder = new TextEncoder();

/** What is signed: the context and each fact, with its length as u16 before it. */
export function linkProofText(
  context: keyof typeof contexts,
  facts: LinkProofFacts,
): Uint8Array<ArrayBuffer> {
  const { origin, tunnelId, challenge, exporter, modes } = facts;
  const parts = [
    encoder.encode(contexts[context]),
    encoder.encode(origin),
    tunnelId,
    challenge,
    exporter,
    encodeModes(modes),
  ];
  const text = new Uint8Array(parts.reduce((sum, { length }) => sum + 2 + length, 0));
  let offset = 0;
  for (const part of parts) {
    text[offset] = part.length >>> 8;
    text[offset + 1] = part.length;
    text.set(part, offset + 2);
    offset += 2 + part.length;
  }
  return text;
}

export interface LinkVerifierOptions {
  readonly challenge: Uint8Array;
  readonly tunnelId: Uint8Array;
  readonly exporter: Uint8Array;
  /** Whether agents reach this gateway under it. */
  readonly isOwnOrigin: (origin: string) => boolean;
  /** By the key of the session. */
  readonly verify: (text: Uint8Array, signature: Uint8Array) => boolean;
  /** By the key that agents learn when they enrol. */
  readonly sign: (text: Uint8Array) => Uint8Array;
}

/** The gateway's side: one challenge, one proof, one reply. */
export class LinkVerifier {
  readonly challenge: Challenge;
  readonly #options: LinkVerifierOptions;
  #modes: readonly PlainMode[] | undefined;

  constructor(options: LinkVerifierOptions) {
    this.#options = options;
    this.challenge = { type: 'challenge', challenge: options.challenge, tunnelId: options.tunnelId };
  }

  /** Whether streams of the mode may be opened: only what was proven and said. */
  allows(mode: PlainMode): boolean {
    return this.#modes?.includes(mode) ?? false;
  }

  /** The reply. Modes are named only where the agent signed the very value that this end of the link has. Throws frame_unexpected. */
  receive(frame: LinkFrame): Agree {
    if (frame.type !== 'prove') throw unexpected(`${frame.type} from the agent`);
    if (this.#modes !== undefined) throw unexpected('a second proof on one tunnel');
    return this.#reply(frame.origin, this.#isProven(frame) ? frame.modes : []);
  }

  /** The reply to an agent that `checkIdentity` has let through: it signed the value that its end of the link has. */
  identified({ origin, exporter, modes }: Identify): Agree {
    return this.#reply(origin, isSame(exporter, this.#options.exporter) ? modes : []);
  }

  #reply(origin: string, modes: readonly PlainMode[]): Agree {
    this.#modes = modes;
    const { sign, challenge, tunnelId, exporter } = this.#options;
    const facts = { origin, tunnelId, challenge, exporter, modes };
    return { type: 'agree', signature: sign(linkProofText('gateway', facts)), modes };
  }

  #isProven({ origin, modes, signature }: Prove): boolean {
    const { challenge, tunnelId, exporter, isOwnOrigin, verify } = this.#options;
    if (!isOwnOrigin(origin)) return false;
    return verify(linkProofText('agent', { origin, tunnelId, challenge, exporter, modes }), signature);
  }
}

export interface LinkProverOptions {
  readonly origin: string;
  readonly exporter: Uint8Array;
  /** By the key of the session. */
  readonly sign: (text: Uint8Array) => Promise<Uint8Array>;
  /** By one of the keys that the gateway has named in the session. */
  readonly verify: (text: Uint8Array, signature: Uint8Array) => boolean;
}

/** What became of it. `refused`: the gateway sees another link. `forged`: the reply is not the gateway's, or of another link. */
export type LinkProofState = 'open' | 'proven' | 'refused' | 'forged';

/** The agent's side. */
export class LinkProver {
  readonly #options: LinkProverOptions;
  #challenge: Challenge | undefined;
  #reply: Agree | undefined;
  #modes: readonly PlainMode[] = [];
  #state: LinkProofState = 'open';

  constructor(options: LinkProverOptions) {
    this.#options = options;
  }

  get state(): LinkProofState {
    return this.#state;
  }

  /** Modes that streams may be opened in; none before the gateway's reply was found good. */
  get modes(): readonly PlainMode[] {
    return this.#modes;
  }

  /** Throws frame_unexpected for what is not the first challenge of the tunnel. */
  async prove(frame: Challenge): Promise<Prove> {
    if (this.#challenge !== undefined) throw unexpected('a second challenge on one tunnel');
    this.#challenge = frame;
    const { origin, exporter, sign } = this.#options;
    const { challenge, tunnelId } = frame;
    const modes = plainModes;
    const text = linkProofText('agent', { origin, tunnelId, challenge, exporter, modes });
    return { type: 'prove', signature: await sign(text), modes, origin };
  }

  /** The agent has identified itself for this challenge. */
  challenged(frame: Challenge): void {
    this.#challenge = frame;
  }

  /** Throws frame_unexpected for a reply without a challenge, or a second one. */
  conclude(reply: Agree): void {
    if (this.#challenge === undefined || this.#reply !== undefined)
      throw unexpected('agree, which was not asked for');
    this.#reply = reply;
    this.#judge(this.#challenge, reply);
  }

  /** Looks again at a reply that was not found good: `verify` may know another key by now. */
  reconsider(): void {
    if (this.#challenge !== undefined && this.#reply !== undefined && this.#state === 'forged')
      this.#judge(this.#challenge, this.#reply);
  }

  #judge({ challenge, tunnelId }: Challenge, { modes, signature }: Agree): void {
    const { origin, exporter, verify } = this.#options;
    const text = linkProofText('gateway', { origin, tunnelId, challenge, exporter, modes });
    if (!verify(text, signature)) this.#state = 'forged';
    else if (modes.length === 0) this.#state = 'refused';
    else {
      this.#state = 'proven';
      this.#modes = modes;
    }
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}
