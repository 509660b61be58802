// Chains as a gateway shows them: a root, an intermediate, a leaf; with name constraints on neither, on the intermediate or on the root.

import { type KeyObject, sign } from 'node:crypto';

import { createKey } from '../../src/pki/authority-key.ts';
import { authorityOf, constraintsOf, subjectOf } from '../../src/pki/certificate-authority.ts';
import {
  authorityToBeSigned,
  authorityValidity,
  certificateOf,
  extension,
  type Issuer,
  keyIdentifier,
  leafPurposes,
  publicKeyInfo,
  signatureOf,
} from '../../src/pki/certificate-profile.ts';
import { derOid, derSequence } from '../../src/pki/der.ts';
import { encodePem } from '../../src/pki/pem.ts';

/** On which certificate the names stand. */
export type Bound = 'none' | 'intermediate' | 'root';

export interface Chain {
  readonly rootPem: string;
  readonly intermediatePem: string;
  /** The leaf alone. */
  readonly leafPem: string;
  readonly keyPem: string;
}

export const permitted = 'example.com';

export function chainFor(host: string, bound: Bound, nowMs: number): Chain {
  const root = issuerOf(nowMs, true);
  const rootPem = pemOf(root, root, bound === 'root' ? [permitted] : []);
  const intermediate = issuerOf(nowMs, false);
  const intermediatePem = pemOf(root, intermediate, bound === 'intermediate' ? [permitted] : []);
  const authority = authorityOf({ key: intermediate.key, certificates: [intermediatePem, rootPem] }, nowMs);
  const { certificatePem, privateKey } = authority.issue(host, nowMs);
  const [leafPem = ''] = certificatePem.split(/(?<=-----END CERTIFICATE-----\n)/);
  return { rootPem, intermediatePem, leafPem, keyPem: String(privateKey) };
}

interface Named extends Issuer {
  readonly key: KeyObject;
  readonly isRoot: boolean;
}

function issuerOf(nowMs: number, isRoot: boolean): Named {
  const key = createKey();
  const keyId = keyIdentifier(publicKeyInfo(key));
  return {
    key,
    name: subjectOf(key),
    keyId,
    algorithm: signatureOf(key).algorithm,
    ...authorityValidity(nowMs),
    isRoot,
  };
}

function pemOf(by: Named, of: Named, names: readonly string[]): string {
  const purposes = extension(
    '2.5.29.37',
    'plain',
    derSequence(...leafPurposes.server.map((oid) => derOid(oid))),
  );
  const request = { ...of, subject: of.name, spki: publicKeyInfo(of.key) };
  const further = [...(of.isRoot ? [] : [purposes]), ...constraintsOf(names)];
  const text = Buffer.from(authorityToBeSigned(by, request, further));
  // The root allows one authority below: CA:TRUE with 1 in the place of 0.
  if (of.isRoot) text[text.indexOf(Buffer.from('30060101ff020100', 'hex')) + 7] = 1;
  return encodePem('CERTIFICATE', certificateOf(text, by.algorithm, sign('sha256', text, by.key)));
}
