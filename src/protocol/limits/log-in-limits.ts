// Log-in to the admin API at an identity provider: what a browser, and somebody who only says to be one, may cost.

import { fixedRow, type LimitRow, row } from './limit-row.ts';

export const logInLimits = {
  logInLifetimeMs: fixedRow(
    600_000,
    'operator_unknown',
    'A log-in comes back from the identity provider within this time: enough to find a second factor, not to find the cookie later.',
  ),
  logInsPerSourceMax: fixedRow(
    10,
    'limit_exceeded',
    'Log-ins that an address, or a /64 of IPv6, begins at once. Each asks the identity provider. `logInIntervalMs` later there is one more.',
  ),
  logInIntervalMs: fixedRow(
    6_000,
    'limit_exceeded',
    'After this time an address has one more log-in, up to `logInsPerSourceMax`.',
  ),
  logInSourcesMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Addresses whose log-ins are counted. The one whose log-in is oldest makes room.',
  ),
  logInsAtOnceMax: fixedRow(
    32,
    'limit_exceeded',
    'Log-ins for which the identity provider is asked at once. Each holds a connection to it.',
  ),
  usedLogInsMax: fixedRow(
    1_000,
    'operator_unknown',
    'Log-ins that a gateway remembers as used. The oldest makes room. The identity provider takes a code once, too.',
  ),
  providerTimeoutMs: fixedRow(
    10_000,
    'identity_provider_unavailable',
    'A whole response of the identity provider. A person waits for it.',
  ),
  providerMetadataMs: fixedRow(
    3_600_000,
    'identity_provider_unavailable',
    'How long the metadata of the identity provider is used before it is fetched again. If fetching fails, it stays in use.',
  ),
  operatorIdleMs: row(
    3_600_000,
    'operator_unknown',
    'A session by log-in that nobody uses ends after this time: a screen that was left.',
  ),
  operatorSessionMs: row(
    12 * 3_600_000,
    'operator_unknown',
    "A session by log-in ends after this time, used or not: a working day. Then a person's groups are read again.",
  ),
  operatorSessionsMax: fixedRow(1_000, 'limit_exceeded', 'Living sessions by log-in.'),
  operatorSessionsPerPersonMax: fixedRow(
    8,
    'limit_exceeded',
    'Living sessions by log-in of one person. The oldest ends for another one.',
  ),
  administratorUseMs: fixedRow(
    3_600_000,
    'limit_exceeded',
    'The use of an administrator token beside log-in by OpenID Connect raises one alarm within this time.',
  ),
} satisfies Readonly<Record<string, LimitRow>>;
