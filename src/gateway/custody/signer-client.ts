// The gateway's side of the process that has the key of its authority: started, asked, and started again when it died.

import type { Readable, Writable } from 'node:stream';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { type PublishedAuthority, remoteAuthorityOf } from '../../pki/certificate-authority.ts';
import { errorOf, readLines, type SignerMessage, signerMessageOf, writeLine } from './signer-lines.ts';

/** A process of its own, with a pipe to it and one from it. */
export interface LaunchedSigner {
  readonly input: Writable;
  readonly output: Readable;
  /** Resolves to how it ended. */
  readonly ended: Promise<string>;
  kill(): void;
}

export interface SignerClientOptions {
  readonly launch: () => LaunchedSigner;
  readonly log: (level: 'error', message: string) => void;
  /** Whether the signer has its authority renewed in time. */
  readonly renewsItself: boolean;
}

interface Waiting {
  readonly resolve: (signature: Uint8Array) => void;
  readonly reject: (error: ProxyError) => void;
  readonly timer: NodeJS.Timeout;
}

const restartDelayMsFirst = 100;
/** One that ran for so long begins anew. */
const soundAfterMs = 60_000;

export class SignerClient implements AsyncDisposable {
  readonly #options: SignerClientOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<() => void>();
  #running: LaunchedSigner | undefined;
  #authority: PublishedAuthority | undefined;
  /** Why there is none, or why it is not renewed. */
  #fault: ProxyError | undefined;
  #first = Promise.withResolvers<void>();
  #lastId = 0;
  #restarts = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: SignerClientOptions) {
    this.#options = options;
    this.#start();
  }

  /** Calls the listener each time that there is another authority, or a fault. */
  watch(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** The authority, as soon as the signer has one. Throws what the signer found wrong, or `signer_unavailable`. */
  async read(): Promise<PublishedAuthority> {
    if (this.#authority === undefined && this.#fault === undefined) await this.#untilSaid();
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#authority === undefined) throw away('it has said nothing yet');
    return this.#authority;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const running = this.#running;
    this.#failAll(new ProxyError('shutting_down', 'the gateway ends'));
    if (running === undefined) return;
    // It ends with its input.
    running.input.end();
    const timer = setTimeout(() => running.kill(), defaultLimits.signerEndTimeoutMs);
    await running.ended;
    clearTimeout(timer);
  }

  async #untilSaid(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, defaultLimits.signerStartTimeoutMs);
    await Promise.race([this.#first.promise, promise]);
    clearTimeout(timer);
  }

  #start(): void {
    const startedMs = performance.now();
    const running = this.#options.launch();
    this.#running = running;
    running.input.on('error', () => undefined);
    readLines(
      running.output,
      (line) => {
        const message = signerMessageOf(line);
        if (message !== undefined) this.#take(message);
      },
      (error) => {
        this.#options.log('error', error.message);
        running.kill();
      },
    );
    void running.ended.then((how) => this.#ended(how, performance.now() - startedMs));
  }

  #ended(how: string, ranMs: number): void {
    this.#running = undefined;
    this.#failAll(away(`its process ended (${how})`));
    if (this.#isClosed) return;
    if (ranMs >= soundAfterMs) this.#restarts = 0;
    const delayMs = Math.min(
      restartDelayMsFirst * 2 ** this.#restarts,
      defaultLimits.signerRestartDelayMsMax,
    );
    this.#restarts += 1;
    this.#say(away(`its process ended (${how}), and is started again`));
    this.#timer = setTimeout(() => this.#start(), delayMs);
    this.#timer.unref();
  }

  #take(message: SignerMessage): void {
    switch (message.kind) {
      case 'authority':
        this.#authority = remoteAuthorityOf(message.certificates, (text) => this.#sign(text), this.#options);
        this.#fault = undefined;
        this.#tell();
        return;
      case 'fault':
        this.#say(errorOf(message));
        return;
      case 'signed':
        this.#done(message.id)?.resolve(Buffer.from(message.signature, 'base64'));
        return;
      case 'refused':
        this.#done(message.id)?.reject(errorOf(message));
    }
  }

  #say(error: ProxyError): void {
    this.#fault = error;
    this.#tell();
  }

  #tell(): void {
    this.#first.resolve();
    for (const listener of this.#listeners) listener();
  }

  #done(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.timer);
    return waiting;
  }

  #failAll(error: ProxyError): void {
    for (const id of this.#waiting.keys()) this.#done(id)?.reject(error);
  }

  #sign(text: Uint8Array): Promise<Uint8Array> {
    const running = this.#running;
    if (running === undefined) return Promise.reject(away('its process is not running'));
    if (this.#waiting.size >= defaultLimits.signaturesWaitingMax)
      return Promise.reject(
        new ProxyError(
          'limit_exceeded',
          `signaturesWaitingMax (${defaultLimits.signaturesWaitingMax}): too many leaves wait for the signer of the authority`,
          { limit: 'signaturesWaitingMax', retryAfterSeconds: 1 },
        ),
      );
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const timer = setTimeout(() => {
      this.#done(id)?.reject(away(`it did not sign within ${defaultLimits.signatureTimeoutMs} ms`));
    }, defaultLimits.signatureTimeoutMs);
    this.#waiting.set(id, { resolve, reject, timer });
    writeLine(running.input, { id, text: Buffer.from(text).toString('base64') });
    return promise;
  }
}

function away(reason: string): ProxyError {
  return new ProxyError(
    'signer_unavailable',
    `the signer of the authority is away: ${reason}; hosts whose certificate is there go on`,
    { retryAfterSeconds: 1 },
  );
}
