// A server of OpenPGP keys (HKP) with one key, whose secret half nobody has.

import type { OriginHandler } from './handler.ts';
import { text } from './handler.ts';

const key = `-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawYYQhYJKwYBBAHaRw8BAQdAieJoV0VHor+MOuWHYetP9VNQ1BiHrUwr71/C
9tvqMru0I2hlbGxvIGZyb20ga2V5cyA8aGVsbG9AZXhhbXBsZS5jb20+iJAEExYK
ADgWIQTMgv2oWT0uEodjgIOq8qrKBQw9bwUCawYYQgIbAwULCQgHAgYVCgkICwIE
FgIDAQIeAQIXgAAKCRCq8qrKBQw9b/nFAP0Z790ipmSmvB+zy88Hgg/eMJk7uiVt
GKjAOlrlwSuCYgD/SwBB+W1pR9i6oXsGLZzk8P7xJATlI1Q1GrAhhO4PIwg=
=e4cv
-----END PGP PUBLIC KEY BLOCK-----
`;

export const keyServer: OriginHandler = ({ path, query }) =>
  path === '/pks/lookup' && query.get('op') === 'get' ? text(key, 'application/pgp-keys') : undefined;
