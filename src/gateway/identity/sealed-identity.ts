// The identity as it is in the store. Each version is encrypted under a data key of its own, and that is wrapped by each key-encryption key
// that is to open it; what is bound to both says which version of which identity it is, so that nothing of one serves as another.

import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { SealedIdentity } from '../../store/gateway-store.ts';
import type { IdentityDocument } from './identity-document.ts';
import { identityOfText, identityText } from './identity-text.ts';
import { keyBytes, type KeyEncryptionKey, seal, unseal } from './key-encryption-key.ts';
import type { PublicIdentity } from './public-identity.ts';

const formVersion = 1;

const publicSchema = z.strictObject({
  signingKeys: z.array(z.string()),
  interception: z.array(z.string()),
  server: z.array(z.string()),
});
const sealedShape = { nonce: z.base64(), data: z.base64() };
const storedSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    form: z.literal(formVersion),
    kind: z.literal('sealed'),
    id: z.string().regex(/^[0-9a-f]{32}$/),
    public: publicSchema,
    keys: z.array(z.strictObject({ id: z.string().regex(/^[0-9a-f]{16}$/), ...sealedShape })).max(8),
    ...sealedShape,
  }),
  z.strictObject({
    form: z.literal(formVersion),
    /** Its keys are in files of the gateways. */
    kind: z.literal('elsewhere'),
    public: publicSchema,
  }),
]);

export type StoredIdentityRow = z.infer<typeof storedSchema>;
type SealedRow = Extract<StoredIdentityRow, { readonly kind: 'sealed' }>;

/** What the row says without a key. Throws `identity_unusable`. */
export function readIdentityRow({ version, sealed }: SealedIdentity): StoredIdentityRow {
  if (sealed.length > defaultLimits.sealedIdentityBytesMax) throw damaged(version);
  let value: unknown;
  try {
    value = JSON.parse(sealed);
  } catch {
    throw damaged(version);
  }
  const form = z.looseObject({ form: z.int() }).safeParse(value);
  if (form.success && form.data.form > formVersion)
    throw unusable(
      `the identity in the store is of form ${form.data.form}, which this program does not know: start the newer upstreamproxy that wrote it`,
    );
  const row = storedSchema.safeParse(value);
  if (!row.success) throw damaged(version);
  return row.data;
}

/** For gateways whose keys are in files: which they are. */
export function elsewhereRow(version: number, identity: PublicIdentity): SealedIdentity {
  return { version, sealed: JSON.stringify({ form: formVersion, kind: 'elsewhere', public: identity }) };
}

/** Sealed anew for each of the keys. */
export function sealIdentity(
  document: IdentityDocument,
  identity: PublicIdentity,
  { version, keys }: { readonly version: number; readonly keys: readonly KeyEncryptionKey[] },
): SealedIdentity {
  const dataKey = randomBytes(keyBytes);
  const plain = identityText(document);
  const head = { version, id: document.id, public: identity };
  try {
    const row: SealedRow = {
      form: formVersion,
      kind: 'sealed',
      id: document.id,
      public: {
        ...identity,
        signingKeys: [...identity.signingKeys],
        interception: [...identity.interception],
        server: [...identity.server],
      },
      keys: keys.map((key) => ({ id: key.id, ...key.wrap(dataKey, boundOf(`key ${key.id}`, head)) })),
      ...seal(dataKey, plain, boundOf('identity', head)),
    };
    const sealed = JSON.stringify(row);
    // Nobody would read it again.
    if (sealed.length > defaultLimits.sealedIdentityBytesMax)
      throw unusable('with this the identity is too large: is it the chain of a certificate?');
    return { version, sealed };
  } finally {
    dataKey.fill(0);
    plain.fill(0);
  }
}

export interface OpenedSeal {
  readonly document: IdentityDocument;
  /** Which keys open it, by their names. */
  readonly keyIds: readonly string[];
}

/** Throws `identity_unusable`, which says what is wrong and nothing of what is in it. */
export function openSealed(stored: SealedIdentity, keys: readonly KeyEncryptionKey[]): OpenedSeal {
  const { version } = stored;
  const row = readIdentityRow(stored);
  if (row.kind === 'elsewhere')
    throw unusable(
      'the gateways on this store have their identity in files, and the configuration says identity.store: give it to the store by "upstreamproxy identity import"',
    );
  const keyIds = row.keys.map(({ id }) => id);
  const mine = keys.flatMap((key) => {
    const wrapped = row.keys.find(({ id }) => id === key.id);
    return wrapped === undefined ? [] : [{ key, wrapped }];
  });
  const [first] = mine;
  if (first === undefined)
    throw unusable(
      `the identity in the store is sealed for key ${keyIds.join(' and ')}, and identity.keyEncryptionKey is key ${keys.map(({ id }) => id).join(' and ')}: give the one that it is sealed for`,
    );
  const head = { version, id: row.id, public: row.public };
  const dataKey = first.key.unwrap(first.wrapped, boundOf(`key ${first.key.id}`, head));
  if (dataKey === undefined) throw damaged(version);
  const plain = dataKey.length === keyBytes ? unseal(dataKey, row, boundOf('identity', head)) : undefined;
  dataKey.fill(0);
  const document = plain === undefined ? undefined : identityOfText(plain);
  plain?.fill(0);
  if (document === undefined || document.id !== row.id) throw damaged(version);
  return { document, keyIds };
}

/** What nothing else can be opened as: of another purpose, version or identity, or beside other public keys. */
function boundOf(
  purpose: string,
  {
    version,
    id,
    public: identity,
  }: { readonly version: number; readonly id: string; readonly public: PublicIdentity },
): string {
  const { signingKeys, interception, server } = identity;
  const digest = createHash('sha256')
    .update(JSON.stringify([signingKeys, interception, server]))
    .digest('hex');
  return ['upstreamproxy identity', formVersion, purpose, version, id, digest].join('\n');
}

function damaged(version: number): ProxyError {
  return unusable(
    `the identity in the store (version ${version}) is damaged, or was changed by somebody without its key: restore it from a backup of the store`,
  );
}

export function unusable(message: string, cause?: unknown): ProxyError {
  return new ProxyError('identity_unusable', message, { cause });
}
