// The key in its file, held by a process of its own that follows the folder: rotations are steps of others in it.

import { readAuthorityFiles } from '../../pki/authority-files.ts';
import type { KeyFiles } from '../../pki/key-files.ts';
import type { ProxyError } from '../../protocol/error.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { type Custodian, type HeldKey, heldKey } from './custodian.ts';

/** As a gateway looks that has the key itself. */
const lookIntervalMs = 15_000;

export interface FileCustodianOptions {
  readonly directory: string;
  readonly keys: KeyFiles;
}

export class FileCustodian implements Custodian {
  readonly #options: FileCustodianOptions;
  readonly #repeated: RepeatedLook;
  #held: readonly HeldKey[] = [];
  #fault: ProxyError | undefined;
  #listener: () => void = () => undefined;

  constructor(options: FileCustodianOptions) {
    this.#options = options;
    const onFault = (error: ProxyError): void => this.#failed(error);
    this.#repeated = new RepeatedLook({ look: () => this.#look(), intervalMs: lookIntervalMs, onFault });
  }

  get held(): readonly HeldKey[] {
    return this.#held;
  }

  get fault(): ProxyError | undefined {
    return this.#fault;
  }

  watch(listener: () => void): void {
    this.#listener = listener;
  }

  /** Opens the folder, and follows it from then on. */
  async start(): Promise<void> {
    await this.#repeated.now();
    this.#repeated.start();
  }

  /** Looks now. */
  look(): Promise<void> {
    return this.#repeated.now();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#repeated.close();
  }

  async #look(): Promise<void> {
    const { directory, keys } = this.#options;
    const { key, certificates } = await readAuthorityFiles(directory, 'ca', keys);
    const isSame = this.#held[0]?.certificates.join('') === certificates.join('');
    if (isSame && this.#fault === undefined) return;
    this.#fault = undefined;
    if (!isSame) this.#held = [heldKey(key, certificates), ...this.#held.slice(0, 1)];
    this.#listener();
  }

  #failed(error: ProxyError): void {
    if (this.#fault?.message === error.message) return;
    this.#fault = error;
    this.#listener();
  }
}
