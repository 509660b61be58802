// Package managers, runtimes and command lines that come from npm.

import type { ClientCheck } from '../check.ts';

const binary = (folder: string, name: string): string => `@tools@/${folder}/node_modules/.bin/${name}`;
/** The machine's own settings are hidden, for they may name a CA of its own. */
const noSettings = { npm_config_globalconfig: '/dev/null', npm_config_registry: '@https:npm@/' };
const project = JSON.stringify({
  name: 'project',
  version: '1.0.0',
  private: true,
  dependencies: { 'example-package': '1.0.0' },
});
const useIt = '@node@ -p "require(\'example-package\')"';
const bunProgram = (program: string): Readonly<Record<string, string>> => ({ 'program.mjs': program });
const socketProgram = `const socket = new WebSocket('@wss:web@/ws');
socket.onmessage = ({ data }) => { console.log(data); socket.close(); };
socket.onerror = (event) => { console.error(event.message ?? event); process.exitCode = 1; };
`;
const fetchProgram = `console.log(await (await fetch('@https:web@/hello')).text());\n`;
const denoTrust = 'https_proxy; DENO_CERT or NODE_EXTRA_CA_CERTS';
const bunTrust = 'https_proxy; SSL_CERT_FILE or NODE_EXTRA_CA_CERTS';

const packageManagerChecks: readonly ClientCheck[] = [
  {
    id: 'pnpm10',
    client: 'pnpm 10',
    version: ['@node@', binary('pnpm10', 'pnpm'), '--version'],
    needs: [binary('pnpm10', 'pnpm')],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS (npm_config_cafile over an npmrc)',
    files: { 'package.json': project },
    env: noSettings,
    command: ['sh', '-c', `@node@ ${binary('pnpm10', 'pnpm')} install --store-dir @dir@/store && ${useIt}`],
    expect: /^hello from npm$/m,
  },
  {
    id: 'pnpm-latest',
    client: 'pnpm',
    version: [binary('pnpm', 'pnpm'), '--version'],
    needs: [binary('pnpm', 'pnpm')],
    how: 'https_proxy; SSL_CERT_FILE',
    files: { 'package.json': project, '.npmrc': 'registry=@https:npm@/\n' },
    env: noSettings,
    command: ['sh', '-c', `${binary('pnpm', 'pnpm')} install --store-dir @dir@/store && ${useIt}`],
    expect: /^hello from npm$/m,
  },
  {
    id: 'yarn-classic',
    client: 'yarn 1',
    version: ['@node@', binary('yarn-classic', 'yarn'), '--version'],
    needs: [binary('yarn-classic', 'yarn')],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS (npm_config_cafile over an npmrc)',
    files: { 'package.json': project },
    env: { ...noSettings, YARN_REGISTRY: '@https:npm@/' },
    command: [
      'sh',
      '-c',
      `@node@ ${binary('yarn-classic', 'yarn')} install --no-progress --cache-folder @dir@/cache && ${useIt}`,
    ],
    expect: /^hello from npm$/m,
  },
  {
    id: 'yarn-berry',
    client: 'yarn 4',
    version: ['@node@', binary('yarn-berry', 'yarn'), '--version'],
    needs: [binary('yarn-berry', 'yarn')],
    how: 'YARN_HTTPS_PROXY; YARN_HTTPS_CA_FILE_PATH or NODE_EXTRA_CA_CERTS',
    files: { 'package.json': project, 'yarn.lock': '' },
    env: {
      YARN_NPM_REGISTRY_SERVER: '@https:npm@',
      YARN_NODE_LINKER: 'node-modules',
      YARN_ENABLE_GLOBAL_CACHE: 'false',
      YARN_ENABLE_TELEMETRY: 'false',
      YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    },
    command: ['sh', '-c', `@node@ ${binary('yarn-berry', 'yarn')} install && ${useIt}`],
    expect: /^hello from npm$/m,
  },
  {
    id: 'bun-install',
    client: 'bun install',
    version: [binary('bun', 'bun'), '--version'],
    needs: [binary('bun', 'bun')],
    how: bunTrust,
    files: { 'package.json': project },
    env: { ...noSettings, BUN_CONFIG_REGISTRY: '@https:npm@/', BUN_INSTALL_CACHE_DIR: '@dir@/cache' },
    command: ['sh', '-c', `${binary('bun', 'bun')} install && ${useIt}`],
    expect: /^hello from npm$/m,
  },
];

function bunCheck(kind: string, how: string, program: string, env: ClientCheck['env'] = {}): ClientCheck {
  const bun = binary('bun', 'bun');
  return {
    id: `bun-${kind}`,
    client: `bun: ${kind}`,
    version: [bun, '--version'],
    needs: [bun],
    how,
    files: bunProgram(program),
    env,
    command: [bun, 'program.mjs'],
    expect: /hello from web/,
  };
}

const runtimeChecks: readonly ClientCheck[] = [
  bunCheck('fetch', bunTrust, fetchProgram),
  {
    ...bunCheck('websocket', 'capture; SSL_CERT_FILE', socketProgram),
    expected: { environment: { outcome: 'fail', reason: 'its WebSocket reads no proxy variable' } },
  },
  {
    ...bunCheck(
      'axios',
      bunTrust,
      `const axios = require('@tools@/libraries/node_modules/axios');\nconsole.log((await axios.get('@https:web@/hello')).data);\n`,
    ),
    needs: [binary('bun', 'bun'), '@tools@/libraries/node_modules/axios/package.json'],
  },
  bunCheck(
    'https',
    bunTrust,
    `import https from 'node:https';\nhttps.get('@https:web@/hello', (response) => response.pipe(process.stdout));\n`,
  ),
  ...(
    [
      ['fetch', fetchProgram],
      ['websocket', socketProgram],
      ['npm', `import text from 'npm:example-package@1.0.0';\nconsole.log(text);\n`],
    ] as const
  ).map(([kind, program]): ClientCheck => ({
    id: `deno-${kind}`,
    client: `deno: ${kind}`,
    version: [binary('deno', 'deno'), '--version'],
    needs: [binary('deno', 'deno')],
    how: denoTrust,
    files: { 'program.mjs': program },
    env: {
      ...noSettings,
      NPM_CONFIG_REGISTRY: '@https:npm@/',
      DENO_DIR: '@dir@/deno',
      DENO_NO_UPDATE_CHECK: '1',
    },
    command: [binary('deno', 'deno'), 'run', '--allow-all', 'program.mjs'],
    expect: /hello from (?:web|npm)/,
  })),
  {
    id: 'deno-run-url',
    client: 'deno: a program by URL',
    version: [binary('deno', 'deno'), '--version'],
    needs: [binary('deno', 'deno')],
    how: denoTrust,
    env: { DENO_DIR: '@dir@/deno', DENO_NO_UPDATE_CHECK: '1' },
    command: [binary('deno', 'deno'), 'run', '--no-config', '@https:web@/program.js'],
    expect: /hello from web/,
  },
];

const toolChecks: readonly ClientCheck[] = [
  {
    id: 'turbo',
    client: 'turbo',
    version: [binary('turbo', 'turbo'), '--version'],
    needs: [binary('turbo', 'turbo'), 'git'],
    how: 'https_proxy; SSL_CERT_FILE',
    files: {
      'package.json': JSON.stringify({
        name: 'project',
        private: true,
        packageManager: 'npm@11.0.0',
        scripts: { build: 'echo built @serial@' },
      }),
      'package-lock.json': JSON.stringify({
        name: 'project',
        lockfileVersion: 3,
        requires: true,
        packages: { '': { name: 'project' } },
      }),
      'turbo.json': JSON.stringify({ tasks: { build: { outputs: [] } } }),
    },
    env: {
      TURBO_API: '@https:turbo@',
      TURBO_TOKEN: 'placeholder',
      TURBO_TEAM: 'example',
      TURBO_TELEMETRY_DISABLED: '1',
      TURBO_NO_UPDATE_NOTIFIER: '1',
    },
    // What the first run has stored the second takes from there: nothing is kept here.
    command: [
      'sh',
      '-ec',
      `turbo='${binary('turbo', 'turbo')} run build --cache=remote:rw --ui=stream'; $turbo; rm -rf .turbo; $turbo`,
    ],
    expect: /cache miss[^]*cache hit/,
  },
  {
    id: 'sentry-cli',
    client: 'sentry-cli',
    version: [binary('sentry-cli', 'sentry-cli'), '--version'],
    needs: [binary('sentry-cli', 'sentry-cli')],
    how: 'https_proxy; SSL_CERT_FILE',
    env: {
      SENTRY_URL: '@https:sentry@',
      SENTRY_AUTH_TOKEN: 'placeholder',
      SENTRY_NO_PROGRESS_BAR: '1',
    },
    command: [binary('sentry-cli', 'sentry-cli'), 'info'],
    expect: /hello-from-sentry@example\.com/,
  },
  {
    id: 'buf-curl',
    client: 'buf curl (gRPC)',
    version: [binary('buf', 'buf'), '--version'],
    needs: [binary('buf', 'buf')],
    how: 'https_proxy; SSL_CERT_FILE',
    files: {
      'echo.proto': `syntax = "proto3";
package example;
message Text { string text = 1; }
service Echo { rpc Say(Text) returns (Text); }
`,
    },
    command: [
      binary('buf', 'buf'),
      'curl',
      '--protocol',
      'grpc',
      '--schema',
      'echo.proto',
      '--data',
      '{"text":"hello from grpc"}',
      '@https:grpc@/example.Echo/Say',
    ],
    expect: /"text": ?"hello from grpc"/,
  },
  {
    id: 'wscat',
    client: 'wscat',
    version: ['@node@', binary('wscat', 'wscat'), '--version'],
    needs: [binary('wscat', 'wscat')],
    how: 'NODE_OPTIONS=--require (the hook); NODE_EXTRA_CA_CERTS',
    // It ends with its standard input.
    command: [
      'sh',
      '-ec',
      `mkfifo input; @node@ ${binary('wscat', 'wscat')} --connect @wss:web@/ws --execute hello --wait 2 <>input`,
    ],
    expect: /hello from web/,
  },
];

export const javascriptToolChecks: readonly ClientCheck[] = [
  ...packageManagerChecks,
  ...runtimeChecks,
  ...toolChecks,
];
