// A proof with a nonce of another gateway: that one is asked whether the nonce is good and the proof new, and it remembers it. One connection
// to each gateway that is asked, for as long as it is used.

import type { Socket } from 'node:net';
import { z } from 'zod';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { NonceOutcome, NonceProof, NonceProofs } from '../sessions/nonce-proofs.ts';
import { gatewayNameOf } from '../tunnels/incarnation.ts';
import { linesOf, readChangeLine, sendLine } from './change-lines.ts';
import { connectPeer } from './peer-connection.ts';
import type { KnownPeer } from './peer-directory.ts';
import { type PeerIdentity, proofsProtocol } from './peer-identity.ts';

/** One that could not be asked is passed over for so long; its nonces are asked for anew. */
const retryMs = 5000;
/** Who asks lets go first. */
const idleMs = { asking: defaultLimits.proofNonceMs, asked: 2 * defaultLimits.proofNonceMs };

const short = z.string().max(300);
const askedSchema = z.object({
  n: z.int().nonnegative(),
  nonce: short,
  sessionId: short,
  keyThumbprint: short,
  jti: z.string().max(256),
});
const toldSchema = z.object({ n: z.int().nonnegative(), told: z.enum(['new', 'seen', 'full', 'unknown']) });

/** Of nonces of this gateway, until the connection ends. Who asks has been verified. Never rejects. */
export async function serveProofs(
  socket: Socket,
  { takeOwn }: { readonly takeOwn: (proof: NonceProof) => ReturnType<NonceProofs['takeOwn']> },
  onFault: (error: ProxyError) => void,
): Promise<void> {
  try {
    for await (const line of linesOf(socket, idleMs.asked)) await sendLine(socket, await told(line));
  } catch (error) {
    // That a connection ended is nobody's fault.
    if (error instanceof ProxyError) onFault(error);
  } finally {
    socket.destroy();
  }

  async function told(line: string): Promise<z.input<typeof toldSchema>> {
    const { n, ...proof } = readChangeLine(askedSchema, line);
    return { n, told: await takeOwn(proof).catch((): NonceOutcome => 'unknown') };
  }
}

export interface PeerProofsOptions {
  readonly identity: PeerIdentity;
  /** Other processes that serve. */
  readonly known: () => readonly KnownPeer[];
}

export class PeerProofs implements AsyncDisposable {
  readonly #options: PeerProofsOptions;
  readonly #lines = new Map<string, Promise<ProofLine | undefined>>();
  /** Until when one is passed over. */
  readonly #failed = new Map<string, number>();
  #isOver = false;

  constructor(options: PeerProofsOptions) {
    this.#options = options;
  }

  /** See `AskGateway`. */
  async ask(gatewayName: string, proof: NonceProof): Promise<NonceOutcome> {
    const line = await this.#lineTo(gatewayName);
    return line === undefined ? 'unknown' : await line.ask(proof);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#lines.values()].map(async (line) => (await line)?.end()));
  }

  async #lineTo(gatewayName: string): Promise<ProofLine | undefined> {
    const found = this.#lines.get(gatewayName);
    if (found !== undefined || this.#isOver) return await found;
    const nowMs = performance.now();
    for (const [name, untilMs] of this.#failed) if (untilMs <= nowMs) this.#failed.delete(name);
    // What a nonce says may be made up: only who is known is asked, or remembered.
    const peers = this.#options
      .known()
      .filter(({ incarnation }) => gatewayNameOf(incarnation) === gatewayName);
    if (peers.length === 0 || this.#failed.has(gatewayName)) return undefined;
    const opening = this.#open(peers).then(async (line) => {
      if (line === undefined) this.#over(gatewayName, true);
      else if (this.#isOver) line.end();
      else void line.over.then((isSilent) => this.#over(gatewayName, isSilent));
      return line;
    });
    this.#lines.set(gatewayName, opening);
    return await opening;
  }

  #over(gatewayName: string, hasFailed: boolean): void {
    this.#lines.delete(gatewayName);
    if (hasFailed) this.#failed.set(gatewayName, performance.now() + retryMs);
  }

  /** To any process of the gateway: they remember together. Never rejects. */
  async #open(peers: readonly KnownPeer[]): Promise<ProofLine | undefined> {
    for (const { address, incarnation } of peers)
      try {
        const found = await connectPeer(address, incarnation, this.#options.identity, proofsProtocol);
        if (found.kind === 'connected') return new ProofLine(found.socket);
      } catch {
        // It may be of a version before, or its machine gone: the agent is asked for another proof.
        return undefined;
      }
    return undefined;
  }
}

class ProofLine {
  /** Resolves when it has ended, with whether the other end did not respond. */
  readonly over: Promise<boolean>;
  readonly #socket: Socket;
  readonly #pending = new Map<number, (told: NonceOutcome) => void>();
  #asked = 0;
  #isSilent = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.over = this.#read();
  }

  async ask(proof: NonceProof): Promise<NonceOutcome> {
    if (this.#socket.destroyed || this.#pending.size >= defaultLimits.peerProofsPendingMax) return 'unknown';
    this.#asked += 1;
    const n = this.#asked;
    const { promise, resolve } = Promise.withResolvers<NonceOutcome>();
    this.#pending.set(n, resolve);
    const timer = setTimeout(() => {
      this.#isSilent = true;
      this.end();
    }, defaultLimits.peerProofTimeoutMs);
    // How much waits is bounded by how many do.
    void sendLine(this.#socket, { n, ...proof } satisfies z.input<typeof askedSchema>);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(n);
    }
  }

  end(): void {
    this.#socket.destroy();
  }

  async #read(): Promise<boolean> {
    try {
      for await (const line of linesOf(this.#socket, idleMs.asking)) {
        const { n, told } = readChangeLine(toldSchema, line);
        this.#pending.get(n)?.(told);
      }
    } catch {
      this.#isSilent ||= this.#pending.size > 0;
    }
    this.end();
    for (const resolve of this.#pending.values()) resolve('unknown');
    return this.#isSilent;
  }
}
