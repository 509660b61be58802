// Downloaders.

import type { ClientCheck } from '../check.ts';

export const networkChecks: readonly ClientCheck[] = [
  {
    id: 'curl',
    client: 'curl',
    version: ['curl', '--version'],
    needs: ['curl'],
    how: 'https_proxy; SSL_CERT_FILE, SSL_CERT_DIR or CURL_CA_BUNDLE',
    command: ['curl', '-sS', '@https:web@/hello'],
    expect: /^hello from web$/m,
    quick: true,
  },
  {
    id: 'curl-http',
    client: 'curl',
    version: ['curl', '--version'],
    needs: ['curl'],
    how: 'http_proxy (lower case only)',
    command: ['curl', '-sS', '@http:web@/hello'],
    expect: /^hello from web$/m,
    quick: true,
  },
  {
    id: 'curl-h2',
    client: 'curl',
    version: ['curl', '--version'],
    needs: ['curl'],
    how: 'as curl',
    command: ['curl', '-sS', '--http2', '-w', 'HTTP/%{http_version}\\n', '@https:web@/hello'],
    expect: /^hello from web\nHTTP\/2$/m,
  },
  {
    id: 'wget',
    client: 'wget',
    version: ['wget', '--version'],
    needs: ['wget'],
    how: 'https_proxy (lower case); WGETRC',
    command: ['wget', '-q', '-O', '-', '@https:web@/hello'],
    expect: /^hello from web$/m,
    quick: true,
  },
  {
    id: 'wget-http',
    client: 'wget',
    version: ['wget', '--version'],
    needs: ['wget'],
    how: 'http_proxy (lower case)',
    command: ['wget', '-q', '-O', '-', '@http:web@/hello'],
    expect: /^hello from web$/m,
  },
];
