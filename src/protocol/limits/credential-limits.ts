// Secrets, and the services that issue and keep them.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

export const credentialLimits = {
  secretBytesMax: fixedRow(
    64 * KiB,
    'credential_unavailable',
    'A larger secret is a mistake, such as the wrong file.',
  ),
  secretFileCheckMs: fixedRow(
    1_000,
    'credential_unavailable',
    'A file with a secret is looked at again at most this often.',
  ),
  secretCommandTimeoutMs: fixedRow(
    10_000,
    'credential_unavailable',
    'A run of a program that prints a secret. Requests wait for it.',
  ),
  secretCommandValueMs: fixedRow(
    60_000,
    'credential_unavailable',
    'How long the output of such a program is used.',
  ),
  issuerFailureHoldMs: fixedRow(
    1_000,
    'credential_unavailable',
    'A service that failed is not asked again for this long, however many requests come.',
  ),
  issuerFailureHoldWithValueMs: fixedRow(
    5_000,
    'credential_unavailable',
    'The same while there is a value. A service that hangs must not slow every request down.',
  ),
  tokenServiceHoldMsMax: fixedRow(
    30_000,
    'credential_unavailable',
    'A token service that fails again and again is left alone for twice as long each time, and no longer than this.',
  ),
  clockSkewToldMs: fixedRow(
    30_000,
    'credential_unavailable',
    'A token service whose clock differs from ours by more has that told: signed statements live for minutes, so they may not hold there.',
  ),
  keysEndEarlyMs: fixedRow(
    30_000,
    'credential_unavailable',
    'Keys of a role are used until this long before their end, or for nine tenths of a short life: a request that is on its way then still arrives in time.',
  ),
  assumedRolesMax: fixedRow(
    1_000,
    'credential_unavailable',
    'Subjects whose keys of one role are remembered. The one that was not used for longest is forgotten first, and gets new keys with its next request.',
  ),
  stsResponseCharactersMax: fixedRow(
    32 * KiB,
    'credential_unavailable',
    'A response of STS. A session token is one to two KiB, and the rest is less.',
  ),
  stsResponseDepthMax: fixedRow(
    8,
    'credential_unavailable',
    'Elements inside each other in a response of STS. Its own are four deep.',
  ),
  placeholderKeysMs: fixedRow(
    43_200_000,
    'credential_unavailable',
    'How long placeholder keys say that they hold. They end so that libraries ask again, and not so soon that a wrong clock in the container makes them look ended.',
  ),
  refusalCharactersMax: fixedRow(
    4 * KiB,
    'credential_unavailable',
    'The beginning of a response with status 400 or 403, which is looked at for a code of AWS by which keys have ended. Its own are half a KiB.',
  ),
  earlyRenewalWaitMs: fixedRow(
    1_000,
    'timeout',
    'A request waits this long for an early renewal. Then it takes the value that is still valid.',
  ),
  unaskedRenewalMs: fixedRow(
    1_000,
    'credential_unavailable',
    'How often a value is renewed without a request. A value with a shorter life waits for one.',
  ),
  rejectionIntervalMs: fixedRow(
    30_000,
    'credential_unavailable',
    'How often a 401 of an origin has a credential renewed. A workload can cause a 401, which must not become a stream of requests to the issuer.',
  ),
  renewalLeadMs: fixedRow(
    60_000,
    'credential_unavailable',
    'A value is renewed this long before its end, or in the last fifth of its life if it lives less than five times that.',
  ),
  vaultTokenCheckMs: fixedRow(
    60_000,
    'credential_unavailable',
    "How often the operator's token of a Vault is compared with its source.",
  ),
  vaultFarewellTimeoutMs: fixedRow(
    2_000,
    'timeout',
    'Giving a token or a lease back. It must not delay the end of the gateway.',
  ),
  vaultOutageMs: fixedRow(
    3_600_000,
    'credential_unavailable',
    'A value without a lease is used for this long while the server does not respond.',
  ),
  leasesPerSessionMax: row(
    8,
    'limit_exceeded',
    'Leases of a session and of all that it made, with those that are still to be given back. Each is a role in a database, or keys.',
  ),
  leasesPerPrincipalMax: row(
    256,
    'limit_exceeded',
    'Leases of all sessions of a principal, so that one who starts sessions in a loop leaves some to others.',
  ),
  leasesMax: row(
    10_000,
    'limit_exceeded',
    'Leases of sessions in the store. Vault itself keeps each of them too.',
  ),
  proofNoncesMax: fixedRow(
    64,
    'credential_unavailable',
    'Origins whose nonce a credential remembers for its proofs (RFC 9449). Of one that is forgotten the next response brings another one.',
  ),
  tokenCredentialsMax: fixedRow(
    64,
    'limit_exceeded',
    'Credentials that a token names. It travels with each enrolment, and a longer list is better said by the policy.',
  ),
  keptTokenCharactersMax: fixedRow(
    128 * KiB,
    'credential_unavailable',
    'What the store has of the tokens of a log-in, sealed: two tokens of 16 KiB each and a key. A longer text is none of ours.',
  ),
  keptTokenLookMs: fixedRow(
    10_000,
    'credential_unavailable',
    'How often a gateway that uses the tokens of a log-in looks whether they are still those of the store: so long a log-out takes.',
  ),
  keptTokenClaimMs: fixedRow(
    20_000,
    'credential_unavailable',
    'How long a gateway has to get new tokens and write them down. Then another one asks, so it is more than a request to an issuer takes, and less than the 30 s for which usual servers take a refresh token twice.',
  ),
  keptTokenWaitMs: fixedRow(
    30_000,
    'credential_unavailable',
    'How long a request without a token waits for the gateway that asks: longer than that one has.',
  ),
  keptTokenRetryMs: fixedRow(
    250,
    'credential_unavailable',
    'How long until a gateway that waits looks again, and until one that has new tokens tries again to write them down.',
  ),
  keptTokenFarewellMs: fixedRow(
    5_000,
    'credential_unavailable',
    'How long a gateway that ends goes on trying to write new tokens to a store that is away. They are nowhere else.',
  ),
  keptTokensListed: fixedRow(
    1_000,
    'credential_unavailable',
    'Log-ins that one command lists. A configuration has fewer.',
  ),
  insideTokensPerSessionMax: row(
    512,
    'limit_exceeded',
    'Tokens that gateways keep for the log-ins of a session. What ends soonest makes room; refresh tokens and what a client registered with do not.',
  ),
  insideTokensKnownMax: fixedRow(
    1_024,
    'credential_unavailable',
    'Tokens of log-ins that one process has at hand. Others are read from the store again.',
  ),
  insideTokensPerResponseMax: fixedRow(
    16,
    'origin_malformed',
    'Tokens in one response of a server of OAuth. It gives three, and a client that registers gets two.',
  ),
  insideTokenCharactersMax: fixedRow(
    16 * KiB,
    'origin_malformed',
    'A longer token fits in no request: heads are smaller.',
  ),
  insideFieldsMax: fixedRow(64, 'origin_malformed', 'Fields of a form to a server of OAuth, or from it.'),
  insidePlaceholderCharactersMax: fixedRow(
    16 * KiB,
    'credential_unavailable',
    'A longer text stands in the place of no token, so the store is not asked for it.',
  ),
  insideRandomCharactersMax: fixedRow(
    1 * KiB,
    'credential_unavailable',
    'What stands in the place of a longer token is no longer than that: files of tools hold it.',
  ),
  insideClaimCharactersMax: fixedRow(
    2 * KiB,
    'credential_unavailable',
    'A longer claim of a JSON Web Token is not shown in its placeholder.',
  ),
  insideSignatureBytesMax: fixedRow(
    512,
    'credential_unavailable',
    'The random signature of a placeholder: as long as one of RSA with 4,096 bits.',
  ),
  insideBodyBytesMax: fixedRow(
    128 * KiB,
    'origin_malformed',
    'Requests to a server of OAuth, and its responses, are read whole.',
  ),
  insideRefreshMs: fixedRow(
    15_000,
    'timeout',
    'A tool that refreshes its tokens has a response after so long, or gets none: before another gateway may ask with the same token (keptTokenClaimMs).',
  ),
  insideAttemptsMax: fixedRow(
    3,
    'credential_unavailable',
    'How often a refresh token is sent without a response that could be read. Then the tool has to log in again.',
  ),
  insideLifetimeMs: fixedRow(
    366 * 86_400_000,
    'limit_exceeded',
    'So long a token of a log-in counts whose server does not say when it ends: others make room first.',
  ),
  exchangedClaimsMax: fixedRow(
    32,
    'credential_unavailable',
    'Claims of a session that a server of OAuth is told in an exchange, and texts in one of them. Tokens of jobs have some 30.',
  ),
  exchangedClaimCharactersMax: fixedRow(
    1 * KiB,
    'credential_unavailable',
    'A text in such a claim: longer than names of repositories, refs and workflows.',
  ),
  proofRefusalBytesMax: fixedRow(
    64 * KiB,
    'origin_malformed',
    'What an origin says beside the nonce that it asks for (DPoP). Nobody reads it: the request is sent again.',
  ),
  insideEndedWaitingMax: fixedRow(
    1_000,
    'credential_unavailable',
    'Sessions whose end waits until the tokens of their log-ins are forgotten or revoked, in one process. Others are found at the next look (insideOverMs).',
  ),
  insideRevocationsMax: fixedRow(
    3,
    'credential_unavailable',
    'How often a server is asked to revoke a token of a session that is over. Then the log says so, and the token ends by itself.',
  ),
  insideOverMs: fixedRow(
    600_000,
    'credential_unavailable',
    'How often tokens are looked for whose session is over, though nobody said so to a gateway.',
  ),
  insideCommitsMax: fixedRow(
    8,
    'credential_unavailable',
    'How often a gateway tries to write a new refresh token down while the store is away: within the time that the token is its own.',
  ),
  sealedLeaseCharactersMax: fixedRow(
    8 * KiB,
    'credential_unavailable',
    "What the store has of a lease, sealed: Vault's name of the lease and of its server. A longer text is none of ours.",
  ),
  leaseLookMs: fixedRow(
    10_000,
    'credential_unavailable',
    'How often a gateway looks for leases that are to be given back. The end of a session makes it look at once.',
  ),
  leasesGivenBackMax: fixedRow(
    16,
    'credential_unavailable',
    'Leases that a gateway gives back at a time. Each is one request, and where more are due it goes on.',
  ),
  leaseClaimMs: fixedRow(
    60_000,
    'credential_unavailable',
    'How long a gateway has for that. Then another one may try: a log-in and two requests to Vault take half of it.',
  ),
  leaseAskedMs: fixedRow(
    60_000,
    'credential_unavailable',
    'A lease that was asked for, and of which nothing was written down for this long, is lost. Its request has ended by then.',
  ),
  leaseHolderAwayMs: fixedRow(
    60_000,
    'credential_unavailable',
    'A process on a SQLite file that says nothing for this long is gone, and its leases are given back. On PostgreSQL it is `storeOutageMs`, for one that lost the database serves on.',
  ),
  leaseRetryMs: fixedRow(
    5_000,
    'credential_unavailable',
    'The first wait before a lease is given back again; then twice as long each time.',
  ),
  leaseRetryMsMax: fixedRow(300_000, 'credential_unavailable', 'The longest of these waits.'),
  leaseAttemptsUntold: fixedRow(
    3,
    'credential_unavailable',
    'Tries before the alarm `lease_not_given_back`, in about a minute: a server that starts again is back by then.',
  ),
  leasesAtFarewellMax: fixedRow(
    64,
    'timeout',
    'Leases that a gateway gives back while it ends, all at once. Others give back the rest, or its next start.',
  ),
  vaultLeasesMax: fixedRow(
    16,
    'credential_unavailable',
    'Leases of one secret that have not ended. The oldest are then left to expire.',
  ),
  placeholderBodyBytesMax: fixedRow(
    64 * KiB,
    'body_too_large',
    'A body of up to this many declared bytes is held, to be searched whole. Most that carry a secret are a few hundred.',
  ),
  placeholderMessageBytesMax: fixedRow(
    16 * KiB,
    'credential_unavailable',
    'A message of a WebSocket of up to this many octets, with the heads of its frames, is held to be searched for placeholders. A longer one goes on as it came; log-ins are a few hundred.',
  ),
  awsKeyLooksMax: fixedRow(
    6,
    'credential_unavailable',
    'Reads of all sources before they count as changing faster than they can be read. A rotation needs three.',
  ),
  placeholderSpacesMax: fixedRow(
    1_024,
    'credential_unavailable',
    'White space between a string of JSON and what follows. With more in a row, the string is left alone.',
  ),
  placeholderMarginBytesMax: fixedRow(
    64,
    'credential_unavailable',
    'Text around a placeholder in a plain-text body. A longer text is not searched for placeholders.',
  ),
  presignedSecondsMax: fixedRow(
    900,
    'signature_refused',
    'How long a presigned URL may be valid. It is used at once, so what the origin sees does not have to live longer.',
  ),
  signatureTemplateCharactersMax: fixedRow(
    2 * KiB,
    'config_invalid',
    'A template of a signature. Those of services have a hundred characters.',
  ),
  signatureTemplatePartsMax: fixedRow(
    64,
    'config_invalid',
    'The parts of such a template. Those of services have ten.',
  ),
  signatureComponentsMax: fixedRow(
    64,
    'config_invalid',
    'What one HTTP message signature covers. Services want up to ten components.',
  ),
  signaturesAtOnceMax: fixedRow(
    2,
    'credential_unavailable',
    'Signatures with one asymmetric key that are made at once; others wait. They are made in the pool of the runtime, which has four threads for files and names too.',
  ),
  signatureKeyBitsMin: fixedRow(
    2_048,
    'credential_unavailable',
    'Bits of an RSA key that signs requests. Shorter ones are broken or soon will be.',
  ),
  signatureKeyBitsMax: fixedRow(
    8_192,
    'credential_unavailable',
    'The same at most. A signature with such a key takes 20 ms of a processor.',
  ),
  signaturePlacesMax: fixedRow(
    16,
    'config_invalid',
    'Header fields or parameters that carry a signature and what belongs to it. Services want up to four.',
  ),
  serviceTimeoutMs: fixedRow(
    10_000,
    'credential_unavailable',
    'One request to a service that issues or keeps secrets, unless its kind has another time.',
  ),
  serviceResponseBytesMax: fixedRow(
    1 * MiB,
    'credential_unavailable',
    "A token response is a few kilobytes; GitHub's repeats every repository that the token is for.",
  ),
} as const satisfies Record<string, LimitRow>;
