// A module of go on its way to the client: go.sum has hashes of its files, not of its archive. It is read as it passes, and its last octets are held back
// until it is known what it is.

import type { HeaderList } from '../../http/header-list.ts';
import type { ResponseHead } from '../../http/message-head.ts';
import { owned } from '../../net/shared-reads.ts';
import { hashOfModule, ModFileHash } from '../packages/checksums/module-zip.ts';
import { OctetSource, UnreadableModule } from '../packages/checksums/octet-source.ts';
import { type ArchiveCheckOptions, alteredFault, isArchive } from './checked-archive.ts';
import type { PackageFilter } from './package-filter.ts';

interface ModuleCheckOptions extends Omit<ArchiveCheckOptions, 'takesParts'> {
  readonly isZip: boolean;
  /** Takes room for what is remembered of its files. @throws ProxyError limit_exceeded */
  readonly keep: (octets: number) => void;
}

/** What is read of a file as it passes. */
interface ModuleCheck extends Disposable {
  readonly isFull: boolean;
  push(octets: Uint8Array): void;
  onDrain(listener: () => void): void;
  /** Undefined: go could not read it, or read it in two ways. */
  end(): Promise<string | undefined>;
}

/** @throws ProxyError package_altered from `sent` */
export function withCheckedModule(options: ModuleCheckOptions): PackageFilter {
  const { client } = options;
  const module = new CheckedModule(options);
  return {
    client: {
      signal: client.signal,
      sendInformation: (status, rawHeaders) => client.sendInformation(status, rawHeaders),
      sendHead: (head, endsAtHead) => module.sendHead(head, endsAtHead),
      sendData: (chunk) => module.sendData(chunk),
      onDrain: (listener) => module.onDrain(listener),
      sendEnd: (rawTrailers) => module.sendEnd(rawTrailers),
    },
    sent: async () => await module.ending,
    [Symbol.dispose]: () => module[Symbol.dispose](),
  };
}

class CheckedModule implements Disposable {
  readonly #options: ModuleCheckOptions;
  #check: ModuleCheck | undefined;
  #held: Uint8Array | undefined;
  #isClientFull = false;
  ending: Promise<void> | undefined;

  constructor(options: ModuleCheckOptions) {
    this.#options = options;
  }

  sendHead(head: ResponseHead, endsAtHead: boolean | undefined): void {
    const { client, method, promised, isZip, keep } = this.#options;
    if (method === 'GET' && isArchive(head, false))
      this.#check = isZip ? new ZipCheck(keep) : new ModFileCheck();
    const isEmpty = endsAtHead === true || lengthIn(head.headers) === 0;
    const isPromisedEmpty = !isZip && new ModFileHash().end() === promised;
    // The head would be all of it.
    if (!isEmpty || this.#check === undefined || isPromisedEmpty) client.sendHead(head, endsAtHead);
  }

  sendData(chunk: Uint8Array): boolean {
    const { client } = this.#options;
    const check = this.#check;
    if (check === undefined) return client.sendData(chunk);
    if (chunk.byteLength === 0) return true;
    check.push(chunk);
    const before = this.#held;
    this.#held = owned(chunk);
    this.#isClientFull = before !== undefined && !client.sendData(before);
    return !this.#isClientFull && !check.isFull;
  }

  /** Both of them have room again. */
  onDrain(listener: () => void): void {
    const { client } = this.#options;
    const check = this.#check;
    if (check === undefined || (this.#isClientFull && !check.isFull)) client.onDrain(listener);
    else if (!this.#isClientFull) check.onDrain(listener);
    else {
      let isHalf = false;
      const one = (): void => {
        if (isHalf) listener();
        isHalf = true;
      };
      client.onDrain(one);
      check.onDrain(one);
    }
  }

  sendEnd(rawTrailers: readonly string[]): void {
    if (this.#check === undefined) this.#options.client.sendEnd(rawTrailers);
    else this.ending = this.#finish(this.#check, rawTrailers);
    // Whoever waits for it is told.
    this.ending?.catch(() => undefined);
  }

  [Symbol.dispose](): void {
    this.#check?.[Symbol.dispose]();
  }

  async #finish(check: ModuleCheck, rawTrailers: readonly string[]): Promise<void> {
    const { client, promised, onWhole } = this.#options;
    const isPromised = (await check.end()) === promised;
    onWhole(isPromised);
    if (!isPromised) throw alteredFault();
    if (this.#held !== undefined) client.sendData(this.#held);
    client.sendEnd(rawTrailers);
  }
}

function lengthIn(headers: HeaderList): number | undefined {
  const [said = ''] = headers.all('content-length');
  return /^\d{1,15}$/.test(said) ? Number(said) : undefined;
}

class ZipCheck implements ModuleCheck {
  readonly #source = new OctetSource();
  readonly #hash: Promise<string | undefined>;

  constructor(keep: (octets: number) => void) {
    this.#hash = this.#read(keep);
    this.#hash.catch(() => undefined);
  }

  get isFull(): boolean {
    return this.#source.isFull;
  }

  push(octets: Uint8Array): void {
    this.#source.push(octets);
  }

  onDrain(listener: () => void): void {
    this.#source.onDrain(listener);
  }

  async end(): Promise<string | undefined> {
    this.#source.end();
    return await this.#hash;
  }

  [Symbol.dispose](): void {
    this.#source.fail(new UnreadableModule('is over'));
  }

  async #read(keep: (octets: number) => void): Promise<string | undefined> {
    try {
      return await hashOfModule(this.#source, keep);
    } catch (error) {
      // What comes now is not looked at.
      this.#source.fail(new UnreadableModule('is over'));
      if (error instanceof UnreadableModule) return undefined;
      throw error;
    }
  }
}

class ModFileCheck implements ModuleCheck {
  readonly #hash = new ModFileHash();
  readonly isFull = false;

  push(octets: Uint8Array): void {
    this.#hash.push(octets);
  }

  onDrain(listener: () => void): void {
    listener();
  }

  end(): Promise<string> {
    return Promise.resolve(this.#hash.end());
  }

  [Symbol.dispose](): void {
    // Nothing is open.
  }
}
