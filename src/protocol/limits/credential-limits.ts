// Secrets, and the services that issue and keep them.

import { KiB, MiB, fixedRow, type LimitRow } from './limit-row.ts';

export const credentialLimits = {
  secretBytesMax: fixedRow(
    64 * KiB,
    'credential_unavailable',
    'A secret of more than this is a mistake (a whole file given by accident).',
  ),
  secretFileCheckMs: fixedRow(
    1_000,
    'credential_unavailable',
    'A file with a secret is looked at again at most this often.',
  ),
  secretCommandTimeoutMs: fixedRow(
    10_000,
    'credential_unavailable',
    'A program that prints a secret, while requests wait for it.',
  ),
  secretCommandValueMs: fixedRow(
    60_000,
    'credential_unavailable',
    'What a program printed is used for this long.',
  ),
  issuerFailureHoldMs: fixedRow(
    1_000,
    'credential_unavailable',
    'A service that failed is not asked again for this long, however many requests come.',
  ),
  issuerFailureHoldWithValueMs: fixedRow(
    5_000,
    'credential_unavailable',
    'The same while there is a value: a service that hangs must not slow every request down.',
  ),
  earlyRenewalWaitMs: fixedRow(
    1_000,
    'timeout',
    'A request waits this long for an early renewal, and then takes the value that still holds.',
  ),
  unaskedRenewalMs: fixedRow(
    1_000,
    'credential_unavailable',
    'What is renewed without a request is so no more often than this; what lives shorter waits for one.',
  ),
  rejectionIntervalMs: fixedRow(
    30_000,
    'credential_unavailable',
    'A workload can make an origin say 401; that must not become a stream of requests to the issuer.',
  ),
  renewalLeadMs: fixedRow(
    60_000,
    'credential_unavailable',
    'A value is renewed this long before its end, or in its last fifth if it lives shorter than five times that.',
  ),
  vaultTokenCheckMs: fixedRow(
    60_000,
    'credential_unavailable',
    "The operator's token of a Vault is compared with its source this often.",
  ),
  vaultFarewellTimeoutMs: fixedRow(
    2_000,
    'timeout',
    'Giving a token or a lease back must not hold the end of the gateway up.',
  ),
  vaultOutageMs: fixedRow(
    3_600_000,
    'credential_unavailable',
    'A value without a lease is used for this long while the server does not respond.',
  ),
  vaultLeasesMax: fixedRow(
    16,
    'credential_unavailable',
    'Leases of one secret that have not ended; the oldest are then left to end by themselves.',
  ),
  placeholderBodyBytesMax: fixedRow(
    64 * KiB,
    'body_too_large',
    'A body of this many declared bytes is held to be searched whole; most that carry a secret are a few hundred.',
  ),
  awsKeyLooksMax: fixedRow(
    6,
    'credential_unavailable',
    'Looks at all sources before they are found to change faster than they can be read; a rotation needs three.',
  ),
  placeholderSpacesMax: fixedRow(
    1_024,
    'credential_unavailable',
    'White space between a string of JSON and what follows: more than this in a row and the string is left alone.',
  ),
  placeholderMarginBytesMax: fixedRow(
    64,
    'credential_unavailable',
    'Around a placeholder that is a plain text as a whole; in a longer text none is looked for.',
  ),
  presignedSecondsMax: fixedRow(
    900,
    'signature_refused',
    'A presigned URL is used at once, so what the origin sees of it does not have to live longer.',
  ),
  serviceTimeoutMs: fixedRow(
    10_000,
    'credential_unavailable',
    'One request to a service that issues or keeps secrets, where its kind has no time of its own.',
  ),
  serviceResponseBytesMax: fixedRow(
    1 * MiB,
    'credential_unavailable',
    "A token response is a few kilobytes; GitHub's repeats every repository that the token is for.",
  ),
} as const satisfies Record<string, LimitRow>;
