// The authority of the gateway as its place has it: what is changed there, step by step, is taken without a restart.

import type { CertificateAuthority, Leaf, PublishedAuthority } from '../pki/certificate-authority.ts';
import type { ProxyError } from '../protocol/error.ts';
import { RepeatedLook } from '../system/repeated-look.ts';
import type { AuthorityPlace } from './identity/identity-places.ts';

/** Three small files. Agents look each 40 s, so that both together are below a minute. */
const lookIntervalMs = 15_000;

export interface FollowedAuthorityOptions<A extends PublishedAuthority = CertificateAuthority> {
  readonly place: AuthorityPlace<A>;
  readonly clock: () => number;
  readonly log: (level: 'info' | 'error', message: string) => void;
}

/** Looks until it is closed. A place that cannot be used, and one that is empty, change nothing. */
export class FollowedAuthority<A extends PublishedAuthority = CertificateAuthority>
  implements PublishedAuthority, AsyncDisposable
{
  readonly #options: FollowedAuthorityOptions<A>;
  readonly #repeated: RepeatedLook;
  #signer: A;
  #published: Pick<PublishedAuthority, 'certificatesPem' | 'etag'>;
  /** Told once, and again when it is another one. */
  #fault = '';
  #onSigner: () => void = () => undefined;
  #onChange: () => void = () => undefined;

  private constructor(options: FollowedAuthorityOptions<A>, authority: A) {
    this.#options = options;
    this.#signer = authority;
    this.#published = authority;
    const onFault = (error: ProxyError): void => this.#tell(error);
    this.#repeated = new RepeatedLook({ look: () => this.#look(), intervalMs: lookIntervalMs, onFault });
    this.#repeated.start();
    options.place.watch?.(() => void this.look());
  }

  /** Makes the authority where its place does. Throws ProxyError `ca_key_unusable`. */
  static async open<A extends PublishedAuthority>(
    options: FollowedAuthorityOptions<A>,
  ): Promise<FollowedAuthority<A>> {
    return new FollowedAuthority(options, await options.place.open(options.clock()));
  }

  get signerPem(): string {
    return this.#signer.signerPem;
  }

  get notBeforeMs(): number {
    return this.#signer.notBeforeMs;
  }

  get notAfterMs(): number {
    return this.#signer.notAfterMs;
  }

  get certificatesPem(): string {
    return this.#published.certificatesPem;
  }

  get etag(): string {
    return this.#published.etag;
  }

  get renewsItself(): boolean {
    return this.#signer.renewsItself === true;
  }

  issue(host: string, nowMs: number): ReturnType<A['issue']> {
    // What the authority gives, which TypeScript does not see through the type parameter.
    return this.#signer.issue(host, nowMs) as ReturnType<A['issue']>;
  }

  issueFor(
    this: FollowedAuthority<CertificateAuthority>,
    ...request: Parameters<CertificateAuthority['issueFor']>
  ): Leaf {
    return this.#signer.issueFor(...request);
  }

  /** Calls the listener, in place of the one before, each time that another one signs. */
  onSigner(listener: () => void): void {
    this.#onSigner = listener;
  }

  /** Calls the listener, in place of the one before, each time that another one signs or something else is published. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** Looks now. */
  look(): Promise<void> {
    return this.#repeated.now();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#repeated.close();
  }

  async #look(): Promise<void> {
    const { place, clock, log } = this.#options;
    const found = await place.read(clock());
    this.#fault = '';
    if (found.etag === this.#published.etag && found.signerPem === this.#signer.signerPem) return;
    this.#published = found;
    // Otherwise the leaves that are out stay as good as they were.
    const isOther = found.signerPem !== this.#signer.signerPem;
    if (isOther) this.#signer = found;
    if (isOther) this.#onSigner();
    this.#onChange();
    log(
      'info',
      `the certificates of ${place.label} were taken anew${isOther ? '; another one signs now' : ''}`,
    );
  }

  #tell({ message }: ProxyError): void {
    if (message === this.#fault) return;
    this.#fault = message;
    this.#options.log('error', `${message}; the authority of before serves on`);
  }
}
