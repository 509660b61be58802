// Kind `http-signature`: the request is signed as RFC 9421 says, with a digest of its body (RFC 9530) where that is covered.

import { createHash, randomBytes } from 'node:crypto';
import type { RequestHead } from '../../../http/message-head.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { BodyFacts } from '../request/body-rewrite.ts';
import type { HeldBodies } from '../request/held-bodies.ts';
import type { Injected } from '../request/injected.ts';
import { coveredMethod, withoutOwnFields } from './covered-head.ts';
import { signatureBase } from './signature-base.ts';
import type { SignatureComponent } from './signature-base.ts';
import { signedBody } from './signed-body.ts';
import type { MessageSigner } from './signing-key.ts';
import { structuredItem } from './structured-field.ts';
import type { StructuredParameters } from './structured-field.ts';

export interface MessageSignatureSettings {
  readonly label: string;
  readonly keyId: string;
  readonly components: readonly SignatureComponent[];
  readonly digest: 'sha-256' | 'sha-512';
  /** Undefined: it does not expire. */
  readonly expiresSeconds: number | undefined;
  readonly hasNonce: boolean;
  readonly tag: string | undefined;
}

/** Fields that the gateway makes itself where they are covered. */
const digestField = 'content-digest';
const dateField = 'date';

export class MessageSignatureInjector {
  readonly #settings: MessageSignatureSettings;
  readonly #signer: MessageSigner;
  readonly #held: HeldBodies;

  constructor(settings: MessageSignatureSettings, signer: MessageSigner, held: HeldBodies) {
    this.#settings = settings;
    this.#signer = signer;
    this.#held = held;
  }

  /** @throws ProxyError signature_refused, credential_unavailable, body_too_large, limit_exceeded, timeout */
  async inject(
    head: RequestHead,
    secret: Secret<string>,
    { nowMs, body }: { readonly nowMs: number; readonly body: BodyFacts | undefined },
  ): Promise<Omit<Injected, 'values'>> {
    const { components, label, digest } = this.#settings;
    const covers = (field: string): boolean =>
      components.some((one) => one.kind === 'field' && one.name === field);
    if (components.some((one) => one.kind === 'derived' && one.name === '@method')) coveredMethod(head);
    const own = ['signature', 'signature-input', ...[digestField, dateField].filter(covers)];
    let { headers } = withoutOwnFields(head, own);
    const held = covers(digestField) ? await signedBody(body, this.#held) : undefined;
    if (held !== undefined) {
      const hash = createHash(digest.replace('-', '')).update(held.bytes).digest();
      headers = headers.with(digestField, `${digest}=${structuredItem(hash)}`);
    }
    if (covers(dateField)) headers = headers.with(dateField, new Date(nowMs).toUTCString());
    const { base, input } = signatureBase({ ...head, headers }, components, this.#parameters(nowMs));
    const signature = await this.#signer.sign(base, secret);
    headers = headers
      .with('signature-input', `${label}=${input}`)
      .with('signature', `${label}=${structuredItem(signature)}`);
    return {
      head: { ...head, headers },
      ...(held?.rewrite === undefined ? {} : { body: held.rewrite }),
    };
  }

  #parameters(nowMs: number): StructuredParameters {
    const { keyId, expiresSeconds, hasNonce, tag } = this.#settings;
    const created = Math.floor(nowMs / 1000);
    return [
      ['created', created],
      ...(expiresSeconds === undefined ? [] : [['expires', created + expiresSeconds] as const]),
      ...(hasNonce ? [['nonce', randomBytes(24).toString('base64')] as const] : []),
      ['keyid', keyId],
      ...(tag === undefined ? [] : [['tag', tag] as const]),
    ];
  }
}
