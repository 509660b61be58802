// What goes on around packages of npm: publishing, commands, programs of other machines, headers, package managers.

import type { ClientCheck } from '../check.ts';

const binary = (folder: string, name: string): string => `@tools@/${folder}/node_modules/.bin/${name}`;
/** The machine's own settings are hidden, for they may name a CA of its own. */
const noSettings = {
  npm_config_globalconfig: '/dev/null',
  npm_config_registry: '@https:npm@/',
  npm_config_update_notifier: 'false',
};
const project = '{ "name": "project", "private": true }';
const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-03-26',
    capabilities: {},
    clientInfo: { name: 'example', version: '1.0.0' },
  },
});

export const nodeDownloadChecks: readonly ClientCheck[] = [
  {
    id: 'npx',
    client: 'npx',
    version: ['npm', '--version'],
    needs: ['npx'],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS or npm_config_cafile',
    env: noSettings,
    command: ['npx', '--yes', 'example-command@1.0.0'],
    expect: /^hello from npm$/m,
  },
  {
    id: 'npm-publish',
    client: 'npm publish',
    version: ['npm', '--version'],
    needs: ['npm'],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS or npm_config_cafile',
    env: noSettings,
    files: {
      'package.json': '{ "name": "example-own", "version": "1.0.0" }',
      '~/.npmrc': '//@authority:npm@/:_authToken=placeholder\n',
    },
    command: ['npm', 'publish'],
    expect: /^\+ example-own@1\.0\.0$/m,
  },
  {
    id: 'npm-postinstall',
    client: 'npm: a package that fetches a program with node:https',
    version: ['npm', '--version'],
    needs: ['npm'],
    how: 'NODE_USE_ENV_PROXY or NODE_OPTIONS (hook); NODE_EXTRA_CA_CERTS',
    env: { ...noSettings, EXAMPLE_BINARY_URL: '@https:web@/hello' },
    files: { 'package.json': project },
    command: [
      'sh',
      '-ec',
      `npm install --no-audit --no-fund --foreground-scripts example-binary; node -p "require('example-binary')"`,
    ],
    expect: /hello from web/,
  },
  {
    id: 'corepack',
    client: 'corepack',
    version: ['@node@', binary('corepack', 'corepack'), '--version'],
    needs: [binary('corepack', 'corepack')],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS',
    env: {
      ...noSettings,
      COREPACK_HOME: '@dir@/corepack',
      COREPACK_NPM_REGISTRY: '@https:npm@',
      COREPACK_ENABLE_DOWNLOAD_PROMPT: '0',
      // Nobody signs here.
      COREPACK_INTEGRITY_KEYS: '0',
    },
    command: ['@node@', binary('corepack', 'corepack'), 'pnpm@9.0.0', '--version'],
    expect: /^hello from npm$/m,
  },
  {
    id: 'node-gyp',
    client: 'node-gyp',
    version: ['@node@', binary('node-gyp', 'node-gyp'), '--version'],
    needs: [binary('node-gyp', 'node-gyp')],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS',
    command: [
      'sh',
      '-ec',
      `@node@ ${binary('node-gyp', 'node-gyp')} install --target=20.99.0 --dist-url=@https:node@/dist --devdir=@dir@/headers; cat @dir@/headers/20.99.0/include/node/node_version.h`,
    ],
    expect: /hello from node/,
  },
  {
    id: 'electron-get',
    client: '@electron/get',
    version: [
      '@node@',
      '-p',
      `require('@tools@/electron-get/node_modules/@electron/get/package.json').version`,
    ],
    needs: ['@tools@/electron-get/node_modules/@electron/get/package.json'],
    how: 'NODE_USE_ENV_PROXY or ELECTRON_GET_USE_PROXY; NODE_EXTRA_CA_CERTS',
    env: { XDG_CACHE_HOME: '@dir@/cache' },
    files: {
      'program.mjs': `import { readFileSync } from 'node:fs';
import { download } from '@tools@/electron-get/node_modules/@electron/get/dist/index.js';
const path = await download('1.2.3', { platform: 'linux', arch: 'x64', mirrorOptions: { mirror: '@https:electron@/' } });
console.log(readFileSync(path, 'latin1'));
`,
    },
    command: ['@node@', 'program.mjs'],
    expect: /hello from electron/,
  },
  {
    id: 'mcp-remote',
    client: 'mcp-remote',
    version: ['@node@', '-p', `require('@tools@/mcp-remote/node_modules/mcp-remote/package.json').version`],
    needs: [binary('mcp-remote', 'mcp-remote')],
    how: 'NODE_USE_ENV_PROXY; NODE_EXTRA_CA_CERTS',
    env: { MCP_REMOTE_CONFIG_DIR: '@dir@/settings' },
    files: { request: `${initialize}\n` },
    // It ends with its standard input, and responds when it likes.
    command: [
      'sh',
      '-c',
      `(cat request; sleep 15) | timeout 15 @node@ ${binary('mcp-remote', 'mcp-remote')} @https:mcp@/mcp --transport http-only; true`,
    ],
    expect: /"name":"hello from mcp"/,
  },
];
