// A push over SSH: what it changes is read before anything of it goes on, and said in git's own words where it may not.

import { Transform, type TransformCallback } from 'node:stream';
import { type PushCommands, PushCommandReader } from '../../policy/git-commands.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { isReported, pushReport } from '../git/push-report.ts';
import type { RefusedPush } from '../git/refused-push.ts';

export type PushVerdict =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly push: RefusedPush; readonly reason: string };

interface PushGateOptions {
  readonly limits: Limits;
  readonly judge: (commands: PushCommands) => PushVerdict;
  /** A push that is not understood, or too long, ends both sides. */
  readonly broken: (error: ProxyError) => void;
}

/** With no command a server of git ends, and changes nothing. */
const noCommands = Buffer.from('0000');

export class PushGate {
  readonly throughClient: Transform;
  readonly throughServer: Transform;
  readonly #options: PushGateOptions;
  readonly #reader = new PushCommandReader();
  readonly #clientEnded = Promise.withResolvers<undefined>();
  #held: Buffer[] = [];
  #heldOctets = 0;
  #state: 'reading' | 'open' | 'empty' | 'refused' | 'broken' = 'reading';
  #deadline: NodeJS.Timeout | undefined;
  #report: Buffer = Buffer.alloc(0);
  #dropped = 0;
  #refused: ProxyError | undefined;

  constructor(options: PushGateOptions) {
    this.#options = options;
    this.throughClient = new Transform({
      transform: (chunk: Buffer, _encoding, done) => this.#take(chunk, done),
      flush: (done) => {
        this.#clientEnded.resolve(undefined);
        // A client that ended within its commands said nothing.
        done();
      },
      destroy: (error, done) => {
        clearTimeout(this.#deadline);
        this.#clientEnded.resolve(undefined);
        done(error);
      },
    });
    this.throughServer = new Transform({
      transform: (chunk: Buffer, _encoding, done) => done(null, chunk),
      flush: (done) => void this.#reportTo(done),
    });
  }

  get refused(): ProxyError | undefined {
    return this.#refused;
  }

  #take(chunk: Buffer, done: TransformCallback): void {
    switch (this.#state) {
      case 'open':
        done(null, chunk);
        return;
      case 'refused':
        this.#dropped += chunk.length;
        if (this.#dropped > this.#options.limits.refusedPushBytesMax) this.#clientEnded.resolve(undefined);
        done();
        return;
      case 'reading':
        this.#read(chunk);
        done();
        return;
      case 'empty':
      case 'broken':
        done();
    }
  }

  #read(chunk: Buffer): void {
    const { limits } = this.#options;
    this.#deadline ??= setTimeout(() => {
      const message = 'the commands of the push did not arrive in time (pushCommandsTimeoutMs)';
      this.#fail(new ProxyError('timeout', message, { limit: 'pushCommandsTimeoutMs' }));
    }, limits.pushCommandsTimeoutMs);
    this.#held.push(chunk);
    this.#heldOctets += chunk.length;
    try {
      const commands = this.#reader.push(chunk);
      if (commands !== undefined) this.#judge(commands);
      else if (this.#heldOctets > limits.pushCommandsBytesMax) this.#fail(tooLong(limits));
    } catch (error) {
      this.#fail(asProxyError(error, 'request_malformed'));
    }
  }

  #fail(error: ProxyError): void {
    if (this.#state !== 'reading') return;
    this.#state = 'broken';
    this.#held = [];
    clearTimeout(this.#deadline);
    this.#options.broken(error);
  }

  #judge(commands: PushCommands): void {
    clearTimeout(this.#deadline);
    // With nothing to judge, whatever comes behind would be commands that nobody read.
    if (commands.updates.length === 0) {
      this.#state = 'empty';
      this.#held = [];
      this.#endWithoutCommands();
      return;
    }
    const verdict = this.#options.judge(commands);
    const held = this.#held;
    this.#held = [];
    if (verdict.kind === 'allowed') {
      this.#state = 'open';
      for (const chunk of held) this.throughClient.push(chunk);
      return;
    }
    this.#state = 'refused';
    const { push, reason } = verdict;
    this.#refused = new ProxyError('policy_denied', reason);
    if (isReported(commands)) this.#report = pushReport(reason, `upstreamproxy: ${reason}`, push);
    // Without a pack the client does not end before it has the report.
    if (commands.updates.every(({ change }) => change === 'delete')) this.#clientEnded.resolve(undefined);
    this.#endWithoutCommands();
  }

  #endWithoutCommands(): void {
    this.throughClient.push(noCommands);
    this.throughClient.push(null);
  }

  /** Git reads no report before it has sent its pack. */
  async #reportTo(done: TransformCallback): Promise<void> {
    if (this.#state === 'refused') {
      const timer = setTimeout(
        () => this.#clientEnded.resolve(undefined),
        this.#options.limits.refusedPushTimeoutMs,
      );
      await this.#clientEnded.promise;
      clearTimeout(timer);
      done(null, this.#report);
    } else done();
  }
}

function tooLong({ pushCommandsBytesMax }: Limits): ProxyError {
  return new ProxyError(
    'body_too_large',
    `the commands of the push are longer than ${String(pushCommandsBytesMax)} bytes; push fewer refs at once`,
    { limit: 'pushCommandsBytesMax' },
  );
}
