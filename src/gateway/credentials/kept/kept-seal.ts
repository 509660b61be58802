// Kept tokens, sealed: one data key of the store, which itself is sealed by each signing key of the gateways. So whoever reads the database, its
// replicas or its backups has no token, and after a rotation of the signing key tokens open as before.

import { hkdfSync, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { KeptTokenStore } from '../../../store/kept-token-store.ts';
import { openOctets, sealingKeyBytes, sealOctets } from '../../../system/sealed-octets.ts';

/** The key of the gateway that signs, which all gateways of one identity have. */
export interface KeptSigner {
  readonly kid: string;
  publicKeyOf(kid: unknown): unknown;
  signText(text: Uint8Array): Uint8Array;
}

/** The signature of this text makes the key: Ed25519 gives one text one signature (RFC 8032 §5.1.6), and nobody else can make it. */
const context = 'upstreamproxy kept tokens 1\0';

const wrapsMax = 8;
const documentSchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  wraps: z
    .array(z.strictObject({ kid: z.string().max(128), sealed: z.base64url().max(256) }))
    .min(1)
    .max(wrapsMax),
});
type KeyDocument = z.output<typeof documentSchema>;

interface DataKey {
  readonly id: string;
  readonly key: Uint8Array;
  readonly version: number;
  readonly wraps: KeyDocument['wraps'];
}

type KeyStore = Pick<KeptTokenStore, 'readKey' | 'writeKey'>;

export class KeptSeal {
  readonly #store: KeyStore;
  readonly #signer: KeptSigner;
  #known: DataKey | undefined;
  #wrapping: { readonly kid: string; readonly key: Uint8Array } | undefined;

  constructor(store: KeyStore, signer: KeptSigner) {
    this.#store = store;
    this.#signer = signer;
  }

  /** `id` has to be the same again when it is opened. @throws ProxyError credential_unavailable */
  async seal(id: string, value: object): Promise<string> {
    const { id: keyId, key } = this.#known ?? (await this.#read()) ?? (await this.#make());
    const sealed = sealOctets(key, Buffer.from(JSON.stringify(value)), boundOf(id));
    return `${keyId}.${sealed.toString('base64url')}`;
  }

  /** Undefined for what was sealed for another row, by a key that is lost, or was changed. @throws ProxyError credential_unavailable */
  async open(id: string, sealed: string): Promise<unknown> {
    const [keyId, text = ''] = sealed.split('.', 2);
    if (sealed.length > defaultLimits.keptTokenCharactersMax || !/^[A-Za-z0-9_-]+$/.test(text))
      return undefined;
    const known = this.#known?.id === keyId ? this.#known : await this.#read();
    if (known === undefined || known.id !== keyId) return undefined;
    const plain = openOctets(known.key, Buffer.from(text, 'base64url'), boundOf(id));
    return plain === undefined ? undefined : (JSON.parse(plain.toString('utf8')) as unknown);
  }

  /** After a rotation of the signing key: seals the data key for the one that signs now, while this process still has it. */
  async follow(): Promise<void> {
    const known = this.#known ?? (await this.#read());
    if (known === undefined || known.wraps.some(({ kid }) => kid === this.#signer.kid)) return;
    // Others may have done it, or sealed for keys of theirs.
    const newest = await this.#document();
    if (newest?.document.id !== known.id) return;
    const others = newest.document.wraps.filter(({ kid }) => this.#signer.publicKeyOf(kid) !== undefined);
    const isThere = others.some(({ kid }) => kid === this.#signer.kid);
    const wraps = isThere ? others : [this.#wrapOf(known), ...others].slice(0, wrapsMax);
    if (!isThere && !(await this.#store.writeKey(JSON.stringify({ id: known.id, wraps }), newest.version)))
      return;
    this.#known = { ...known, wraps, version: newest.version + (isThere ? 0 : 1) };
  }

  /** For a log-in where the key of before is lost: whatever it sealed opens no more. */
  async renewIfLost(): Promise<void> {
    const newest = await this.#document();
    if (newest === undefined || this.#opened(newest) !== undefined) return;
    await this.#make(newest.version);
  }

  async #read(): Promise<DataKey | undefined> {
    const newest = await this.#document();
    if (newest === undefined) return undefined;
    const opened = this.#opened(newest);
    if (opened === undefined)
      throw new ProxyError(
        'credential_unavailable',
        'the tokens in the store are sealed by another signing key than that of this gateway: give it the keys of the others, or log in again by "upstreamproxy credential login"',
      );
    this.#known = opened;
    return opened;
  }

  async #make(version = 0): Promise<DataKey> {
    const made = { id: randomBytes(8).toString('hex'), key: randomBytes(sealingKeyBytes) };
    const document: KeyDocument = { id: made.id, wraps: [this.#wrapOf(made)] };
    if (await this.#store.writeKey(JSON.stringify(document), version)) {
      this.#known = { ...made, version: version + 1, wraps: document.wraps };
      return this.#known;
    }
    const others = await this.#read();
    if (others !== undefined) return others;
    throw new ProxyError('store_unavailable', 'the key of kept tokens cannot be written to the store');
  }

  async #document(): Promise<{ readonly version: number; readonly document: KeyDocument } | undefined> {
    const row = await this.#store.readKey();
    if (row === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(row.document);
    } catch {
      value = undefined;
    }
    const document = documentSchema.safeParse(value);
    if (document.success) return { version: row.version, document: document.data };
    throw new ProxyError(
      'credential_unavailable',
      'the key of kept tokens in the store is damaged: restore it from a backup of the store',
    );
  }

  #opened({
    version,
    document,
  }: {
    readonly version: number;
    readonly document: KeyDocument;
  }): DataKey | undefined {
    const wrap = document.wraps.find(({ kid }) => kid === this.#signer.kid);
    if (wrap === undefined) return undefined;
    const key = openOctets(
      this.#wrappingKey(),
      Buffer.from(wrap.sealed, 'base64url'),
      keyBoundOf(document.id),
    );
    return key?.length === sealingKeyBytes
      ? { id: document.id, key: new Uint8Array(key), version, wraps: document.wraps }
      : undefined;
  }

  #wrapOf({ id, key }: Pick<DataKey, 'id' | 'key'>): KeyDocument['wraps'][number] {
    const sealed = sealOctets(this.#wrappingKey(), key, keyBoundOf(id)).toString('base64url');
    return { kid: this.#signer.kid, sealed };
  }

  #wrappingKey(): Uint8Array {
    const { kid } = this.#signer;
    if (this.#wrapping?.kid !== kid) {
      const signature = this.#signer.signText(Buffer.from(context));
      this.#wrapping = {
        kid,
        key: new Uint8Array(hkdfSync('sha256', signature, '', context, sealingKeyBytes)),
      };
    }
    return this.#wrapping.key;
  }
}

function boundOf(id: string): string {
  return JSON.stringify([context, 'row', id]);
}

function keyBoundOf(id: string): string {
  return JSON.stringify([context, 'key', id]);
}
