// Python: its own client and its installer.

import type { ClientCheck } from '../check.ts';

export const pythonChecks: readonly ClientCheck[] = [
  {
    id: 'py-urllib',
    client: 'urllib',
    version: ['python3', '--version'],
    needs: ['python3'],
    how: 'https_proxy; SSL_CERT_FILE',
    command: [
      'python3',
      '-c',
      `import urllib.request; print(urllib.request.urlopen('@https:web@/hello').read().decode())`,
    ],
    expect: /^hello from web$/m,
    quick: true,
  },
  {
    id: 'pip',
    client: 'pip',
    version: ['python3', '-m', 'pip', '--version'],
    needs: ['python3', 'pip3'],
    how: 'https_proxy; PIP_CERT, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE',
    // The machine's own pip.conf must not help.
    env: { PIP_CONFIG_FILE: '/dev/null', PIP_DISABLE_PIP_VERSION_CHECK: '1' },
    command: [
      'sh',
      '-ec',
      `python3 -m pip install -q --target site --index-url @https:pypi@/simple/ example-package
      PYTHONPATH=site python3 -c 'import example_package; print(example_package.HELLO)'`,
    ],
    expect: /hello from pypi/,
    quick: true,
  },
];
