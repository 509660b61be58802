// Package managers for JavaScript.

import type { ClientCheck } from '../check.ts';

export const javascriptPackageChecks: readonly ClientCheck[] = [
  {
    id: 'npm',
    client: 'npm',
    version: ['npm', '--version'],
    needs: ['npm'],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS or npm_config_cafile',
    // The machine's own npmrc must not help.
    env: { npm_config_globalconfig: '@home@/none', npm_config_update_notifier: 'false' },
    files: {
      '~/.npmrc': 'registry=@https:npm@/\n',
      'package.json': '{ "name": "project", "private": true }',
    },
    command: [
      'sh',
      '-ec',
      `npm install --no-audit --no-fund example-package; node -p "require('example-package')"`,
    ],
    expect: /hello from npm/,
    quick: true,
  },
];
