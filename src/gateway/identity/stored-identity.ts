// The identity of a gateway whose keys are in the store, followed: each version that is written there is taken without a restart, and nothing
// that cannot be read, or went back, changes anything.

import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import {
  type AuthorityName,
  authorityOfDocument,
  type IdentityDocument,
  signingKeyOfDocument,
} from './identity-document.ts';
import { type IdentityMark, type IdentityVersion, wentBack } from './identity-mark.ts';
import type { AuthorityPlace, IdentityPlaces, PortPlace, SigningKeyPlace } from './identity-places.ts';
import { unusable } from './sealed-identity.ts';
import type { OpenIdentity, SealedStore } from './sealed-store.ts';

/** Every so many looks the whole row is read: after a failover the same version can be another one. */
const looksToWhole = 30;
/** What could not be opened is tried again after so many: its key may come from a program. */
const looksToRetry = 15;

export interface StoredIdentityOptions {
  readonly sealed: SealedStore;
  readonly mark: IdentityMark;
  readonly log: (level: 'info' | 'error', message: string) => void;
}

export class StoredIdentity implements AsyncDisposable {
  readonly #options: StoredIdentityOptions;
  readonly #repeated: RepeatedLook;
  readonly #listeners = new Set<() => void>();
  #current: OpenIdentity;
  #looks = 0;
  #failed: { readonly version: number; readonly looks: number } | undefined;
  /** Told once, and again when it is another one. */
  #fault = '';
  #markFault = '';
  /** What the mark says. */
  #marked: IdentityVersion;
  #marking: Promise<void> = Promise.resolve();

  private constructor(options: StoredIdentityOptions, current: OpenIdentity) {
    this.#options = options;
    this.#current = current;
    this.#marked = versionOf(current);
    this.#repeated = new RepeatedLook({
      look: () => this.#look(false),
      intervalMs: defaultLimits.identityLookIntervalMs,
      onFault: (error) => this.#tell(error),
    });
    this.#repeated.start();
  }

  /** Makes it where there is none and this gateway never had one. Throws `identity_unusable`, and what the store throws. */
  static async open(options: StoredIdentityOptions): Promise<StoredIdentity> {
    const { isNew, ...found } = await options.sealed.make();
    if (isNew) options.log('info', 'the keys and authorities of the gateways were made in the store');
    await options.mark.write(versionOf(found));
    return new StoredIdentity(options, found);
  }

  get places(): IdentityPlaces {
    const { signingKey, authority, port } = placesOf(() => this.#current.document);
    const watch = (listener: () => void): void => void this.#listeners.add(listener);
    return {
      signingKey: { ...signingKey, watch },
      interception: { ...authority('interception'), watch },
      server: { ...authority('server'), watch },
      peers: { ...authority('peers'), watch },
      port: { ...port, watch },
    };
  }

  /** Whether that is what was taken last, as it is stored. */
  holds(sealed: string): boolean {
    return this.#current.sealed === sealed;
  }

  /** Looks now, at all of it. Whether it could be read. */
  async look(): Promise<boolean> {
    try {
      await this.#look(true);
      return true;
    } catch (error) {
      this.#tell(asProxyError(error));
      return false;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#repeated.close();
  }

  async #look(isWhole: boolean): Promise<void> {
    const { sealed, log } = this.#options;
    const had = versionOf(this.#current);
    this.#looks++;
    // What could not be written once is written when it can be, also while the store is away.
    await this.#mark();
    const version = await sealed.version();
    const back = wentBack(had, version === undefined ? undefined : { id: had.id, version });
    if (back !== undefined || version === undefined) {
      if (await this.#asserted(version)) return;
      throw unusable(back ?? '');
    }
    if (version === had.version && !isWhole && this.#looks % looksToWhole !== 0) return this.#good();
    if (this.#failed?.version === version && !isWhole && this.#looks - this.#failed.looks < looksToRetry)
      return;
    const found = await sealed.read().catch((error: unknown) => {
      this.#failed = { version, looks: this.#looks };
      throw error;
    });
    this.#failed = undefined;
    this.#good();
    if (found === undefined || found.sealed === this.#current.sealed) return;
    // Of another look that began before this one.
    if (found.version < this.#current.version) return;
    this.#current = found;
    // Before the mark: a disk that is full keeps no key in use that was retired.
    for (const listener of this.#listeners) listener();
    log('info', `version ${found.version} of the identity in the store was taken`);
    await this.#mark();
  }

  /** One after the other, so that no earlier version is written over a later one. Never rejects. */
  #mark(): Promise<void> {
    this.#marking = this.#marking.then(() => this.#writeMark());
    return this.#marking;
  }

  async #writeMark(): Promise<void> {
    const { mark, log } = this.#options;
    const now = versionOf(this.#current);
    if (now.id === this.#marked.id && now.version === this.#marked.version) return;
    try {
      await mark.write(now);
      this.#marked = now;
      this.#markFault = '';
    } catch (error) {
      const reason = faultReason(error);
      if (reason === this.#markFault) return;
      this.#markFault = reason;
      log(
        'error',
        `identity-seen.json of the state folder cannot be written: ${reason}; until it is, this gateway would start with version ${this.#marked.version} of the identity too, and it has ${now.version}`,
      );
    }
  }

  /** A store that went back, as by the failover to a replica that was behind, is brought to where this process is. */
  async #asserted(version: number | undefined): Promise<boolean> {
    const { sealed, log } = this.#options;
    const { version: had } = this.#current;
    if (version === undefined || version >= had || !(await sealed.assert(this.#current))) return false;
    if (version + 1 === had)
      log(
        'info',
        `the identity in the store had gone back: version ${had} is there again, as this gateway has it`,
      );
    return true;
  }

  #good(): void {
    this.#fault = '';
  }

  #tell({ code, message, retryAfterSeconds }: ProxyError): void {
    // A store that is away is told where that is noticed.
    if (code === 'store_unavailable' && retryAfterSeconds !== undefined) return;
    if (message === this.#fault) return;
    this.#fault = message;
    this.#options.log('error', `${message}; the keys and authorities of before serve on`);
  }
}

function versionOf({ document, version }: OpenIdentity): IdentityVersion {
  return { id: document.id, version };
}

/** Of a document as it is when they are asked. */
export function placesOf(current: () => IdentityDocument): {
  readonly signingKey: SigningKeyPlace;
  readonly authority: (name: AuthorityName) => AuthorityPlace;
  readonly port: PortPlace;
} {
  const key = async () => signingKeyOfDocument(current().signingKey);
  return {
    signingKey: { open: key, read: key },
    port: { read: async () => portOf(current()) },
    authority: (name) => {
      const read = async (nowMs: number) => authorityOfDocument(current().authorities[name], nowMs);
      return { label: `the store (${name})`, open: read, read };
    },
  };
}

function portOf({ port }: IdentityDocument): { readonly certificatePem: string; readonly keyPem: string } {
  if (port === undefined)
    throw unusable(
      'tls: store, and the store has no certificate of the port: put it there by "upstreamproxy identity certificate CERTIFICATE KEY"',
    );
  const keyPem = port.key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { certificatePem: port.certificatePem, keyPem };
}
