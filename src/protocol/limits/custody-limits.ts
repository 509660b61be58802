// The process that has the key of the authority, and what signs the authority's own certificate.

import { fixedRow, KiB, MiB } from './limit-row.ts';

export const custodyLimits = {
  leafTextBytesMax: fixedRow(
    2 * KiB,
    'signing_refused',
    'What is signed of a leaf has 600 bytes with the longest name. The signer reads no more.',
  ),
  signerLineCharactersMax: fixedRow(
    1 * MiB,
    'signer_unavailable',
    'A line between a gateway and its signer. The longest has the certificates of the authority.',
  ),
  signerStartBytesMax: fixedRow(
    64 * MiB,
    'usage',
    'What a signer is told at its start: the whole configuration of its gateway.',
  ),
  signerStartTimeoutMs: fixedRow(
    60_000,
    'signer_unavailable',
    'A signer starts in a second, on a busy machine in twenty, and may have to ask a vault, a key service or a token first.',
  ),
  signerRestartDelayMsMax: fixedRow(
    10_000,
    'signer_unavailable',
    'How long a gateway waits at most before it starts a signer again that died.',
  ),
  signaturesWaitingMax: fixedRow(
    1_024,
    'limit_exceeded',
    'Leaves that wait for a signature. As many as leaves that are kept.',
  ),
  signatureTimeoutMs: fixedRow(
    5_000,
    'signer_unavailable',
    'A signature takes a millisecond. A client waits for a handshake for a few seconds.',
  ),
  leafSignaturesPerSecondMax: fixedRow(
    1_000,
    'limit_exceeded',
    'More than a gateway needs after a change of its authority, and a bound for one that somebody has taken over.',
  ),
  intermediateRetryDelayMsMax: fixedRow(
    60_000,
    'ca_key_unusable',
    'How long a signer waits at most before it asks again for an intermediate that it did not get.',
  ),
  signerEndTimeoutMs: fixedRow(
    2_000,
    'signer_unavailable',
    'A signer ends with its input. One that does not is ended after this time.',
  ),
  pkcs11SlotsMax: fixedRow(
    64,
    'ca_key_unusable',
    'Slots of a module that are looked at for a token. One or two are usual.',
  ),
  pkcs11SignatureBytesMax: fixedRow(
    1 * KiB,
    'ca_key_unusable',
    'A signature of a token. One by RSA with 8,192 bits has as many.',
  ),
  pkcs11TimeoutMs: fixedRow(
    15_000,
    'ca_key_unusable',
    'One signature of a token, with its log-in. A module of an HSM on a network may take seconds.',
  ),
};
