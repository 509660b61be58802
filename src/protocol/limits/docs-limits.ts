// The documents as a site on loopback (`upstreamproxy docs`): what other programs of the machine may cost the one who reads them.

import { fixedRow, KiB, type LimitRow, MiB } from './limit-row.ts';

export const docsLimits = {
  docsBytesMax: fixedRow(
    64 * MiB,
    'config_invalid',
    'A site, unpacked. Ours has 11 MB. A file that unpacks to more is not a site.',
  ),
  docsConnectionsMax: fixedRow(64, 'limit_exceeded', 'Connections to the site. A browser keeps six.'),
  docsHeadBytesMax: fixedRow(16 * KiB, 'head_too_large', 'Head of a request to the site.'),
  docsRequestTimeoutMs: fixedRow(
    10_000,
    'timeout',
    'From the beginning to the end of a request to the site.',
  ),
} satisfies Record<string, LimitRow>;
