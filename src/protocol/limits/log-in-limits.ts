// Log-in to the admin API at an identity provider: what a browser, and somebody who only says to be one, may cost.

import { fixedRow, type LimitRow, row } from './limit-row.ts';

export const logInLimits = {
  logInLifetimeMs: fixedRow(
    600_000,
    'operator_unknown',
    'A log-in comes back from the identity provider within this: time to find a second factor, not to find the cookie later.',
  ),
  logInsPerSourceMax: fixedRow(
    10,
    'limit_exceeded',
    'Log-ins that an address, or a /64 of IPv6, begins at once; each asks the identity provider. Each logInIntervalMs gives one more.',
  ),
  logInIntervalMs: fixedRow(
    6_000,
    'limit_exceeded',
    'After this an address has one log-in more, up to logInsPerSourceMax.',
  ),
  logInSourcesMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Addresses of which log-ins are counted; the one that began one longest ago makes room.',
  ),
  logInsAtOnceMax: fixedRow(
    32,
    'limit_exceeded',
    'Log-ins for which the identity provider is asked at once: each holds a connection to it.',
  ),
  usedLogInsMax: fixedRow(
    1_000,
    'operator_unknown',
    'Log-ins that a gateway remembers as used; the oldest makes room. The identity provider takes a code once, too.',
  ),
  providerTimeoutMs: fixedRow(
    10_000,
    'identity_provider_unavailable',
    'A response of the identity provider comes in this time; a person waits for it.',
  ),
  providerMetadataMs: fixedRow(
    3_600_000,
    'identity_provider_unavailable',
    'How long the metadata of the identity provider are used before they are fetched again; where that fails they serve on.',
  ),
  operatorIdleMs: row(
    3_600_000,
    'operator_unknown',
    'A session by log-in that nobody uses ends after this: a screen that was left.',
  ),
  operatorSessionMs: row(
    12 * 3_600_000,
    'operator_unknown',
    'A session by log-in ends after this, used or not: a day of work, behind which the groups of a person count anew.',
  ),
  operatorSessionsMax: fixedRow(1_000, 'limit_exceeded', 'Living sessions by log-in.'),
  operatorSessionsPerPersonMax: fixedRow(
    8,
    'limit_exceeded',
    'Living sessions by log-in of one person; the oldest ends for another one.',
  ),
  administratorUseMs: fixedRow(
    3_600_000,
    'limit_exceeded',
    'The use of an administrator token beside log-in by OpenID Connect is an alarm once within this.',
  ),
} satisfies Readonly<Record<string, LimitRow>>;
