// The keys of AWS as one set: id, secret and session token have sources of their own, and a rotation changes all of them.

import { defaultLimits } from '../../../protocol/limits.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import type { AwsKeys } from './signer.ts';

export interface AwsKeySources {
  readonly keyId: CredentialSource;
  readonly secret: CredentialSource;
  readonly token: CredentialSource | undefined;
}

export class AwsKeySet {
  readonly #name: string;
  readonly #sources: AwsKeySources;
  #known: AwsKeys | undefined;
  #collecting: Promise<AwsKeys> | undefined;

  /** `name` is the credential's, for errors. */
  constructor(name: string, sources: AwsKeySources) {
    this.#name = name;
    this.#sources = sources;
  }

  /**
   * Keys that the sources had at one moment. What the sources remember may be of different ages: one value that is not
   * that of the last set means that all are looked at again, until two looks agree.
   * @throws ProxyError credential_unavailable
   */
  async read(nowMs: number): Promise<AwsKeys> {
    const found = await this.#look((source) => source.read(nowMs));
    if (this.#known !== undefined && areSame(this.#known, found)) return this.#known;
    this.#collecting ??= this.#collect(nowMs).finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  async #collect(nowMs: number): Promise<AwsKeys> {
    const lookAnew = (): Promise<AwsKeys> =>
      this.#look((source) => source.readAnew?.(nowMs) ?? source.read(nowMs));
    let last = await lookAnew();
    for (let looks = 1; looks < defaultLimits.awsKeyLooksMax; looks += 1) {
      const next = await lookAnew();
      if (areSame(last, next)) {
        this.#known = next;
        return next;
      }
      last = next;
    }
    throw new ProxyError(
      'credential_unavailable',
      `credential ${this.#name}: key id, secret and session token change while they are read; their sources have to give the same set for a while`,
    );
  }

  async #look(read: (source: CredentialSource) => Promise<Secret<string>>): Promise<AwsKeys> {
    const { keyId, secret, token } = this.#sources;
    const [accessKeyId, secretAccessKey, sessionToken] = await Promise.all([
      read(keyId),
      read(secret),
      token === undefined ? undefined : read(token),
    ]);
    return { accessKeyId: checkedKeyId(this.#name, accessKeyId.reveal()), secretAccessKey, sessionToken };
  }
}

function areSame(a: AwsKeys, b: AwsKeys): boolean {
  return (
    a.accessKeyId === b.accessKeyId &&
    a.secretAccessKey.reveal() === b.secretAccessKey.reveal() &&
    a.sessionToken?.reveal() === b.sessionToken?.reveal()
  );
}

/** @throws ProxyError credential_unavailable for a key id that would break the signature's own syntax */
function checkedKeyId(name: string, keyId: string): string {
  if (/^[\x21-\x2b\x2d-\x7e]{3,128}$/.test(keyId)) return keyId;
  throw new ProxyError(
    'credential_unavailable',
    `credential ${name}: the access key id is not one; it has 3 to 128 visible characters and no comma`,
  );
}
