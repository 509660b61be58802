// Downloaders.

import type { ClientCheck } from '../check.ts';

export const networkChecks: readonly ClientCheck[] = [
  {
    id: 'curl',
    client: 'curl',
    version: ['curl', '--version'],
    needs: ['curl'],
    how: 'https_proxy; SSL_CERT_FILE or CURL_CA_BUNDLE',
    command: ['curl', '-sS', '@https:web@/hello'],
    expect: /^hello from web$/m,
    quick: true,
  },
];
